/** B2: every queue is bounded in bytes, whichever side stops reading. */
import { mock } from 'node:test'
import t from 'tap'
import { Backlog } from '../../proxy/relay/backlog.ts'
import type { BrokerError } from '../../proxy/session.ts'
import { startEngine } from '../proxy/postgres/engine-fixture.ts'
import { bind, connectRaw, execute, message, parse, query, type RawClient, sync } from '../proxy/postgres/raw-client.ts'
import { startTarget } from '../proxy/postgres/scripted-target.ts'
import { quietFor, waitUntil } from '../wait-until.ts'

const engine = await startEngine()
t.teardown(() => engine.close())
const megabyte = 1024 * 1024

/** Sends on and on. @returns bytes that the broker took before it took no more */
async function taken(client: RawClient, one: Buffer, atMost: number): Promise<number> {
  const before = engine.relayed().up
  for (let sent = 0; sent < atMost; sent += one.length) client.socket.write(one)
  let last = -1
  await waitUntil(
    async () => {
      const now = engine.relayed().up
      const isStill = now === last
      last = now
      await quietFor(300, 'two looks that see the same')
      return isStill
    },
    'it takes no more',
    60_000,
  )
  return last - before
}

const padding = `/* ${'x'.repeat(60_000)} */`
const shapes = {
  'Parse without Sync': parse('', `SELECT 1 ${padding}`),
  'Bind and Execute without Sync': Buffer.concat([bind('', 'long', [Buffer.alloc(60_000, 'x')]), execute('')]),
  'Bind without Execute': bind('', 'long', [Buffer.alloc(60_000, 'x')]),
}

for (const [shape, one] of Object.entries(shapes))
  t.test(`B2: a client that reads nothing and sends ${shape}`, async (t) => {
    const client = await connectRaw(t, engine.port)
    client.send(parse('long', 'SELECT $1::bytea'), sync)
    await client.ready(2)
    client.socket.pause()
    const bytes = await taken(client, one, 120 * megabyte)
    t.ok(bytes < 100 * megabyte, `${Math.round(bytes / megabyte)} MB were taken`)
    const ends = engine.seen.ends.length
    await engine.cut()
    await engine.ended(ends + 1)
  })

t.test('B2: a target that reads nothing, while its client sends statements and the data of a COPY', async (t) => {
  const target = await startTarget(t, { onBytes: (socket) => void socket.pause() })
  engine.control.route = { port: target.port, serverName: target.serverName, ca: target.ca }
  t.teardown(() => {
    engine.control.route = {}
  })
  const copied = message('d', Buffer.alloc(60_000, 'x'))
  for (const [what, one] of Object.entries({ statements: query(`SELECT 1 ${padding}`), data: copied })) {
    const client = await connectRaw(t, engine.port)
    if (what === 'data') client.send(query('COPY t FROM STDIN'))
    const bytes = await taken(client, one, 60 * megabyte)
    t.ok(bytes < 30 * megabyte, `${what}: ${Math.round(bytes / megabyte)} MB were taken`)
    const ends = engine.seen.ends.length
    await engine.cut()
    await engine.ended(ends + 1)
  }
})

t.test('B2: a full backlog pauses, goes on at half, and ends the session when nothing moves', async (t) => {
  mock.timers.enable()
  t.teardown(() => mock.timers.reset())
  const errors: BrokerError[] = []
  const backlog = new Backlog((error) => errors.push(error))
  backlog.grew(100_000, 64 * megabyte)
  t.equal(backlog.isFull, false, 'just full enough')
  backlog.grew(1, 64 * megabyte + 1)
  t.equal(backlog.isFull, true)
  t.equal(backlog.shrank(1, 33 * megabyte), false)
  t.equal(backlog.shrank(1, 31 * megabyte), true)
  mock.timers.tick(400_000)
  t.same(errors, [], 'it moved')
  backlog.grew(100_001, 0)
  mock.timers.tick(300_000)
  t.match(errors, [{ code: 'LIMIT_REACHED', hint: /Sync/ }])
})
