import t from 'tap'
import { readRefusal } from '../../../../proxy/local/postgres/refusal.ts'
import fc from '../../../fast-check.ts'

/** 'E', length, (field, text)*, end: as proxy/postgres/errors.ts documents it, written by hand. */
function errorResponse(fields: Record<string, string>): Buffer {
  const body = Buffer.from(
    `${Object.entries(fields)
      .map(([name, value]) => `${name}${value}\0`)
      .join('')}\0`,
  )
  const head = Buffer.from('E\0\0\0\0', 'latin1')
  head.writeUInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

const denied = {
  S: 'FATAL',
  C: '28000',
  M: 'access was not granted',
  D: 'Sallyport error GRANT_DENIED.',
  H: 'ask for it',
}
/** NegotiateProtocolVersion: 3.2, no unknown options */
const version = Buffer.from([0x76, 0, 0, 0, 12, 0, 3, 0, 2, 0, 0, 0, 0])
const authenticationOk = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0])

t.test('a refusal of the broker is known by its detail, with code, words and hint', async (t) => {
  const expected = { code: 'GRANT_DENIED', message: 'access was not granted', hint: 'ask for it' }
  t.match(readRefusal(errorResponse(denied)), expected)
  t.match(readRefusal(Buffer.concat([version, errorResponse(denied)])), expected)
  const { H: _, ...bare } = denied
  t.match(readRefusal(errorResponse(bare)), { hint: undefined })
})

t.test('before the answer there may be word of the protocol version', async (t) => {
  t.equal(readRefusal(version), 'later')
  t.equal(readRefusal(Buffer.alloc(0)), 'later')
})

t.test("the database's own errors, other codes and other messages are no refusals of the broker", async (t) => {
  for (const detail of [
    '',
    'Sallyport error toString.',
    'Sallyport error NOT_A_CODE.',
    'x Sallyport error GRANT_DENIED.',
  ])
    t.equal(readRefusal(errorResponse({ ...denied, D: detail })), undefined, detail)
  t.equal(readRefusal(authenticationOk), undefined)
})

t.test('bytes that are cut or senseless are none either, and do no harm', async (t) => {
  const whole = errorResponse(denied)
  for (let length = 1; length < whole.length; length++) t.equal(readRefusal(whole.subarray(0, length)), undefined)
  const first = fc.constantFrom(0x45, 0x76, 0x52)
  fc.assert(
    fc.property(first, fc.uint8Array({ maxLength: 40 }), (type, bytes) => {
      const read = readRefusal(Buffer.from([type, 0, 0, 0, bytes.length + 4, ...bytes]))
      return read === undefined || read === 'later'
    }),
  )
})
