/** Our side as a client of the target: TLS that is verified, the IAM token by mysql_clear_password inside it, nothing else. */
import type { Duplex } from 'node:stream'
import type { SecureContext, TLSSocket } from 'node:tls'
import type { Wire } from '../../reach/reach.ts'
import { BrokerError, type Lease } from '../../session.ts'
import { unlessAborted } from '../../streams/abortable.ts'
import { startClientTls } from '../../streams/client-tls.ts'
import { toTargetError } from '../../streams/dial-errors.ts'
import { overLine } from '../../streams/server-line.ts'
import { encodeClearPassword, plugin } from '../../wire/mysql/auth.ts'
import { capability, combine, framingCapabilities, has, intersect, without } from '../../wire/mysql/capabilities.ts'
import { firstByte } from '../../wire/mysql/encode.ts'
import { decodeGreeting, encodeLogin, encodeTlsRequest, type Greeting, type Login } from '../../wire/mysql/handshake.ts'
import { decodeError, decodeLoginReply, type LoginReply } from '../../wire/mysql/replies.ts'
import { WireError } from '../../wire/wire-error.ts'
import { ServerPackets } from './server-packets.ts'
import { notIam, refusedSignIn } from './target-errors.ts'

/** A signed-in connection to the target, not read beyond the sign-in. */
export interface Upstream {
  readonly stream: TLSSocket
  readonly wire: Wire
  readonly greeting: Greeting
  readonly user: string
  /** Those that both sides have. */
  readonly capabilities: number
  /** Payload of the OK that ended the sign-in. */
  readonly ok: Buffer
}

/** What a sign-in needs besides the wire. */
export interface SignIn {
  readonly serverName: string
  readonly secureContext: SecureContext
  /** What the login says, apart from who signs in and how. */
  login(server: Greeting): Omit<Login, 'user' | 'answer' | 'plugin'>
  /** Fetched while TLS is set up. */
  readonly lease: Promise<Lease>
  /** Aborts the attempt. */
  readonly signal: AbortSignal
}

/**
 * Signs in over an open wire.
 * @throws BrokerError TARGET_UNREACHABLE, TARGET_UNTRUSTED, TARGET_REFUSED, TARGET_LOST, DATABASE_DENIED, UNSUPPORTED, and what
 *   the lease throws
 */
export async function openUpstream(wire: Wire, options: SignIn): Promise<Upstream> {
  const { signal, lease } = options
  const { greeting, login, sequence } = await askForTls(wire.stream, options)
  const tls = await startClientTls(wire.stream, options)
  try {
    return await overLine(tls, signal, async (line) => {
      const { user, secret } = await unlessAborted(signal, lease)
      const packets = new ServerPackets(line, tls, sequence)
      packets.write(encodeLogin({ ...login, user, answer: Buffer.alloc(0), plugin: namedPlugin(greeting) }))
      const ok = await proveIdentity(packets, secret)
      if (line.hasMore) throw new WireError('the server said more than was asked')
      return { stream: tls, wire, greeting, user, capabilities: login.capabilities, ok }
    })
  } catch (error) {
    tls.destroy()
    throw toTargetError(error)
  }
}

interface TlsRequested {
  readonly greeting: Greeting
  readonly login: ReturnType<SignIn['login']>
  /** Of the next packet. */
  readonly sequence: number
}

/** Reads the greeting, and asks for TLS. Whatever else the server sends before TLS was injected on the way. */
async function askForTls(stream: Duplex, { login, signal }: SignIn): Promise<TlsRequested> {
  try {
    return await overLine(stream, signal, async (line) => {
      const packets = new ServerPackets(line, stream)
      const payload = await packets.read()
      if (payload[0] === firstByte.error) throw refusedSignIn(decodeError(payload))
      const greeting = decodeGreeting(payload)
      if (!has(greeting.capabilities, capability.tls))
        throw new BrokerError('TARGET_UNTRUSTED', 'it does not offer TLS')
      packets.checkNothingFollows()
      const asked = login(greeting)
      const shared = intersect(asked.capabilities, greeting.capabilities)
      checkFraming(asked.capabilities, shared)
      const own = { ...asked, capabilities: combine(shared, capability.tls) }
      packets.write(encodeTlsRequest(own))
      return { greeting, login: own, sequence: packets.sequence }
    })
  } catch (error) {
    stream.destroy()
    throw toTargetError(error)
  }
}

/** What the client was promised decides how it reads what the server writes. */
function checkFraming(asked: number, shared: number): void {
  if (without(intersect(asked, framingCapabilities), shared) === 0) return
  const hint =
    'It may have been replaced by another version: connect again. Sallyport needs MySQL 5.7 or MariaDB 10.2, or later.'
  throw new BrokerError('UNSUPPORTED', 'the target lacks protocol features that the client was offered', { hint })
}

/**
 * As ordinary clients do: by the plugin of the greeting, so that a server whose user has another one asks for that. A server that
 * is told the right plugin at once would take the empty answer for the token.
 */
function namedPlugin(greeting: Greeting): string {
  return greeting.plugin === plugin.cachingSha2 ? plugin.cachingSha2 : plugin.native
}

/** The token goes to mysql_clear_password, once, and to nothing else. @returns the payload of the OK */
async function proveIdentity(packets: ServerPackets, secret: string): Promise<Buffer> {
  const asked = decodeLoginReply(await packets.read())
  if (asked.kind === 'error') throw refusedSignIn(asked.error)
  if (asked.kind === 'ok') throw notIam('let the user in without a password')
  if (asked.kind !== 'switch' || asked.plugin !== plugin.clear) throw notIam(howAsked(asked))
  packets.write(encodeClearPassword(secret))
  const answer = decodeLoginReply(await packets.read())
  if (answer.kind === 'error') throw refusedSignIn(answer.error)
  if (answer.kind !== 'ok') throw notIam('asked for something else after the token')
  return answer.payload
}

function howAsked(reply: LoginReply): string {
  if (reply.kind !== 'switch') return 'asked for a password'
  const name = reply.plugin.replace(/[^A-Za-z0-9_-]/g, '?').slice(0, 64)
  return `asked for ${name}`
}
