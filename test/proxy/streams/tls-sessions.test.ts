/** Connections to one server again: the first is verified, the next go on from there, and no longer than they may. */
import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { createSecureContext, createServer, type Server, type TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { startClientTls } from '../../../proxy/streams/client-tls.ts'
import { TlsSessions } from '../../../proxy/streams/tls-sessions.ts'
import { createAuthority } from '../../sandbox/certificates.ts'
import { waitUntil } from '../../wait-until.ts'

const authority = createAuthority('clusters')
const serverName = 'web.example.com'
const pair = authority.issue([serverName, 'other.example.com'])
const minuteMs = 60_000

async function serve(t: Pick<Test, 'teardown'>, options: object = pair): Promise<Server & { port: number }> {
  const open = new Set<TLSSocket>()
  const server = createServer(options, (socket) => {
    open.add(socket.on('error', () => {}))
    socket.write('hello')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of open) socket.destroy()
  })
  return Object.assign(server, { port: (server.address() as AddressInfo).port })
}

function start(t: Pick<Test, 'teardown'>) {
  let now = 0
  const sessions = new TlsSessions(() => now)
  const roots = createSecureContext({ ca: authority.cert })
  const open = async (port: number, name = serverName, secureContext = roots): Promise<boolean> => {
    const stream = connect(port, '127.0.0.1').on('error', () => {})
    t.teardown(() => stream.destroy())
    const signal = AbortSignal.timeout(10_000)
    const tls = await startClientTls(stream, { serverName: name, secureContext, signal, sessions })
    const reused = tls.isSessionReused()
    await once(tls, 'data')
    await waitUntil(() => sessions.find(secureContext, name) !== undefined, 'the server has given one')
    tls.destroy()
    return reused
  }
  return {
    sessions,
    roots,
    open,
    pass: (ms: number) => {
      now += ms
    },
  }
}

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const)
  t.test(`${maxVersion}: the second connection goes on from the first`, async (t) => {
    const { port } = await serve(t, { ...pair, maxVersion })
    const { open } = start(t)
    t.equal(await open(port), false)
    for (let i = 0; i < 3; i += 1) t.equal(await open(port), true)
  })

t.test('each name and each set of roots has its own', async (t) => {
  const { port } = await serve(t)
  const { open } = start(t)
  await open(port)
  t.equal(await open(port, 'other.example.com'), false)
  t.equal(await open(port, serverName, createSecureContext({ ca: authority.cert })), false)
  await t.rejects(open(port, serverName, createSecureContext({ ca: createAuthority('x').cert })), {
    code: 'TARGET_UNTRUSTED',
  })
})

t.test('ten minutes after it was verified the server is verified again, however often it was reached', async (t) => {
  const { port } = await serve(t)
  const { open, pass } = start(t)
  await open(port)
  pass(6 * minuteMs)
  t.equal(await open(port), true)
  pass(4 * minuteMs)
  t.equal(await open(port), false)
  t.equal(await open(port), true)
  pass(-11 * minuteMs)
  t.equal(await open(port), false, 'a clock that was put back')
})

t.test('a server that does not know it is verified as the first was', async (t) => {
  const { open } = start(t)
  await open((await serve(t)).port)
  t.equal(await open((await serve(t)).port), false, 'another that is genuine')
  const forged = createAuthority('forged').issue([serverName])
  await t.rejects(open((await serve(t, forged)).port), { code: 'TARGET_UNTRUSTED' })
})

t.test('one that was refused leaves nothing', async (t) => {
  const { port } = await serve(t, createAuthority('forged').issue([serverName]))
  const { open, sessions, roots } = start(t)
  await t.rejects(open(port), { code: 'TARGET_UNTRUSTED' })
  await waitUntil(() => sessions.find(roots, serverName) === undefined, 'nothing is kept')
})
