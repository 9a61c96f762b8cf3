import { createHmac } from 'node:crypto'
import t from 'tap'
import { Digests } from '../../../proxy/recording/digests.ts'
import { CopyDigest } from '../../../proxy/recording/passing-digest.ts'
import fc from '../../fast-check.ts'

const key = Buffer.alloc(32, 7)
const digests = new Digests(key)

t.test('whatever the pieces, the digest is that of all the bytes in their order', (t) => {
  const pieces = fc.array(fc.oneof(fc.nat(200), fc.nat(70_000), fc.constantFrom(0, 32_767, 32_768, 32_769, 65_536)), {
    maxLength: 12,
  })
  fc.assert(
    fc.property(pieces, (lengths) => {
      const digest = new CopyDigest(digests)
      const all = lengths.map((length, i) => Buffer.alloc(length + 2, i + 1))
      for (const piece of all) {
        digest.add(piece, 1, piece.length - 1)
        digest.count()
      }
      const bytes = Buffer.concat(all.map((piece) => piece.subarray(1, -1)))
      const hmac = createHmac('sha256', key).update(bytes).digest('hex')
      t.same(digest.finish(true), { bytes: bytes.length, messages: lengths.length, hmac })
    }),
    { numRuns: 200 },
  )
  const half = new CopyDigest(digests)
  half.add(Buffer.from('abc'), 0, 3)
  t.same(half.finish(false), { bytes: 3, messages: 0 }, 'no digest of what did not come to its end')
  t.end()
})
