/** Each cancel that a client asks for dials its target: how many of them it gets. */
import t from 'tap'
import { startEcho } from '../proxy/relay/echo-house.ts'
import { origin } from '../proxy/relay/scripted-doorman.ts'
import { waitUntil } from '../wait-until.ts'

const house = await startEcho(t)
const { seen, target, host } = house
const cancel = () => host.doorman.cancel({ protocol: 'echo', id: 1, key: Buffer.alloc(4), origin })
const dialled = () => target.lines.filter((line) => line === 'cancel').length

t.beforeEach(async () => {
  await waitUntil(() => target.sockets.size === 0, 'the target is left by the test before')
  target.lines.length = 0
  seen.cancels = 0
})

async function startSlow() {
  const client = await house.open()
  await client.hears('welcome')
  client.say('slow')
  await waitUntil(() => target.lines.includes('slow'), 'the work has begun')
  return client
}

t.test('B: a hundred cancels at once are one, and those that come while it is on its way are one more', async (t) => {
  const client = await startSlow()
  const many = () => Promise.all(Array.from({ length: 100 }, cancel))
  const first = many()
  await waitUntil(() => seen.cancels === 1, 'the first is sent')
  const answers = [...(await many()), ...(await first)]
  t.same(new Set(answers), new Set([true]), 'a client cannot tell which of them was sent')
  t.equal(seen.cancels, 2, 'told to the log as often as sent')
  await waitUntil(
    () => dialled() === 2,
    () => `${dialled()} cancels arrived`,
  )
  client.socket.destroy()
  await client.closed
})

t.test('B: one after the other, each is sent', async (t) => {
  const client = await startSlow()
  for (const nth of [1, 2, 3]) {
    t.equal(await cancel(), true)
    await waitUntil(
      () => dialled() === nth,
      () => `${dialled()} cancels arrived`,
    )
  }
  client.socket.destroy()
  await client.closed
})

t.test('B: none is sent while nothing runs', async (t) => {
  const client = await house.open()
  await client.hears('welcome')
  t.same(new Set(await Promise.all(Array.from({ length: 100 }, cancel))), new Set([true]))
  t.equal(seen.cancels, 0)
  client.say('quit')
  await client.closed
  t.equal(dialled(), 0)
})
