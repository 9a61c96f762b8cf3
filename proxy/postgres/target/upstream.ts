/** Our side as a client of the target: TLS that is verified, the IAM token as a cleartext password inside it, nothing else. */
import type { Duplex } from 'node:stream'
import type { SecureContext, TLSSocket } from 'node:tls'
import type { Wire } from '../../reach/reach.ts'
import type { Target } from '../../relay/target.ts'
import { BrokerError, type Lease } from '../../session.ts'
import { unlessAborted } from '../../streams/abortable.ts'
import { startClientTls } from '../../streams/client-tls.ts'
import { toTargetError } from '../../streams/dial-errors.ts'
import { dropTls } from '../../streams/drop-tls.ts'
import { overLine, type ServerLine } from '../../streams/server-line.ts'
import { decodeAuthentication, decodeBackend } from '../../wire/postgres/decode.ts'
import { encodeCancel, encodePassword, encodeStartup, sslRequest, terminate } from '../../wire/postgres/encode.ts'
import type { TransactionStatus } from '../../wire/postgres/messages.ts'
import { WireError } from '../../wire/wire-error.ts'
import { refusedSignIn } from './target-errors.ts'

/** A signed-in connection to the target, not read beyond the sign-in. */
export interface Upstream extends Target {
  readonly stream: TLSSocket
  /** Its ParameterStatus and NoticeResponse messages, as they came. */
  readonly greeting: Buffer
  readonly pid: number
  readonly key: Buffer
  readonly status: TransactionStatus
}

/** What a sign-in needs besides the wire. */
export interface SignIn {
  readonly serverName: string
  readonly secureContext: SecureContext
  /** Of the startup message. */
  parameters(user: string): ReadonlyMap<string, string>
  /** Fetched while TLS is set up. */
  readonly lease: Promise<Lease>
  /** Aborts the attempt. */
  readonly signal: AbortSignal
}

const cancelMs = 5000
/** A server sends about a dozen settings, and perhaps a notice. */
export const mostGreetingBytes = 256 * 1024
/** Longest message a server may send before the session is open; its error texts are the longest. */
const maxMessageBytes = 65_536

/**
 * Signs in over an open wire.
 * @throws BrokerError TARGET_UNREACHABLE, TARGET_UNTRUSTED, TARGET_REFUSED, TARGET_LOST, DATABASE_DENIED, and what the lease throws
 */
export async function openUpstream(wire: Wire, options: SignIn): Promise<Upstream> {
  const { signal, lease, parameters } = options
  const tls = await openTls(wire.stream, options)
  try {
    return await overLine(tls, signal, async (line) => {
      const { user, secret } = await unlessAborted(signal, lease)
      tls.write(encodeStartup(parameters(user)))
      const opened = await signIn(line, tls, secret)
      const cancel = () => sendCancel(wire, options, opened)
      const reset = () => dropTls(tls, wire.reset)
      return { stream: tls, ahead: line.takeAhead(), farewell: terminate, ...opened, cancel, reset }
    })
  } catch (error) {
    tls.destroy()
    throw toTargetError(error)
  }
}

type SignedIn = Pick<Upstream, 'greeting' | 'pid' | 'key' | 'status'>

async function signIn(line: ServerLine, tls: TLSSocket, secret: string): Promise<SignedIn> {
  const greeting: Buffer[] = []
  let greeted = 0
  let pid = 0
  let key: Buffer = Buffer.alloc(4)
  for (;;) {
    const { type, head, body } = await readMessage(line)
    if (type === 'E') throw refusedSignIn(body)
    else if (type === 'R') answer(body, tls, secret)
    else if (type === 'S' || type === 'N') {
      greeting.push(head, body)
      greeted += head.length + body.length
      if (greeted > mostGreetingBytes)
        throw new WireError(`more than ${mostGreetingBytes} bytes before the sign-in completed`)
    } else {
      const message = decodeBackend(type.charCodeAt(0), body)
      if (message.kind === 'backend-key-data') {
        pid = message.pid
        key = Buffer.from(message.key)
      } else if (message.kind === 'ready-for-query') {
        return { greeting: Buffer.concat(greeting), pid, key, status: message.status }
      } else throw new WireError(`an unexpected message during sign-in (${type})`)
    }
  }
}

/** One message of a server. @throws WireError for an impossible length, before anything is allocated */
export async function readMessage(line: ServerLine): Promise<{ type: string; head: Buffer; body: Buffer }> {
  const head = await line.read(5)
  const length = head.readUInt32BE(1) - 4
  if (length < 0 || length > maxMessageBytes) throw new WireError('invalid length of a message during sign-in')
  return { type: String.fromCharCode(head[0] as number), head, body: await line.read(length) }
}

/** IAM sign-in uses cleartext inside TLS; a server that asks for anything else has it disabled. */
function answer(body: Buffer, tls: TLSSocket, secret: string): void {
  const { method } = decodeAuthentication(body)
  if (method === 'ok') return
  if (method !== 'cleartext') {
    const hint = 'Enable IAM authentication on the database and grant the role rds_iam to the database user.'
    throw new BrokerError('TARGET_REFUSED', 'it requests a password instead of an IAM token', { hint })
  }
  tls.write(encodePassword(secret))
}

async function sendCancel(wire: Wire, options: SignIn, { pid, key }: SignedIn): Promise<void> {
  const signal = AbortSignal.timeout(cancelMs)
  const tls = await openTls(await wire.again(signal), { ...options, signal })
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

/** @throws BrokerError TARGET_UNREACHABLE, TARGET_UNTRUSTED, TARGET_LOST; the stream is destroyed then */
export async function openTls(
  stream: Duplex,
  options: Pick<SignIn, 'serverName' | 'secureContext' | 'signal'>,
): Promise<TLSSocket> {
  try {
    await askForTls(stream, options.signal)
  } catch (error) {
    stream.destroy()
    throw toTargetError(error)
  }
  return await startClientTls(stream, options)
}

/** The answer is one unencrypted byte: anything more before TLS was injected on the way (CVE-2021-23222). */
async function askForTls(stream: Duplex, signal: AbortSignal): Promise<void> {
  await overLine(stream, signal, async (line) => {
    stream.write(sslRequest)
    const answer = String.fromCharCode((await line.read(1))[0] as number)
    if (answer !== 'S') throw new BrokerError('TARGET_UNTRUSTED', 'it does not offer TLS')
    if (line.hasMore)
      throw new BrokerError('TARGET_UNTRUSTED', 'it sent unencrypted bytes after its answer to the TLS request')
  })
}
