import t from 'tap'
import { KeptOutput } from '../../../proxy/shell/kept-output.ts'
import fc from '../../fast-check.ts'

const step = fc.oneof(
  fc.record({ do: fc.constant('push' as const), n: fc.integer({ min: 0, max: 10_000 }) }),
  fc.record({ do: fc.constant('release' as const), n: fc.integer({ min: 0, max: 20_000 }) }),
  fc.record({ do: fc.constant('trim' as const), n: fc.integer({ min: 0, max: 6000 }) }),
)

t.test('what is kept is the end of what was pushed, whatever was released', async (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1000 }), fc.array(step, { maxLength: 30 }), (at, steps) => {
      const kept = new KeptOutput(at)
      let all = Buffer.alloc(at)
      let from = at
      for (const { do: what, n } of steps) {
        if (what === 'push') {
          const bytes = Buffer.from(Array.from({ length: n }, (_, i) => (all.length + i) % 251))
          kept.push(bytes)
          all = Buffer.concat([all, bytes])
        } else if (what === 'release') {
          kept.release(n)
          from = Math.max(from, Math.min(n, all.length))
        } else {
          kept.trim(n)
          from = Math.max(from, all.length - n)
        }
        if (kept.from !== from || !kept.all().equals(all.subarray(from))) return false
      }
      return kept.bytes === all.length - from
    }),
  )
  t.pass()
})

t.test('an echo of one byte at a time takes no memory of its own', async (t) => {
  const kept = new KeptOutput(0)
  const before = process.memoryUsage().arrayBuffers
  for (let i = 0; i < 64 * 1024; i += 1) kept.push(Buffer.from([i % 256]))
  t.equal(kept.bytes, 64 * 1024)
  const grown = process.memoryUsage().arrayBuffers - before
  t.ok(grown < 1024 * 1024, `${grown} bytes for 64 KiB`)
})
