import { once } from 'node:events'
import { type AddressInfo, connect as connectTcp } from 'node:net'
import { connect as connectTls, createServer, type TLSSocket } from 'node:tls'
import t from 'tap'
import { dropTls } from '../../../proxy/streams/drop-tls.ts'
import { createAuthority } from '../../sandbox/certificates.ts'
import { waitUntil } from '../../wait-until.ts'

const openSockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length

const authority = createAuthority()
const servers: TLSSocket[] = []
const server = createServer(authority.issue(['localhost']), (socket) => {
  servers.push(socket.on('error', () => {}))
})
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
t.teardown(() => server.close())
const { port } = server.address() as AddressInfo

async function open() {
  servers.length = 0
  const socket = connectTcp({ host: '127.0.0.1', port })
  const tls = connectTls({ socket, servername: 'localhost', ca: authority.cert })
  tls.on('error', () => {}).resume()
  await once(tls, 'secureConnect')
  await waitUntil(() => servers.length === 1, 'the server has it')
  const [peer] = servers
  if (!peer) throw new Error('no server')
  return { tls, peer, reset: () => void socket.resetAndDestroy() }
}

t.test('what is queued does not arrive', async (t) => {
  const { tls, peer, reset } = await open()
  let bytes = 0
  peer.pause().on('data', (chunk: Buffer) => {
    bytes += chunk.length
  })
  while (tls.write(Buffer.alloc(1024 * 1024)));
  dropTls(tls, reset)
  peer.resume()
  await waitUntil(() => peer.destroyed, 'the server is told')
  t.ok(bytes < 8 * 1024 * 1024)
  await waitUntil(() => openSockets() === 0, 'nothing is left open')
})

t.test('a connection that the other side ends first leaves no descriptor open', async (t) => {
  const { tls, peer, reset } = await open()
  // The stream ends its own side by itself then; what drops it comes a little later, as a cancel does that fails.
  const dropped = once(tls, 'end').then(() => dropTls(tls, reset))
  peer.resume().end()
  await dropped
  await waitUntil(() => openSockets() === 0, 'nothing is left open')
  t.ok(tls.destroyed)
})
