/** What a shell that is open takes of the daemon's memory, beside a relay of websockets that does nothing else; TLS on both legs of either. */
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { WebSocket, WebSocketServer } from 'ws'
import { parse, stringify } from 'yaml'
import { type Leaf, writeLeaf } from '../../sandbox/certificates.ts'
import { startDaemon } from '../../sandbox/daemon.ts'
import { spawnGuarded } from '../../sandbox/guarded-process.ts'
import { freePort } from '../../sandbox/ports.ts'
import { type Sandbox, startSandbox } from '../../sandbox/sandbox.ts'
import { type BenchOptions, gate, type Row } from '../rows.ts'
import { growth, inspectable } from './collected-memory.ts'
import { brokerOf, forEngineers } from './shell-broker.ts'

const mostOfRelay = 1.3

export async function measureMemory({ sessions = 1000, note }: BenchOptions): Promise<Omit<Row, 'bench'>[]> {
  await using closing = new AsyncDisposableStack()
  const sandbox = await startSandbox({ shells: true, gatewayTls: true })
  closing.defer(() => sandbox.close())
  setDefaultCACertificates([...getCACertificates('default'), sandbox.authority.cert])
  const leaf = sandbox.authority.issue(['127.0.0.1'])
  const tls = writeLeaf(sandbox.dir, 'bench', leaf)
  const relay = await ofRelay(sandbox, { leaf, tls }, sessions, note, closing)
  const broker = await ofBroker(sandbox, tls, sessions, note, closing)
  const ratio = broker / relay
  return [
    { case: `memory of one of ${sessions} websockets: bare relay`, unit: 'KB', value: relay },
    {
      ...{ case: `memory of one of ${sessions} shells`, unit: 'KB', value: broker, peer: 'bare relay', ratio },
      ...gate(ratio, mostOfRelay, 'less'),
    },
  ]
}

interface Files {
  readonly cert: string
  readonly key: string
}

async function ofRelay(
  sandbox: Sandbox,
  { leaf, tls }: { readonly leaf: Leaf; readonly tls: Files },
  sessions: number,
  note: BenchOptions['note'],
  closing: AsyncDisposableStack,
): Promise<number> {
  const upstream = createServer({ ...leaf })
  const sockets = new WebSocketServer({ server: upstream, perMessageDeflate: false })
  sockets.on('connection', (socket) => socket.send('$ '))
  upstream.listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  closing.defer(() => {
    upstream.closeAllConnections()
    upstream.close()
  })
  const [port, inspector] = [await freePort(), await freePort()]
  const program = fileURLToPath(new URL('bare-websockets.ts', import.meta.url))
  const { port: upstreamPort } = upstream.address() as AddressInfo
  const args = [program, `${port}`, `${upstreamPort}`, tls.cert, tls.key, sandbox.caFile]
  const child = await spawnGuarded({
    command: process.execPath,
    args,
    stopSignal: 'TERM',
    env: { ...process.env, ...inspectable(inspector) },
  })
  closing.defer(async () => void (await child.stop()))
  await once(child.stdout, 'data')
  const open = async () => {
    const socket = new WebSocket(`wss://127.0.0.1:${port}/`, { perMessageDeflate: false })
    await once(socket, 'message')
    return { close: () => socket.close() }
  }
  return await growth({ pid: child.pid, inspector }, open, sessions, (count) =>
    note(`bare relay: ${count} of ${sessions} websockets`),
  )
}

async function ofBroker(
  sandbox: Sandbox,
  tls: Files,
  sessions: number,
  note: BenchOptions['note'],
  closing: AsyncDisposableStack,
): Promise<number> {
  const files = await sandbox.writeConfig(path.join(sandbox.dir, 'daemon'), forEngineers)
  const url = files.url.replace('http:', 'https:')
  const config = parse(readFileSync(files.configFile, 'utf8')) as { server: object }
  writeFileSync(files.configFile, stringify({ ...config, server: { ...config.server, tls, public_url: url } }))
  sandbox.oidc.allow({ redirectUri: `${url}/callback/oidc` })
  const inspector = await freePort()
  const env = { NODE_EXTRA_CA_CERTS: sandbox.caFile, ...inspectable(inspector) }
  const daemon = await startDaemon(sandbox, { files: { ...files, url }, env })
  closing.defer(async () => void (await daemon.stop()))
  const broker = await brokerOf(sandbox, daemon)
  return await growth({ pid: daemon.pid, inspector }, broker.open, sessions, (count) =>
    note(`broker: ${count} of ${sessions} shells`),
  )
}
