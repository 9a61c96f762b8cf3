/**
 * The client's side of a MySQL session up to the point where the client and its request are known: we are the server (MySQL
 * documentation, "Connection Phase"). Two ways in: the protocol port, with TLS and a connect token, and a websocket from the
 * local proxy, which has already signed in.
 */
import type { Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import type { Duplex } from 'node:stream'
import { boundTo, kindOf } from '../../relay/bound-to.ts'
import type { KnownClient, PortOptions } from '../../relay/protocol.ts'
import { type ReceivingParts, receiveClient } from '../../relay/receive-client.ts'
import { BrokerError, type ClientOrigin } from '../../session.ts'
import type { ClientLine } from '../../streams/client-line.ts'
import { makeScramble, plugin } from '../../wire/mysql/auth.ts'
import { capability, combine } from '../../wire/mysql/capabilities.ts'
import { encodeGreeting, type Login } from '../../wire/mysql/handshake.ts'
import { WireError } from '../../wire/wire-error.ts'
import { wordsFor } from '../errors.ts'
import type { Told } from '../learnt.ts'
import type { MysqlClient } from './client.ts'
import { PacketLine } from './packet-line.ts'
import { checkLogin, readLogin, requestOf } from './read-login.ts'
import { acceptAny, signIn } from './sign-in.ts'

export const protocol = 'mysql'

/** How a client is greeted. */
export interface Hello {
  readonly threadId: number
  readonly told: Told
}

/** @param resourceId the only one that the client can reach; undefined: not known yet */
type Greet = (stream: Duplex, resourceId: string | undefined) => Hello

export interface DownstreamParts extends ReceivingParts {
  readonly greet: Greet
}

const alpnProtocol = 'mysql'
const autocommit = 0x2

/**
 * Receives a client of the protocol port. Never rejects.
 * @param socket fresh from the listener, nothing read
 * @returns undefined when the client was refused or disconnected; there is nothing more to do
 */
export function receiveFromPort(
  parts: DownstreamParts,
  socket: Socket,
  client: ClientOrigin,
  options: Pick<PortOptions, 'secureContext' | 'resourceId'>,
): Promise<MysqlClient | undefined> {
  const { doorman } = parts.host
  return receive(parts, socket, { client }, async (packets, identified) => {
    const hello = parts.greet(socket, options.resourceId)
    const offered = combine(hello.told.capabilities, capability.tls)
    const scramble = sayHello(packets, hello, offered)
    const login = checkLogin(await startTls(packets, socket, options), offered)
    const since = performance.now()
    const identity = await signIn(packets, { login, scramble }, client, { doorman })
    identified({ identity, resourceId: identity.bound?.resourceId ?? '', client })
    const { resourceId, level } = boundTo(identity, options.resourceId)
    doorman.phase(kindOf(resourceId), 'identify', (performance.now() - since) / 1000)
    return known(packets, hello, login, { identity, resourceId, level, client })
  })
}

/** Receives a client at the other end of a websocket, without TLS, and with any password. Fails like {@link receiveFromPort}. */
export function receiveFromWebsocket(
  parts: DownstreamParts,
  stream: Duplex,
  ask: KnownClient,
): Promise<MysqlClient | undefined> {
  return receive(parts, stream, ask, async (packets) => {
    const hello = parts.greet(stream, ask.resourceId)
    const scramble = sayHello(packets, hello, hello.told.capabilities)
    const message = await readLogin(packets)
    if (message.kind === 'tls') throw new WireError('TLS was not offered')
    const login = checkLogin(message, hello.told.capabilities)
    await acceptAny(packets, { login, scramble })
    return known(packets, hello, login, ask)
  })
}

function receive(
  parts: DownstreamParts,
  stream: Duplex,
  from: KnownClient | { readonly client: ClientOrigin },
  signIn: (packets: PacketLine, identified: (known: KnownClient) => void) => Promise<MysqlClient>,
): Promise<MysqlClient | undefined> {
  let packets: PacketLine | undefined
  const words = wordsFor(() => packets?.sequence ?? 0)
  return receiveClient(stream, from, {
    parts,
    words,
    signIn: (line: ClientLine, identified) => {
      packets = new PacketLine(line)
      return signIn(packets, identified)
    },
  })
}

/** @returns the scramble that it names */
function sayHello(packets: PacketLine, { threadId, told }: Hello, capabilities: number): Buffer {
  const scramble = makeScramble()
  const { version, charset } = told
  const status = autocommit
  packets.write(
    encodeGreeting({ version, threadId, scramble, capabilities, charset, status, plugin: plugin.cachingSha2 }),
  )
  return scramble
}

/**
 * The TLS handshake follows the request at once, perhaps in the same segment: what the socket holds by then is TLS's. Nothing
 * that came before TLS is used.
 */
async function startTls(
  packets: PacketLine,
  socket: Socket,
  { secureContext }: Pick<PortOptions, 'secureContext'>,
): Promise<Login> {
  const first = await readLogin(packets)
  if (first.kind === 'login') throw tlsRequired()
  await packets.line.startTls(socket, secureContext(), alpnProtocol)
  const login = await readLogin(packets)
  if (login.kind === 'tls') throw new WireError('unexpected encryption request')
  return login
}

function known({ line, sequence }: PacketLine, { threadId }: Hello, login: Login, ask: KnownClient): MysqlClient {
  const { tool = ask.tool, ...request } = requestOf(login)
  return {
    ...ask,
    ...request,
    threadId,
    sequence,
    words: wordsFor(() => sequence),
    stream: line.stream,
    ahead: line.takeAhead(),
    ...(tool === undefined ? {} : { tool }),
  }
}

function tlsRequired(): BrokerError {
  const hint = 'Connect with --ssl-mode=VERIFY_IDENTITY, or --ssl-verify-server-cert in clients of MariaDB.'
  return new BrokerError('TLS_REQUIRED', undefined, { hint })
}
