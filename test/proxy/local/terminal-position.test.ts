import t from 'tap'
import { TerminalPosition } from '../../../proxy/local/terminal-position.ts'
import fc from '../../fast-check.ts'

const bytesOf = (...bytes: number[]) => Uint8Array.from(bytes)

t.test('it acknowledges each 64 KiB, and what is left when asked', async (t) => {
  const position = new TerminalPosition()
  position.receive(100_000)
  t.equal(position.show(65_535), undefined)
  t.equal(position.show(1), 65_536)
  t.equal(position.acknowledge(), undefined)
  t.equal(position.show(10), undefined)
  t.equal(position.acknowledge(), 65_546)
})

t.test('what is shown late is not acknowledged behind what the broker knows', async (t) => {
  const position = new TerminalPosition()
  position.receive(100_000)
  t.same(position.resume(50, 0), [])
  t.equal(position.received, 100_050)
  t.equal(position.show(99_000), undefined)
  t.equal(position.acknowledge(), undefined)
})

t.test('what was typed and did not arrive is sent again, once', async (t) => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 20 })), fc.nat(), fc.nat(), (chunks, one, two) => {
      const position = new TerminalPosition()
      const all = Buffer.concat(chunks)
      for (const chunk of chunks) position.type(Uint8Array.from(chunk))
      const [first = 0, second = 0] = [one, two].map((n) => n % (all.length + 1)).sort((a, b) => a - b)
      position.confirm(first)
      const missing = position.resume(0, second)
      return missing !== undefined && Buffer.concat(missing).equals(all.subarray(second))
    }),
  )
  t.pass()
})

t.test('with a gap nothing is sent again, and the next one counts from there', async (t) => {
  const position = new TerminalPosition()
  for (let i = 0; i < 40; i += 1) position.type(new Uint8Array(32 * 1024))
  t.equal(position.resume(0, 10), undefined)
  position.type(bytesOf(1, 2, 3))
  t.same(position.resume(0, 11), [bytesOf(2, 3)])
})
