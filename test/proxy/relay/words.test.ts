import t from 'tap'
import { toBrokerError } from '../../../proxy/relay/words.ts'
import { errors } from '../../../proxy/session.ts'
import { WireError } from '../../../proxy/wire/wire-error.ts'

t.test('bytes that break the protocol may be quoted; anything else thrown may not', async (t) => {
  t.match(toBrokerError(new WireError('bad')), { code: 'PROTOCOL_ERROR', message: /bad/ })
  const cause = new Error('password is hunter2')
  t.match(toBrokerError(cause), { code: 'INTERNAL', message: errors.INTERNAL.text, cause })
})
