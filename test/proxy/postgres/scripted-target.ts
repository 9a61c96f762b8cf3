/** A target that does as a test says: it takes TLS and the startup message, then follows the script. Shares no code with the proxy. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { createSecureContext, TLSSocket } from 'node:tls'
import type { Test } from 'tap'
import { createAuthority } from '../../sandbox/certificates.ts'
import { cstring, int32, message } from './raw-client.ts'

export interface Script {
  /** Instead of answering SSLRequest with `S` and taking TLS. */
  onSslRequest?(socket: Socket): void
  /** After the startup message. */
  onStartup?(socket: TLSSocket, startup: Buffer): void
  /** Once the password came; default: signs in. */
  onPassword?(socket: TLSSocket, password: string): void
  /** Whatever comes after the sign-in. */
  onBytes?(socket: TLSSocket, bytes: Buffer): void
  /** What the broker asks for itself: who serves the session. Left out: refused. */
  onProof?(socket: TLSSocket): void
  onCancel?(socket: TLSSocket, request: Buffer): void
}

export interface Target {
  readonly port: number
  readonly serverName: string
  /** PEM root of its certificate. */
  readonly ca: string
  script: Script
  /** Open now. */
  readonly sockets: Set<Socket>
}

export const signedIn = Buffer.concat([
  message('R', int32(0)),
  message('S', cstring('server_version'), cstring('18.4')),
  message('S', cstring('client_encoding'), cstring('UTF8')),
  message('K', int32(4711), int32(1234)),
  message('Z', Buffer.from('I')),
])

export const fatal = (code: string, text: string) =>
  message('E', cstring('SFATAL'), cstring('VFATAL'), cstring(`C${code}`), cstring(`M${text}`), Buffer.from([0]))

/** A server without pg_stat_activity: the answer to who serves the session. */
const noProof = Buffer.concat([
  message('E', cstring('SERROR'), cstring('C42P01'), cstring('Mno such relation'), Buffer.from([0])),
  message('Z', Buffer.from('I')),
])

export async function startTarget(t: Pick<Test, 'teardown'>, script: Script = {}): Promise<Target> {
  const authority = createAuthority()
  const serverName = 'scripted.example.internal'
  const own = createSecureContext(authority.issue([serverName]))
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}))
    socket.once('close', () => sockets.delete(socket))
    serve(target, socket, own).catch(() => socket.destroy()) // the proxy has dropped the connection
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const { port } = server.address() as AddressInfo
  const target: Target = {
    port,
    serverName,
    ca: authority.cert,
    script,
    sockets,
  }
  return target
}

async function serve(target: Target, socket: Socket, own: ReturnType<typeof createSecureContext>): Promise<void> {
  await once(socket, 'readable')
  if ((socket.read(8) as Buffer | null)?.readInt32BE(4) !== 80877103) return void socket.destroy()
  if (target.script.onSslRequest) {
    socket.resume() // else its end would not be seen
    return target.script.onSslRequest(socket)
  }
  socket.write('S')
  const tls = new TLSSocket(socket, { isServer: true, secureContext: own })
  tls.on('error', () => {})
  const [startup] = (await once(tls, 'data')) as [Buffer]
  if (startup.readInt32BE(4) === 80877102) {
    if (target.script.onCancel) target.script.onCancel(tls, startup)
    else tls.end()
    return
  }
  if (target.script.onStartup) return target.script.onStartup(tls, startup)
  tls.write(message('R', int32(3)))
  const [password] = (await once(tls, 'data')) as [Buffer]
  tls.on('data', (bytes: Buffer) => {
    if (bytes.includes('pg_backend_pid')) {
      if (target.script.onProof) target.script.onProof(tls)
      else tls.write(noProof)
    } else target.script.onBytes?.(tls, bytes)
  })
  if (target.script.onPassword) target.script.onPassword(tls, password.toString('utf8', 5, password.length - 1))
  else tls.write(signedIn)
}
