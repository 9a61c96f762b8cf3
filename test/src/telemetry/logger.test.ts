import t from 'tap'
import { BrokerError } from '../../../proxy/session.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'

function logged(fields: object): Record<string, unknown> {
  const lines: string[] = []
  createLogger({ destination: { write: (line: string) => void lines.push(line) } }).warn(fields, 'words')
  t.equal(lines.length, 1)
  return JSON.parse(lines[0] ?? '')
}

t.test('the code of an error is told, and of its cause', async (t) => {
  const cause = Object.assign(new Error('connection refused'), { code: 'ECONNREFUSED' })
  const err = new BrokerError('STORE_UNAVAILABLE', 'it is gone', { cause })
  t.match(logged({ err }), { err: { code: 'STORE_UNAVAILABLE', cause: { code: 'ECONNREFUSED' } } })
  t.match(logged({ err: Object.assign(new Error('cut'), { code: '57P01' }) }), { err: { code: '57P01' } })
})

t.test('a code that signs someone in is not', async (t) => {
  const secret = 'SplxlOBeZQQYbYS6WxSbIA'
  for (const fields of [
    { code: secret },
    { code: 'WDJB_MJHT' },
    { query: { code: 'WDJB_MJHT' } },
    { request: { body: { code: secret } } },
    { err: Object.assign(new Error('refused'), { code: secret }) },
    { err: Object.assign(new Error('refused'), { cause: Object.assign(new Error('why'), { code: secret }) }) },
    { err: Object.assign(new Error('refused'), { code: { toString: () => secret, secret } }) },
  ]) {
    const line = JSON.stringify(logged(fields))
    t.notMatch(line, new RegExp(`${secret}|WDJB_MJHT`))
    t.match(line, /\[redacted\]/)
  }
})
