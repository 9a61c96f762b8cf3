import t from 'tap'
import { mysqlErrors, wordsFor } from '../../../proxy/mysql/errors.ts'
import { MysqlRefusal } from '../../../proxy/mysql/mysql-refusal.ts'
import { BrokerError, type ErrorCode, errors } from '../../../proxy/session.ts'
import { errorOf } from './raw-client.ts'

const words = wordsFor(() => 9)

/** The one packet that these bytes are. */
function packetOf(bytes: Buffer) {
  t.equal(bytes.readUIntLE(0, 3), bytes.length - 4)
  t.equal(bytes[3], 9)
  return errorOf(bytes.subarray(4))
}

t.test('every code has a number and a SQLSTATE, and goes out with its text, hint and name', async (t) => {
  for (const code of Object.keys(errors) as ErrorCode[]) {
    const { number, state } = mysqlErrors[code]
    t.match(state, /^[0-9A-Z]{5}$/)
    t.ok((number >= 1000 && number < 2000) || number >= 3000, `${code}: a number of servers`)
    const error = new BrokerError(code, 'because', { hint: 'Do this.', cause: 'secret' })
    t.same(packetOf(words.error(error)), {
      number,
      state,
      text: `${errors[code].text}: because. Do this (Sallyport error ${code})`,
    })
  }
})

t.test('what clients and pools act on', async (t) => {
  t.match(mysqlErrors, {
    TOKEN_INVALID: { number: 1045, state: '28000' },
    DATABASE_DENIED: { number: 1044, state: '42000' },
    TOO_MANY_SESSIONS: { number: 1040, state: '08004' },
    TLS_REQUIRED: { number: 3159 },
    DRAINING: { number: 1053, state: '08S01' },
    TARGET_UNREACHABLE: { number: 1105, state: 'HY000' },
  })
  const own = new MysqlRefusal('TARGET_REFUSED', { number: 1040, state: '08004' }, 'full')
  t.match(packetOf(words.error(own)), { number: 1040, state: '08004' })
})

t.test('a cut is 1053 with the text of the notice; idleness has its own number', async (t) => {
  const cut = words.cut({ reason: 'grant-revoked', text: 'access was revoked\0 by bob', decidedAt: 1 })
  t.same(packetOf(cut), { number: 1053, state: '08S01', text: 'access was revoked\\u{0} by bob' })
  t.match(packetOf(words.cut({ reason: 'idle', text: 'idle', decidedAt: 1 })), { number: 4031, state: 'HY000' })
})

t.test('a text that clients would cut is cut between characters', async (t) => {
  const { text } = packetOf(words.cut({ reason: 'killed', text: `x${'é'.repeat(400)}`, decidedAt: 1 }))
  t.equal(text, `x${'é'.repeat(249)}`)
})
