/** What a target answers reaches the client so that pools act on it. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import pg from 'pg'
import t, { type Test } from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { errorResponse } from '../../proxy/postgres/errors.ts'
import { refusedSignIn } from '../../proxy/postgres/target/target-errors.ts'
import { whenClientLeaves } from '../../proxy/streams/client-leaves.ts'
import { websocketDuplex } from '../../proxy/streams/websocket-stream.ts'
import { decodeErrorFields } from '../../proxy/wire/postgres/decode.ts'
import { rdsPostgres } from '../../src/kinds/rds-postgres/module.ts'
import { startEngine, until } from '../proxy/postgres/engine-fixture.ts'
import { connectRaw, query } from '../proxy/postgres/raw-client.ts'
import { fatal, type Script, signedIn, startTarget } from '../proxy/postgres/scripted-target.ts'
import { ordersId, resource } from '../src/access/access-setup.ts'

const engine = await startEngine()
t.teardown(() => engine.close())

const shown = (state: string, text = 'because') =>
  decodeErrorFields(errorResponse(refusedSignIn(fatal(state, text).subarray(5))).subarray(5))

t.test('F8: states that a pool waits for, or that a client can mend, pass through', (t) => {
  for (const state of [
    '53300',
    '53200',
    '53400',
    '55000',
    '55P03',
    '22023',
    '57P01',
    '57P02',
    '57P03',
    '58000',
    '58030',
  ]) {
    const fields = shown(state, 'sorry, too many clients already')
    t.match(fields, { S: 'FATAL', C: state, D: 'Sallyport error TARGET_REFUSED.' }, state)
    t.match(fields.M, /too many clients already/)
  }
  t.end()
})

t.test('F8: any other keeps the state of our own code', (t) => {
  for (const state of ['28000', '28P01', '42501X', '5330', '53300\u001b', '57014', '', 'XX000', '08006'])
    t.match(shown(state), { C: '28000', D: 'Sallyport error TARGET_REFUSED.' }, state)
  t.match(shown('3D000'), { C: '3D000', D: 'Sallyport error DATABASE_DENIED.' })
  t.end()
})

t.test('F8: through the engine, to a client', async (t) => {
  const target = await startTarget(t, {
    onPassword: (socket) => socket.end(fatal('53300', 'too many clients already')),
  })
  engine.control.route = { port: target.port, serverName: target.serverName, ca: target.ca }
  const client = new pg.Client({ host: '127.0.0.1', port: engine.port, user: 'anyone', database: 'orders' })
  client.on('error', () => {})
  await t.rejects(client.connect(), { code: '53300', message: /too many clients already/ })
})

/** A target that says nothing from some point on, and how far it got. */
const silent: Record<string, (reached: () => void) => Script> = {
  'before TLS': (reached) => ({ onSslRequest: reached }),
  'after the startup message': (reached) => ({ onStartup: reached }),
  'after the password': (reached) => ({ onPassword: reached }),
}

async function startSlow(t: Test, script: Script, connectTimeoutMs?: number) {
  engine.seen.ends.splice(0)
  const target = await startTarget(t, script)
  engine.control.route = {
    port: target.port,
    serverName: target.serverName,
    ca: target.ca,
    ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
  }
  return target
}

t.test('F9: a target may take a minute by default, as long as its setting says otherwise', (t) => {
  const attributes = { endpoint: 'orders.abc.eu-west-1.rds.amazonaws.com', resource_id: 'db-ORDERS' }
  const read = (more: object) => rdsPostgres.target.read(resource(ordersId, { attributes: { ...attributes, ...more } }))
  t.match(read({}), { ok: true, value: { connectTimeoutMs: 60_000 } })
  for (const [text, connectTimeoutMs] of [
    ['1s', 1000],
    ['1500ms', 1500],
    ['5m', 300_000],
  ] as const)
    t.match(read({ connect_timeout: text }), { ok: true, value: { connectTimeoutMs } }, text)
  for (const text of ['999ms', '0s', '301s', '6m', '10', '', 10])
    t.match(read({ connect_timeout: text }), {
      ok: false,
      problems: [{ path: 'connect_timeout', message: 'expected a duration of 1s to 5m' }],
    })
  t.end()
})

t.test('F9: a target that is silent for too long: the client is told how long, and what to do', async (t) => {
  for (const [when, script] of Object.entries(silent)) {
    const target = await startSlow(
      t,
      script(() => {}),
      250,
    )
    const client = new pg.Client({ host: '127.0.0.1', port: engine.port, user: 'anyone', database: 'orders' })
    client.on('error', () => {})
    await t.rejects(
      client.connect(),
      { code: '08001', message: /no answer within 250ms/, hint: /connect_timeout/ },
      when,
    )
    await engine.ended(1)
    t.match(engine.seen.ends, [{ reason: 'open-failed', error: { code: 'TARGET_UNREACHABLE' } }])
    await until(() => target.sockets.size === 0, 'the target was left')
  }
})

t.test('F9: a client that loses patience ends the attempt at once', async (t) => {
  for (const [when, script] of Object.entries(silent)) {
    const reached = Promise.withResolvers<void>()
    const target = await startSlow(t, script(reached.resolve))
    const client = await connectRaw(t, engine.port, { untilReady: false })
    await reached.promise
    client.socket.destroy()
    await engine.ended(1)
    t.match(engine.seen.ends, [{ reason: 'client-closed' }], when)
    await until(() => target.sockets.size === 0, 'the target was left')
    t.same(engine.errors, [])
  }
})

t.test('F9: a websocket whose local client has left is noticed as well', async (t) => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  t.teardown(() => server.close())
  await once(server, 'listening')
  for (const leave of ['close', 'terminate'] as const) {
    const arrived = once(server, 'connection') as Promise<[WebSocket]>
    const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`)
    await once(client, 'open')
    const stream = websocketDuplex((await arrived)[0])
    const left = new Promise<void>((resolve) => whenClientLeaves(stream, resolve))
    client[leave]()
    await left
    t.pass(leave)
  }
})

t.test('F9: a target that wakes up serves the client that waited, and what it sent meanwhile', async (t) => {
  const asleep = Promise.withResolvers<TLSSocket>()
  const bytes: string[] = []
  await startSlow(t, {
    onPassword: asleep.resolve,
    onBytes: (_socket, chunk) => void bytes.push(chunk.toString('latin1')),
  })
  const client = await connectRaw(t, engine.port, { untilReady: false })
  const socket = await asleep.promise
  client.send(query('select 1'))
  client.send(query('select 2'))
  socket.write(signedIn)
  await client.ready(1)
  await until(() => bytes.join('').includes('select 2'), 'both statements')
  t.match(bytes.join(''), /select 1\0.*select 2\0$/s)
  client.socket.destroy()
  await engine.ended(1)
  t.equal(engine.seen.ends[0]?.reason, 'client-closed')
})
