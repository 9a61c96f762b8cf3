/** Our side as a client of the target: TLS that is verified, the IAM token as a cleartext password inside it, nothing else. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { BrokerError } from '../../session.ts'
import { abortError, unlessAborted } from '../../streams/abortable.ts'
import { ServerLine } from '../../streams/server-line.ts'
import { decodeAuthentication, decodeBackend } from '../../wire/postgres/decode.ts'
import { encodeCancel, encodePassword, encodeStartup, sslRequest } from '../../wire/postgres/encode.ts'
import type { TransactionStatus } from '../../wire/postgres/messages.ts'
import type { PostgresRoute } from './route.ts'
import { refusedSignIn, toTargetError } from './target-errors.ts'

/** A signed-in connection to the target, not read beyond the sign-in. */
export interface Upstream {
  readonly socket: TLSSocket
  /** Its ParameterStatus and NoticeResponse messages, as they came. */
  readonly greeting: Buffer
  readonly pid: number
  readonly key: Buffer
  readonly status: TransactionStatus
  /** What came behind the sign-in. */
  readonly ahead: Buffer
  /** Asks the target to stop the running statement: at the same address, since a name may lead elsewhere by now. */
  cancel(): Promise<void>
}

/** Connecting, TLS and sign-in together. */
const signInMs = 10_000
const cancelMs = 5000
/** A server says about a dozen settings, and perhaps a notice. */
const mostGreetingBytes = 256 * 1024

/**
 * @param parameters of the startup message
 * @param signal gives up
 * @throws BrokerError TARGET_UNREACHABLE, TARGET_UNTRUSTED, TARGET_REFUSED, TARGET_LOST, DATABASE_DENIED, and what `route.password` throws
 */
export async function openUpstream(
  route: PostgresRoute,
  parameters: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<Upstream> {
  const given = AbortSignal.any([signal, AbortSignal.timeout(signInMs)])
  const { tcp, tls } = await openTls(route, route.host, given)
  const line = new ServerLine(tls)
  const giveUp = () => tls.destroy(abortError())
  given.addEventListener('abort', giveUp)
  try {
    given.throwIfAborted()
    tls.write(encodeStartup(parameters))
    const opened = await signIn(line, tls, route, given)
    const address = tcp.remoteAddress ?? route.host
    const { pid, key } = opened
    return { socket: tls, ahead: line.takeAhead(), ...opened, cancel: () => sendCancel(route, address, pid, key) }
  } catch (error) {
    tls.destroy()
    throw toTargetError(error)
  } finally {
    given.removeEventListener('abort', giveUp)
    line.release()
  }
}

type SignedIn = Pick<Upstream, 'greeting' | 'pid' | 'key' | 'status'>

async function signIn(line: ServerLine, tls: TLSSocket, route: PostgresRoute, given: AbortSignal): Promise<SignedIn> {
  const greeting: Buffer[] = []
  let greeted = 0
  let pid = 0
  let key: Buffer = Buffer.alloc(4)
  for (;;) {
    const { type, head, body } = await line.readMessage()
    if (type === 'E') throw refusedSignIn(body)
    else if (type === 'R') await answer(body, tls, route, given)
    else if (type === 'S' || type === 'N') {
      greeting.push(head, body)
      greeted += head.length + body.length
      if (greeted > mostGreetingBytes)
        throw new BrokerError('TARGET_REFUSED', 'it does not come to the end of its greeting')
    } else {
      const message = decodeBackend(type.charCodeAt(0), body)
      if (message.kind === 'backend-key-data') {
        pid = message.pid
        key = Buffer.from(message.key)
      } else if (message.kind === 'ready-for-query') {
        return { greeting: Buffer.concat(greeting), pid, key, status: message.status }
      } else throw new BrokerError('TARGET_REFUSED', `it sent a message that is not part of a sign-in (${type})`)
    }
  }
}

/** Cleartext inside TLS is how IAM sign-in works; a server that asks for anything else has it switched off. */
async function answer(body: Buffer, tls: TLSSocket, route: PostgresRoute, given: AbortSignal): Promise<void> {
  const { method } = decodeAuthentication(body)
  if (method === 'ok') return
  if (method !== 'cleartext') {
    const hint = 'Switch IAM authentication on for the database, and grant the role rds_iam to the database user.'
    throw new BrokerError('TARGET_REFUSED', 'it asks for a password of its own, not for an IAM token', { hint })
  }
  tls.write(encodePassword(await unlessAborted(given, route.password())))
}

async function sendCancel(route: PostgresRoute, address: string, pid: number, key: Buffer): Promise<void> {
  const { tls } = await openTls(route, address, AbortSignal.timeout(cancelMs))
  const timer = setTimeout(() => tls.destroy(), cancelMs)
  try {
    tls.on('error', () => {}) // the server closes as its only answer, and may do so with a reset
    tls.resume().write(encodeCancel(pid, key))
    if (!tls.destroyed) await new Promise<void>((resolve) => tls.once('close', () => resolve()))
  } finally {
    clearTimeout(timer)
    tls.destroy()
  }
}

async function openTls(
  route: PostgresRoute,
  host: string,
  signal: AbortSignal,
): Promise<{ tcp: Socket; tls: TLSSocket }> {
  const tcp = connect({ host, port: route.port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 })
  tcp.on('error', () => {}) // whoever waits is told by `once`; nobody waits any more when the session is over
  try {
    await once(tcp, 'connect', { signal })
    await askForTls(tcp, signal)
    const { secureContext, servername } = route
    const tls = connectTls({ socket: tcp, secureContext, servername, rejectUnauthorized: true, minVersion: 'TLSv1.2' })
    tls.on('error', () => {})
    await once(tls, 'secureConnect', { signal })
    return { tcp, tls }
  } catch (error) {
    tcp.destroy()
    throw toTargetError(error)
  }
}

/** One byte, in the clear: what follows it before TLS was put in by somebody between (CVE-2021-23222). */
async function askForTls(tcp: Socket, signal: AbortSignal): Promise<void> {
  const line = new ServerLine(tcp)
  const giveUp = () => tcp.destroy(abortError())
  signal.addEventListener('abort', giveUp)
  try {
    tcp.write(sslRequest)
    const answer = String.fromCharCode((await line.read(1))[0] as number)
    if (answer !== 'S') throw new BrokerError('TARGET_UNTRUSTED', 'it does not offer TLS')
    if (line.hasMore) throw new BrokerError('TARGET_UNTRUSTED', 'it sent unencrypted bytes after its answer')
  } finally {
    signal.removeEventListener('abort', giveUp)
    line.release()
  }
}
