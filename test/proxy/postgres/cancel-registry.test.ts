import t from 'tap'
import { placeOf } from '../../../proxy/place.ts'
import { CancelRegistry } from '../../../proxy/postgres/cancel-registry.ts'

const place = { daemon: 255, front: 63 }
const origin = { address: '192.0.2.1', port: 1, via: 'listener' } as const

t.test('a key cancels its own session, and no other', async (t) => {
  const registry = new CancelRegistry(place)
  const cancelled: string[] = []
  const add = (name: string, minor: number) =>
    registry.add(minor, async ({ address }) => cancelled.push(`${name} from ${address}`) > 0)
  const [old, modern] = [add('3.0', 0), add('3.2', 2)]
  t.equal(old.key.length, 4)
  t.equal(modern.key.length, 32)
  const use = (id: number, key: Buffer) => registry.use({ protocol: 'postgres', id, key, origin })
  t.equal(await use(modern.pid, modern.key), true)
  t.equal(await use(modern.pid, modern.key.subarray(0, 4)), false, 'no part of a key')
  t.equal(await use(old.pid, Buffer.concat([old.key, old.key])), false, 'no longer one')
  t.equal(await use(old.pid, modern.key), false)
  registry.remove(modern)
  t.equal(await use(modern.pid, modern.key), false, 'not after its end')
  t.same(cancelled, ['3.2 from 192.0.2.1'])
})

t.test('a pid is positive, and says where its session is', async (t) => {
  for (const place of [
    { daemon: 0, front: 0 },
    { daemon: 3, front: 5 },
    { daemon: 255, front: 63 },
  ]) {
    const { pid } = new CancelRegistry(place).add(0, async () => true)
    t.ok(pid > 0 && pid <= 0x7fff_ffff, `${pid}`)
    t.same(placeOf(pid), place)
  }
})
