import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { listen } from '../ports/listen.ts'
import { BrokerError } from '../session.ts'
import type { ClientOptions, LocalProtocol } from './local-protocol.ts'

/** A port on this machine whose clients reach one resource. */
export interface LocalPort {
  /** 127.0.0.1, or the socket's directory: what clients take as their host. */
  readonly host: string
  readonly port: number
  /** Takes no more clients, and drops the remaining ones after `graceMs` (default 0). Removes the socket. */
  close(graceMs?: number): Promise<void>
}

export type ListenAt =
  /** Port 0: any free one. */
  | { readonly port: number }
  /** A Unix socket there, named as clients expect it. */
  | { readonly directory: string; readonly port: number }

/** More than any pool on one machine; keeps a runaway program from exhausting the broker. */
const maxClients = 256

/** Listens on loopback only. @throws NodeJS.ErrnoException EADDRINUSE … */
export async function openLocalPort(at: ListenAt, protocol: LocalProtocol, options: ClientOptions): Promise<LocalPort> {
  const serve = protocol.begin(options)
  const clients = new Set<Socket>()
  const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 }, (socket) => {
    clients.add(socket)
    socket.once('close', () => clients.delete(socket))
    void serve(socket)
  })
  server.maxConnections = maxClients
  const path = 'directory' in at ? join(at.directory, protocol.socketName(at.port)) : undefined
  const place = path === undefined ? { host: '127.0.0.1', port: at.port, exclusive: true } : { path }
  await listen(server, place, (cause) =>
    options.onRefusal(new BrokerError('TOO_MANY_SESSIONS', cause.message, { cause })),
  )
  if (path !== undefined) await chmod(path, 0o600)
  return {
    host: 'directory' in at ? at.directory : '127.0.0.1',
    port: 'directory' in at ? at.port : (server.address() as AddressInfo).port,
    close: (graceMs = 0) => close(server, clients, graceMs),
  }
}

/** A folder for Unix sockets that no other user can enter. The caller removes it. */
export async function makeSocketDirectory(env: NodeJS.ProcessEnv): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(env.XDG_RUNTIME_DIR || tmpdir(), 'sallyport-')) // mkdtemp makes it 0700
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}

async function close(server: Server, clients: ReadonlySet<Socket>, graceMs: number): Promise<void> {
  const drop = () => {
    for (const socket of clients) socket.destroy()
  }
  const timer = setTimeout(drop, graceMs)
  if (graceMs === 0) drop()
  await new Promise((resolve) => server.close(resolve))
  clearTimeout(timer)
}
