/**
 * The client's side of a PostgreSQL session up to the point where it is known who asks for what: we are the server
 * (PostgreSQL documentation, "Message Flow", "Start-up"). Two ways in: the protocol port, with TLS and a connect token, and
 * a websocket, whose other end is the local proxy and signed in already.
 */

import type { Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import type { Duplex } from 'node:stream'
import type { SecureContext } from 'node:tls'
import { BrokerError, type ClientOrigin, type Doorman, type Identity } from '../../session.ts'
import { ClientLeft, ClientLine } from '../../streams/client-line.ts'
import { endWith } from '../../streams/farewell.ts'
import { encodeNegotiateProtocolVersion } from '../../wire/postgres/encode.ts'
import { newestMinor } from '../../wire/postgres/messages.ts'
import { errorResponse, toBrokerError } from '../errors.ts'
import { serverEndPoint } from './channel-binding.ts'
import type { CancelAsk, PostgresClient } from './client.ts'
import { decline, negotiate } from './negotiate.ts'
import { signIn } from './sign-in.ts'
import { readStartup, type Startup } from './startup.ts'

/**
 * A client that came through. Either way the caller owns the stream from here, which may have ended meanwhile. A cancel is
 * answered by ending it ({@link endWith}), alike for right and wrong keys, and not before upstream has heard of it: libpq
 * waits for that. What follows a cancel is dropped.
 */
export type Received =
  | { readonly kind: 'client'; readonly client: PostgresClient }
  | { readonly kind: 'cancel'; readonly ask: CancelAsk; readonly stream: Duplex }

export interface DownstreamDeps {
  readonly doorman: Pick<Doorman, 'scramVerifier' | 'identify' | 'refused' | 'strangerFailed' | 'phase'>
  /** For the log, with the cause of what was not the client's fault. */
  readonly onRefused: (error: BrokerError, client: ClientOrigin) => void
  /** For the whole sign-in. Default 30 s. */
  readonly deadlineMs?: number
}

export interface PortOptions extends DownstreamDeps {
  /** Asked anew for each client, so that a certificate can be renewed. */
  readonly secureContext: () => SecureContext
  /** Pins the port: a token for another resource is refused. */
  readonly resourceId?: string
}

/** What is known of a websocket's client before its first byte. */
export interface KnownClient {
  readonly identity: Identity
  readonly resourceId: string
  readonly level?: string
  readonly client: ClientOrigin
  /** Stands in where the client gives no `application_name`. */
  readonly tool?: string
}

const signInMs = 30_000

/**
 * Receives a client of the protocol port. A sign-in that fails is told to the client as an ErrorResponse (except while TLS
 * is being set up, when it could not be understood), reported to `onRefused` and to `refused` or `strangerFailed`, and its
 * connection is ended: flushed, then destroyed within 2 s. A client that leaves is only destroyed. Never rejects.
 * @param socket fresh from the listener, nothing read
 * @returns undefined when the client was refused or left; nothing is left to do then
 */
export function receiveFromPort(
  socket: Socket,
  client: ClientOrigin,
  options: PortOptions,
): Promise<Received | undefined> {
  return receive(socket, { client }, options, async (line, arrived) => {
    const arrival = await negotiate(line, socket, options.secureContext)
    if (!('tls' in arrival)) return cancel(line, arrival.message, client)
    const startup = readStartup(arrival.message)
    answerVersion(line, startup)
    const binding = serverEndPoint(arrival.tls.getX509Certificate())
    const since = performance.now()
    const identity = await signIn(line, startup.user, client, { doorman: options.doorman, binding })
    arrived({ identity, resourceId: identity.bound?.resourceId ?? '', client })
    const { resourceId, level } = boundTo(identity, options.resourceId)
    options.doorman.phase(kindOf(resourceId), 'identify', (performance.now() - since) / 1000)
    return known(line, startup, { identity, resourceId, level, client })
  })
}

/**
 * Receives a client at the other end of a websocket: no TLS, and no password is asked. Fails as {@link receiveFromPort}.
 * @param stream the caller closes the websocket itself when the stream has closed
 */
export function receiveFromWebsocket(
  stream: Duplex,
  ask: KnownClient,
  deps: DownstreamDeps,
): Promise<Received | undefined> {
  return receive(stream, ask, deps, async (line) => {
    const message = await decline(line)
    if (message.kind === 'cancel') return cancel(line, message, ask.client)
    const startup = readStartup(message)
    answerVersion(line, startup)
    return known(line, startup, ask)
  })
}

async function receive(
  stream: Duplex,
  ask: KnownClient | Pick<KnownClient, 'client'>,
  { doorman, onRefused, deadlineMs = signInMs }: DownstreamDeps,
  steps: (line: ClientLine, arrived: (known: KnownClient) => void) => Promise<Received>,
): Promise<Received | undefined> {
  const line = new ClientLine(stream, deadlineMs)
  let who = ask
  try {
    const received = await steps(line, (known) => {
      who = known
    })
    line.release()
    return received
  } catch (thrown) {
    line.release() // first: a stream with a listener for `readable` does not flow
    if (thrown instanceof ClientLeft) {
      line.destroy()
      return undefined
    }
    const refusal = toBrokerError(thrown)
    if ('identity' in who) doorman.refused(who, refusal)
    else doorman.strangerFailed(refusal.code, who.client)
    onRefused(refusal, who.client)
    if (line.isSpeakable) endWith(line.stream, errorResponse(refusal))
    else line.destroy()
    return undefined
  }
}

function cancel(line: ClientLine, { pid, key }: Omit<CancelAsk, 'origin'>, origin: ClientOrigin): Received {
  line.stream.resume()
  return { kind: 'cancel', ask: { pid, key, origin }, stream: line.stream }
}

function known(line: ClientLine, startup: Startup, ask: KnownClient): Received {
  const { identity, resourceId, level, client: origin } = ask
  const { user: _, tool = ask.tool, ...rest } = startup
  const client = {
    ...rest,
    stream: line.stream,
    ahead: line.takeAhead(),
    origin,
    identity,
    resourceId,
    ...(level === undefined ? {} : { level }),
    ...(tool === undefined ? {} : { tool }),
  }
  return { kind: 'client', client }
}

/** Tells a client that asked for more than we know what there is. Must come before any other message, and at most once. */
function answerVersion(line: ClientLine, { minor, unknownOptions }: Startup): void {
  if (minor <= newestMinor && unknownOptions.length === 0) return
  line.write(encodeNegotiateProtocolVersion(Math.min(minor, newestMinor), unknownOptions))
}

/** @throws BrokerError GRANT_DENIED */
function boundTo({ bound }: Identity, pinned: string | undefined): { resourceId: string; level: string } {
  if (!bound) throw new BrokerError('GRANT_DENIED', 'this port takes connect tokens alone')
  if (pinned !== undefined && pinned !== bound.resourceId)
    throw new BrokerError('GRANT_DENIED', 'the token is for another resource than this port', {
      hint: 'Use the host and port that came with the token.',
    })
  return bound
}

/** Ids of resources begin with their kind: `rds-postgres/111122223333/eu-west-1/orders`. */
function kindOf(resourceId: string): string {
  return resourceId.slice(0, Math.max(0, resourceId.indexOf('/'))) || 'unknown'
}
