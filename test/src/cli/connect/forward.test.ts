import t from 'tap'
import { readForward } from '../../../../src/cli/connect/forward-session.ts'

t.test('[LOCAL:]HOST:PORT', async (t) => {
  t.same(readForward('web.internal:80'), { local: 0, host: 'web.internal', port: 80 })
  t.same(readForward('8080:web.internal:80'), { local: 8080, host: 'web.internal', port: 80 })
  t.same(readForward('65535:[fd00::1]:65535'), { local: 65_535, host: 'fd00::1', port: 65_535 })
  for (const text of [
    'web',
    'web:',
    ':80',
    'web:0',
    'web:65536',
    '0:web:80',
    '70000:web:80',
    'a:b:c:80',
    '::1:80',
    '[::1:80',
    '',
  ])
    t.throws(() => readForward(text), { code: 'INVALID_INPUT', message: /is not \[LOCAL:\]HOST:PORT/ }, text)
})
