import fc from 'fast-check'
import t from 'tap'
import { readRefusal } from '../../../proxy/local/refusal.ts'
import { BrokerError } from '../../../proxy/session.ts'

/** ErrorResponse as the broker writes it: 'E', length that counts itself, fields, 0. */
function errorResponse(...fields: string[]): Buffer {
  const body = Buffer.from(`${fields.map((field) => `${field}\0`).join('')}\0`)
  const head = Buffer.from([0x45, 0, 0, 0, 0])
  head.writeUInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

const denied = errorResponse(
  'SFATAL',
  'VFATAL',
  'C28000',
  'Maccess was not granted: you hold no grant',
  'DSallyport error GRANT_DENIED.',
  'Hrun: sallyport request orders',
)
/** 'v', length 12, newest minor version 3.0, no unknown option. */
const negotiation = Buffer.from([0x76, 0, 0, 0, 12, 0, 3, 0, 0, 0, 0, 0, 0])
/** AuthenticationOk: 'R', length 8, 0. */
const signedIn = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0])

t.test('a refusal of the broker is read with its code, reason and hint', async (t) => {
  const expected = {
    code: 'GRANT_DENIED',
    message: 'access was not granted: you hold no grant',
    hint: 'run: sallyport request orders',
  }
  t.match(readRefusal(denied), expected)
  t.match(readRefusal(Buffer.concat([negotiation, denied])), expected)
  t.match(readRefusal(Buffer.concat([denied, signedIn])), expected, 'what follows is not read')
  t.equal((readRefusal(errorResponse('Mgone', 'DSallyport error DRAINING.')) as BrokerError).hint, undefined)
})

t.test('a session that opened is none, and neither is an error of the database', async (t) => {
  t.equal(readRefusal(signedIn), undefined)
  t.equal(readRefusal(Buffer.concat([negotiation, signedIn])), undefined)
  t.equal(readRefusal(errorResponse('C28000', 'Mrole "x" does not exist')), undefined)
  t.equal(readRefusal(errorResponse('C28000', 'Mx', 'DSallyport error NO_SUCH_CODE.')), undefined)
  t.equal(readRefusal(errorResponse('C28000', 'Mx', 'DSallyport error toString.')), undefined)
})

t.test('a negotiation of the version is not an answer yet', async (t) => {
  t.equal(readRefusal(negotiation), 'later')
  t.equal(readRefusal(Buffer.alloc(0)), 'later')
})

t.test('a refusal that is cut anywhere is not read', async (t) => {
  for (let end = 1; end < denied.length; end++) t.equal(readRefusal(denied.subarray(0, end)), undefined, `${end} bytes`)
})

t.test('whatever comes, it answers', async (t) => {
  const starts = fc.constantFrom(negotiation, denied.subarray(0, 5), signedIn, Buffer.alloc(0))
  fc.assert(
    fc.property(starts, fc.uint8Array({ maxLength: 64 }), (start, rest) => {
      const answer = readRefusal(Buffer.concat([start, rest]))
      return answer === undefined || answer === 'later' || answer instanceof BrokerError
    }),
  )
  t.pass('no other outcome')
})
