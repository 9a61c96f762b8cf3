import t from 'tap'
import { CancelRegistry } from '../../../proxy/postgres/cancel-registry.ts'

const from = (address: string) => ({ address, port: 1, via: 'listener' }) as const
const wrong = { pid: 1, key: Buffer.alloc(4) }

t.test('a key cancels its own session, and no other', async (t) => {
  const registry = new CancelRegistry()
  const cancelled: string[] = []
  const add = (name: string, minor: number) =>
    registry.add(minor, async ({ origin }) => void cancelled.push(`${name} from ${origin.address}`))
  const [old, modern] = [add('3.0', 0), add('3.2', 2)]
  t.equal(old.key.length, 4)
  t.equal(modern.key.length, 32)
  t.ok(old.pid > 0 && old.pid <= 0x7fff_ffff)
  const origin = from('192.0.2.1')
  t.equal(await registry.use({ ...modern, origin }), true)
  t.equal(await registry.use({ pid: modern.pid, key: modern.key.subarray(0, 4), origin }), false, 'no part of a key')
  t.equal(await registry.use({ pid: old.pid, key: Buffer.concat([old.key, old.key]), origin }), false, 'no longer one')
  t.equal(await registry.use({ pid: old.pid, key: modern.key, origin }), false)
  registry.remove(modern)
  t.equal(await registry.use({ ...modern, origin }), false, 'not after its end')
  t.same(cancelled, ['3.2 from 192.0.2.1'])
})

t.test('who shows ten wrong keys is not listened to for a minute: not the address, not its /64', async (t) => {
  let now = 0
  const registry = new CancelRegistry(() => now)
  let cancelled = 0
  const key = registry.add(0, async () => {
    cancelled += 1
  })
  for (const [guesser, neighbour, stranger] of [
    ['192.0.2.1', '192.0.2.1', '192.0.2.2'],
    ['2001:db8::1', '2001:db8::ffff', '2001:db8:0:1::1'],
  ] as const) {
    cancelled = 0
    for (let i = 0; i < 9; i += 1) await registry.use({ ...wrong, origin: from(guesser) })
    t.equal(await registry.use({ ...key, origin: from(guesser) }), true, 'nine are forgiven')
    await registry.use({ ...wrong, origin: from(guesser) })
    t.equal(await registry.use({ ...key, origin: from(neighbour) }), false)
    t.equal(await registry.use({ ...key, origin: from(stranger) }), true)
    now += 60_000
    t.equal(await registry.use({ ...key, origin: from(guesser) }), true, 'forgotten after a minute')
    t.equal(cancelled, 3)
  }
})
