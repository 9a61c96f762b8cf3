import t from 'tap'
import { cutResponse, errorResponse, sqlStates } from '../../../proxy/postgres/errors.ts'
import { BrokerError, type ErrorCode, errors } from '../../../proxy/session.ts'
import { decodeErrorFields } from '../../../proxy/wire/postgres/decode.ts'

const fieldsOf = (message: Buffer) => {
  t.equal(message.toString('latin1', 0, 1), 'E')
  t.equal(message.readUInt32BE(1), message.length - 1)
  return decodeErrorFields(message.subarray(5))
}

t.test('every code has a SQLSTATE, and goes out as FATAL with its text, hint and name', async (t) => {
  for (const code of Object.keys(errors) as ErrorCode[]) {
    const fields = fieldsOf(errorResponse(new BrokerError(code, 'because', { hint: 'do this', cause: 'secret' })))
    t.match(sqlStates[code], /^[0-9A-Z]{5}$/)
    t.strictSame(fields, {
      S: 'FATAL',
      V: 'FATAL',
      C: sqlStates[code],
      M: `${errors[code].text}: because`,
      D: `Sallyport error ${code}.`,
      H: 'do this',
    })
  }
})

t.test('what clients and pools act on', async (t) => {
  const cases = { TOKEN_INVALID: '28P01', GRANT_DENIED: '28000', TLS_REQUIRED: '28000', PROTOCOL_ERROR: '08P01' }
  t.match(sqlStates, { ...cases, UNSUPPORTED: '0A000', TOO_MANY_SESSIONS: '53300', TARGET_LOST: '08006' })
  t.notOk('H' in fieldsOf(errorResponse(new BrokerError('INTERNAL'))), 'no hint where there is none')
})

t.test('a cut is 57P01 with the text of the notice; idleness has its own state', async (t) => {
  const cut = cutResponse({ reason: 'grant-revoked', text: 'access was revoked\0 by bob', decidedAt: 1 })
  t.match(fieldsOf(cut), { S: 'FATAL', C: '57P01', M: 'access was revoked\\u{0} by bob' })
  t.match(fieldsOf(cutResponse({ reason: 'idle', text: 'idle', decidedAt: 1 })), { C: '57P05' })
})
