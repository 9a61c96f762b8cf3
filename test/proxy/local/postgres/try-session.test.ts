import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { WebSocketServer } from 'ws'
import { trySession } from '../../../../proxy/local/postgres/try-session.ts'
import { waitUntil } from '../../../wait-until.ts'
import { type FakeBroker, startFakeBroker } from '../fake-broker.ts'

const startup = { user: 'sallyport', database: 'shop', application_name: 'sallyport connect' }

const asked = {
  bearer: 'bearer-of-alice',
  resourceId: 'orders',
  level: undefined,
  protocol: 'postgres',
  tool: 'sallyport connect',
  openPort: false,
}

async function open(t: Test): Promise<{ broker: FakeBroker; ask: () => Promise<void> }> {
  const broker = await startFakeBroker(t)
  return { broker, ask: () => trySession({ ...asked, server: broker.url }, startup) }
}

t.test('who is let in leaves at once', async (t) => {
  const { broker, ask } = await open(t)
  await ask()
  t.same(broker.startups, [startup])
  t.same(broker.asked, [
    { query: { resource: 'orders', tool: 'sallyport connect' }, authorization: 'Bearer bearer-of-alice' },
  ])
  await waitUntil(() => broker.sockets.size === 0, 'the session has ended')
})

t.test('a denial in the answer to the startup message is an error with its code, reason and hint', async (t) => {
  const { broker, ask } = await open(t)
  broker.deny = { sqlstate: '28000', code: 'GRANT_DENIED', message: 'you hold no grant', hint: 'sallyport request' }
  await t.rejects(ask(), { code: 'GRANT_DENIED', message: 'you hold no grant', hint: 'sallyport request' })
  await waitUntil(() => broker.sockets.size === 0, 'nothing is left behind')
})

t.test('so is a denial of the websocket', async (t) => {
  const { broker, ask } = await open(t)
  broker.refuse = { status: 403, body: '{"code":"PRINCIPAL_LOCKED","detail":"locked"}' }
  await t.rejects(ask(), { code: 'PRINCIPAL_LOCKED', message: 'locked' })
})

t.test('a broker that hangs up without an answer is unreachable', async (t) => {
  const broker = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  t.teardown(() => broker.close())
  await once(broker, 'listening')
  broker.on('connection', (socket) => socket.on('message', () => socket.close(1000)))
  const { port } = broker.address() as AddressInfo
  await t.rejects(trySession({ ...asked, server: `http://127.0.0.1:${port}` }, startup), {
    code: 'STORE_UNAVAILABLE',
    message: 'the broker closed the connection before it answered',
  })
})
