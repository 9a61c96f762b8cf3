/** What a client does while the broker owes it an answer of its own. */
import t from 'tap'
import { quietFor, waitUntil } from '../../wait-until.ts'
import { startEcho } from './echo-house.ts'

const house = await startEcho(t)
const { seen, target } = house

t.beforeEach(async () => {
  await waitUntil(() => target.sockets.size + house.sockets.size === 0, 'the test before has left nothing')
  house.own.lookUp = async (word) => `own: ${word}`
  for (const list of [seen.entries, seen.ends, seen.asks, target.lines]) list.length = 0
})

for (const [what, lines, heard] of [
  ['an answer of the target', ['slow', 'own A', 'one'], ['the secret', 'slow']],
  ['what it looks up', ['own A', 'one'], ['the secret']],
] as const)
  t.test(`a client that leaves is noticed while the broker waits for ${what}`, async (t) => {
    house.own.lookUp = () => new Promise(() => {})
    const client = await house.open()
    await client.hears('welcome')
    client.say(...lines)
    await waitUntil(() => target.lines.length === heard.length, 'the target hears what is its own')
    client.say('two')
    client.socket.end()
    await house.ended(1)
    t.match(seen.ends, [{ reason: 'client-closed' }])
    t.strictSame(
      target.lines.filter((line) => line !== 'quit' && line !== 'cancel'),
      heard,
    )
  })

t.test('of what is sent meanwhile a little is read, and it goes on afterwards, in order', async (t) => {
  const looked = Promise.withResolvers<string>()
  house.own.lookUp = () => looked.promise
  const client = await house.open()
  await client.hears('welcome')
  const lines = Array.from({ length: 1500 }, (_, i) => `${i} ${'x'.repeat(2000)}`)
  client.say('own A')
  await waitUntil(() => target.lines.length === 1, 'the session has begun')
  client.say(...lines)
  const [socket] = house.sockets
  await waitUntil(() => (socket?.bytesRead ?? 0) > 64 * 1024, 'a little is read')
  await quietFor(50, 'and no more')
  t.ok((socket?.bytesRead ?? 0) < 1024 * 1024, `${socket?.bytesRead} bytes`)
  t.strictSame(target.lines, ['the secret'])
  looked.resolve('found')
  await waitUntil(() => target.lines.length === lines.length + 1, 'the target has all', 60_000)
  t.strictSame(target.lines.slice(1), lines)
  t.ok(client.heard().startsWith('welcome echo_ro\nfound\necho: 0 '))
  client.socket.destroy()
  await house.ended(1)
})
