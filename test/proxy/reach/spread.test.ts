/** Connections by several tunnels to one address: agents pace each of them. */
import { once } from 'node:events'
import t from 'tap'
import { waitFor, waitUntil } from '../../wait-until.ts'
import { echoes, listen, never, openReach, permitFor } from './reach-fixture.ts'
import { via } from './tunnel-calls.ts'

const spread = { ...via, isSpread: true }
t.test('each has a tunnel to itself, up to eight; then they share those that carry the fewest', async (t) => {
  const port = await listen(t)
  const { reach, asked } = await openReach(t, port, [], { tunnels: 9 })
  const permit = permitFor(port, {}, 'localhost', spread)
  const open = (count: number) => Promise.all(Array.from({ length: count }, () => reach.open(permit, never)))
  const first = await open(8)
  t.equal(asked.length, 8)
  const more = await open(8)
  t.equal(asked.length, 8, 'an instance bears no more')
  for (const { stream } of [...first, ...more]) t.ok(await echoes(stream, 'hello'))
  const [one] = first
  const again = await one?.again(never)
  t.ok(again && (await echoes(again, 'hello')), 'the second stream goes by the same')
  for (const { reset } of [...first, ...more]) reset()
  again?.destroy()
  t.ok(await echoes((await reach.open(permit, never)).stream, 'hello'))
  t.equal(asked.length, 8, 'one that stands idle is used again')
})

t.test('those of others count for an instance, and every one of them has its first', async (t) => {
  const port = await listen(t)
  const { reach, asked } = await openReach(t, port, [], { tunnels: 9 })
  const open = (key: string) => reach.open(permitFor(port, {}, 'localhost', { ...spread, key }), never)
  await Promise.all(Array.from({ length: 8 }, () => open('alice')))
  t.ok(await echoes((await open('bob')).stream, 'hello'))
  t.equal(asked.length, 9)
  t.ok(await echoes((await open('bob')).stream, 'hello'))
  t.equal(asked.length, 9)
})

t.test('without that, another is opened beside one that is busy, once for all who ask for it', async (t) => {
  const port = await listen(t)
  const { reach, asked } = await openReach(t, port)
  const permit = permitFor(port)
  const first = await reach.open(permit, never)
  t.ok(await echoes(first.stream, 'hello'))
  await reach.open(permit, never)
  t.equal(asked.length, 1, 'what little passes slows nothing down')
  first.stream.pipe(first.stream).write(Buffer.alloc(128 * 1024, 'x')) // goes round and round
  const openMore = () => Promise.all([1, 2, 3].map(() => reach.open(permit, never)))
  const more = await waitFor(async () => {
    const opened = await openMore()
    return asked.length > 1 ? opened : undefined
  }, 'it is busy')
  t.equal(asked.length, 2)
  first.stream.unpipe()
  for (const { stream } of more) t.ok(await echoes(stream, 'hello'))
})

t.test('one that cannot be opened beside another: its connection goes by that one', async (t) => {
  const port = await listen(t)
  const { reach, asked } = await openReach(t, port, [], { tunnels: 1 })
  const permit = permitFor(port, {}, 'localhost', { ...spread, instances: ['i-1'] })
  for (const turn of [1, 2, 3]) t.ok(await echoes((await reach.open(permit, never)).stream, `hello ${turn}`))
  t.equal(asked.length, 2, 'nor is it tried each time')
})

t.test('nor does an agent that says nothing hold it up', async (t) => {
  const port = await listen(t)
  const { reach, asked, ended } = await openReach(t, port, [], { tunnels: 2, silent: [1], besideMs: 100 })
  const permit = permitFor(port, {}, 'localhost', { ...spread, instances: ['i-1'] })
  for (const turn of [1, 2]) t.ok(await echoes((await reach.open(permit, never)).stream, `hello ${turn}`))
  t.equal(asked.length, 2)
  await waitUntil(() => ended.length === 1, 'AWS is told of it')
})

t.test('a client that leaves while another is opened: those there go on, and so do later ones', async (t) => {
  const port = await listen(t)
  const { reach, asked, ended } = await openReach(t, port, [], { tunnels: 2, idleMs: 1 })
  const permit = permitFor(port, {}, 'localhost', { ...spread, instances: ['i-1'] })
  const { stream } = await reach.open(permit, never)
  const leaving = new AbortController()
  const opening = reach.open(permit, leaving.signal)
  leaving.abort()
  await t.rejects(opening, { code: 'TARGET_UNREACHABLE' })
  t.ok(await echoes(stream, 'hello'))
  await waitUntil(() => ended.length === 1, 'nobody uses it')
  stream.destroy()
  await once(stream, 'close')
  t.equal(asked.length, 2)
})

t.test('a tunnel that ends takes only its own connections with it', async (t) => {
  const port = await listen(t)
  const { reach, sessions } = await openReach(t, port)
  const permit = permitFor(port, {}, 'localhost', spread)
  const [one, two] = await Promise.all([reach.open(permit, never), reach.open(permit, never)])
  const closed = new Promise((resolve) => void one.stream.once('close', resolve))
  sessions[0]?.session.terminate('the agent has ended')
  await closed
  t.ok(await echoes(two.stream, 'hello'))
})
