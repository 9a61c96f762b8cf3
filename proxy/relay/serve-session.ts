import { performance } from 'node:perf_hooks'
import type { Duplex } from 'node:stream'
import { formatDuration } from '../duration.ts'
import {
  BrokerError,
  type ClientOrigin,
  defaultConnectMs,
  type EndNotice,
  type EndReason,
  type Lease,
  type SessionOutcome,
  type SessionPermit,
} from '../session.ts'
import { whenClientLeaves } from '../streams/client-leaves.ts'
import { ClientLeft } from '../streams/client-line.ts'
import { endWith } from '../streams/farewell.ts'
import type { Conversation, ConversationParts } from './conversation.ts'
import { openPermit } from './open-permit.ts'
import type { KnownClient, ProtocolParts } from './protocol.ts'
import { Relay } from './relay.ts'
import type { Target } from './target.ts'
import { toBrokerError, type Words } from './words.ts'

/** A client that has signed in and waits for its session to open. */
export interface SignedInClient extends KnownClient {
  /** Plaintext side of TLS, a websocket, or the bare socket. */
  readonly stream: Duplex
  /** Bytes that arrived after the sign-in; the first to relay. */
  readonly ahead: Buffer
  /** How this client is told why its session does not open, where that depends on its sign-in. Left out: the engine's. */
  readonly words?: Words
}

/** A session whose target has signed us in. */
export interface Connected {
  readonly target: Target
  /** For the session's row and its end event: database, database user … */
  readonly detail: Readonly<Record<string, string>>
  /** Called once the session has started. @param cancel stops the running statement, if one runs */
  begin(cancel: (from: ClientOrigin) => Promise<boolean>): {
    /** Sent to the client now. */
    readonly greeting: Buffer
    /** Cancel requests are ignored from now on. */
    end(): void
  }
  converse(parts: ConversationParts): Conversation
}

/** What a protocol adds to a session, apart from its sign-in. */
export interface Engine<Client extends SignedInClient> {
  readonly protocol: string
  readonly words: Words
  /**
   * Connects and signs in to the target.
   * @param lease the credential, fetched while it connects
   * @param signal aborts when the permit is cut, the client disconnects, or the time is up
   * @throws BrokerError TARGET_UNREACHABLE, TARGET_UNTRUSTED, TARGET_REFUSED, TARGET_LOST, DATABASE_DENIED, what `lease` throws
   */
  connect(client: Client, permit: SessionPermit, lease: Promise<Lease>, signal: AbortSignal): Promise<Connected>
}

type Parts = Pick<ProtocolParts, 'host' | 'onError' | 'now'>

/**
 * A session from the moment its client is known: permit, target, relay, end.
 * @returns once the client has disconnected: why its session ended; undefined: it never had one. Never rejects
 */
export async function serveSession<Client extends SignedInClient>(
  parts: Parts,
  engine: Engine<Client>,
  client: Client,
): Promise<EndReason | undefined> {
  const permit = await admit(parts, engine, client)
  if (!permit) return undefined
  const outcome = await run(parts, engine, client, permit)
  await parts.host.end(permit, outcome)
  await flushed(client.stream)
  return outcome.reason
}

async function admit<Client extends SignedInClient>(
  { host, onError }: Parts,
  engine: Engine<Client>,
  client: Client,
): Promise<SessionPermit | undefined> {
  const { stream, words = engine.words } = client
  try {
    return await openPermit(host, engine.protocol, client)
  } catch (error) {
    if (!(error instanceof BrokerError)) onError(error, '')
    endWith(stream, words.error(toBrokerError(error)))
    await flushed(stream)
    return undefined
  }
}

/** Never rejects. */
async function run<Client extends SignedInClient>(
  parts: Parts,
  engine: Engine<Client>,
  client: Client,
  permit: SessionPermit,
): Promise<SessionOutcome> {
  let connected: Connected
  try {
    connected = await connect(parts, engine, client, permit)
  } catch (thrown) {
    return failedToOpen(parts, engine, client, permit, thrown)
  }
  const { host, now } = parts
  const { target, detail } = connected
  let begun: ReturnType<Connected['begin']> | undefined
  try {
    const relay = new Relay({
      client: client.stream,
      ahead: client.ahead,
      target,
      permit,
      words: client.words ?? engine.words,
      counts: host.reports.of(permit.kind),
      now,
      converse: connected.converse,
      leaseToEnd: () => host.leaseToEnd(permit),
      watchEnd: (onMoved) => host.watchEnd(permit, onMoved),
    })
    begun = connected.begin(cancels(parts, relay, target, permit))
    await host.started(permit, detail)
    client.stream.write(begun.greeting)
    return await relay.run()
  } catch (thrown) {
    target.stream.destroy()
    return failedToOpen(parts, engine, client, permit, thrown)
  } finally {
    begun?.end()
  }
}

async function connect<Client extends SignedInClient>(
  { host }: Parts,
  engine: Engine<Client>,
  client: Client,
  permit: SessionPermit,
): Promise<Connected> {
  permit.signal.throwIfAborted()
  const since = performance.now()
  const lease = host.lease(permit)
  lease.catch(() => {}) // the engine reports it, unless the connection fails first
  const timeoutMs = permit.engine?.connectTimeoutMs ?? defaultConnectMs
  const attempt = new AbortController()
  const onCut = () => attempt.abort(permit.signal.reason)
  permit.signal.addEventListener('abort', onCut)
  const stopWatching = whenClientLeaves(client.stream, () => attempt.abort(new ClientLeft()))
  let isLate = false
  const timer = setTimeout(() => {
    isLate = !attempt.signal.aborted
    attempt.abort()
  }, timeoutMs)
  try {
    const perSecond = permit.engine?.signInsPerSecond
    const { resourceId } = permit
    if (perSecond !== undefined)
      await host.pace.turn({ resourceId, perSecond, mostMs: timeoutMs / 2, signal: attempt.signal })
    const connected = await engine.connect(client, permit, lease, attempt.signal)
    host.doorman.phase(permit.kind, 'upstream', (performance.now() - since) / 1000)
    return connected
  } catch (error) {
    if (attempt.signal.reason instanceof ClientLeft) throw attempt.signal.reason
    throw isLate ? timedOut(timeoutMs, error) : error
  } finally {
    clearTimeout(timer)
    permit.signal.removeEventListener('abort', onCut)
    stopWatching()
  }
}

function timedOut(ms: number, cause: unknown): BrokerError {
  const hint = 'If the target was paused, try again in a minute; if it needs longer, raise its connect_timeout.'
  return new BrokerError('TARGET_UNREACHABLE', `no answer within ${formatDuration(ms)}`, { hint, cause })
}

function failedToOpen<Client extends SignedInClient>(
  { now }: Parts,
  engine: Engine<Client>,
  client: Client,
  permit: SessionPermit,
  thrown: unknown,
): SessionOutcome {
  const words = client.words ?? engine.words
  const nothing = { bytesUp: 0, bytesDown: 0 }
  if (permit.signal.aborted) {
    const notice = permit.signal.reason as EndNotice
    endWith(client.stream, words.cut(notice))
    return { ...nothing, reason: notice.reason, stoppedAt: now() }
  }
  if (thrown instanceof ClientLeft) {
    endWith(client.stream)
    return { ...nothing, reason: 'client-closed' }
  }
  const error = toBrokerError(thrown)
  endWith(client.stream, words.error(error))
  return { ...nothing, reason: 'open-failed', error }
}

/**
 * Cancels of one session, one at a time: what is asked while one is on its way shares the next, so that a client cannot have the target
 * dialled without limit. One that arrives while nothing runs would hit the next statement.
 * @returns answers whether a cancel may come from there
 */
function cancels(
  { host, onError }: Parts,
  relay: Relay,
  target: Target,
  { sessionId }: SessionPermit,
): (from: ClientOrigin) => Promise<boolean> {
  let last = Promise.resolve()
  let next: Promise<void> | undefined
  const send = async (from: ClientOrigin): Promise<void> => {
    next = undefined
    if (!relay.isBusy) return
    host.doorman.cancelled(sessionId, from)
    await target.cancel()
  }
  return async (from) => {
    if (!(await host.doorman.mayCancel(sessionId, from))) return false
    next ??= last = last.then(() => send(from)).catch((error: unknown) => onError(error, sessionId))
    await next
    return true
  }
}

/** Waits until the client's last bytes are flushed or it has disconnected; the farewell has a deadline of its own. */
async function flushed(stream: Duplex): Promise<void> {
  if (stream.destroyed || stream.writableFinished) return
  const { promise, resolve } = Promise.withResolvers<void>()
  stream.once('finish', resolve).once('close', resolve)
  await promise
}
