/** Who serves a session at its target, and how that is ended: by KILL from a second connection, on proof. */
import { setTimeout as wait } from 'node:timers/promises'
import type { Wire } from '../../reach/reach.ts'
import { answeredByReader, readerHint } from '../../relay/target-limits.ts'
import { BrokerError, type EngineFacts } from '../../session.ts'
import { toTargetError } from '../../streams/dial-errors.ts'
import { quit } from '../../wire/mysql/encode.ts'
import { encodePacket } from '../../wire/mysql/packets.ts'
import { MysqlRefusal } from '../mysql-refusal.ts'
import { askRow } from './ask-row.ts'
import { sessionAttribute } from './login.ts'
import { openUpstream, type SignIn, type Upstream } from './upstream.ts'

/** What tells one thread from every other. Servers number theirs from 1 at each start. */
export interface ServerThread {
  readonly id: number
  /** `server_id` is the same on some clusters' members, so the name of the machine is part of it. */
  readonly server: string
  readonly sessionId: string
  /** What proves that a thread is the session's: our attribute, or where the server keeps none, address and port of our side. */
  readonly proof: { readonly by: 'attribute' } | { readonly by: 'origin'; readonly origin: string }
}

/** What KILL does: stops the statement that runs, or ends the thread too. */
type KillKind = 'query' | 'connection'

const againMs = 50
const noSuchThread = 1094
const serverName = "CONCAT(@@global.server_id, ' ', @@global.hostname)"

/** Readers of Aurora have the second, replicas the first. */
const readsOnly = '@@global.read_only + @@global.innodb_read_only'

const originOf = (id: string) => `(SELECT p.HOST FROM information_schema.PROCESSLIST p WHERE p.ID = ${id})`
const attributeOf = (id: string) =>
  `(SELECT a.ATTR_VALUE FROM performance_schema.session_account_connect_attrs a ` +
  `WHERE a.PROCESSLIST_ID = ${id} AND a.ATTR_NAME = '${sessionAttribute}')`

/** What the server says of a connection. */
export interface LearntThread {
  /** Undefined where the answer proves nothing: a pooler's thread is not the one that it uses now. */
  readonly thread?: ServerThread
  /** Status flags, as what the server itself runs for each connection has left them. */
  readonly status?: number | undefined
}

/**
 * Asks the server who serves this connection, before the client is let in: one round trip.
 * @throws BrokerError TARGET_REFUSED by a reader where a writer is due, and what {@link askRow} throws
 */
export async function learnThread(
  upstream: Upstream,
  sessionId: string,
  { isPooled = false, isWriter = false }: Pick<EngineFacts, 'isPooled' | 'isWriter'>,
  signal: AbortSignal,
): Promise<LearntThread> {
  const own = 'CONNECTION_ID()'
  const asked = [own, serverName, originOf(own), attributeOf(own), ...(isWriter ? [readsOnly] : [])]
  const { row, status } = await askRow(upstream, `SELECT ${asked.join(', ')}`, signal)
  const [id, server, origin, attribute, isReader = '0'] = row ?? []
  if (isReader !== '0') throw refuseReader(upstream)
  if (isPooled || !id || !server || Number(id) !== upstream.greeting.threadId) return { status }
  const thread = { id: Number(id), server, sessionId }
  if (attribute === sessionId) return { thread: { ...thread, proof: { by: 'attribute' } }, status }
  if (!origin || !/:\d{1,5}$/.test(origin)) return { status }
  return { thread: { ...thread, proof: { by: 'origin', origin } }, status }
}

/** ER_OPTION_PREVENTS_STATEMENT: what the first statement that writes would be told. */
function refuseReader({ stream }: Upstream): MysqlRefusal {
  stream.destroy()
  const number = { number: 1290, state: 'HY000' }
  return new MysqlRefusal('TARGET_REFUSED', number, answeredByReader, { hint: readerHint })
}

/**
 * Signs in to the same address as the same user, and stops what the thread runs, or ends it; a thread that is ended is gone when
 * this resolves.
 * @param signIn for a connection of its own
 * @throws BrokerError TARGET_UNREACHABLE, TARGET_UNTRUSTED, TARGET_REFUSED, TARGET_LOST, and what the lease throws
 */
export async function killThread(wire: Wire, thread: ServerThread, kind: KillKind, signIn: SignIn): Promise<void> {
  const upstream = await openUpstream(wire, signIn)
  const { signal } = signIn
  try {
    if (!(await isThere(upstream, thread, signal))) return
    const { error } = await askRow(upstream, `KILL ${kind === 'query' ? 'QUERY' : 'CONNECTION'} ${thread.id}`, signal)
    if (error && error.number !== noSuchThread)
      throw new BrokerError('TARGET_REFUSED', `it did not end the session’s thread (${error.number})`)
    while (kind === 'connection' && (await isThere(upstream, thread, signal)))
      await wait(againMs, undefined, { signal })
  } catch (error) {
    throw toTargetError(error) // a wait that was aborted
  } finally {
    upstream.stream.end(encodePacket(0, quit))
    upstream.stream.resume().setTimeout(1000, () => upstream.stream.destroy())
  }
}

/**
 * A thread that is ending is listed for a moment without its attributes, as one of another client would be: it is looked at again.
 * @throws BrokerError TARGET_REFUSED when another server answers, or another session has the number
 */
async function isThere(upstream: Upstream, thread: ServerThread, signal: AbortSignal): Promise<boolean> {
  for (let looksLeft = 20; ; looksLeft -= 1) {
    const found = await lookFor(upstream, thread, signal)
    if (found !== 'unknown') return found === 'ours'
    if (looksLeft === 0) throw new BrokerError('TARGET_REFUSED', 'another session has the number of its thread now')
    await wait(againMs, undefined, { signal })
  }
}

/** @throws BrokerError TARGET_REFUSED */
async function lookFor(upstream: Upstream, thread: ServerThread, signal: AbortSignal) {
  const id = String(thread.id)
  const { row } = await askRow(upstream, `SELECT ${serverName}, ${originOf(id)}, ${attributeOf(id)}`, signal)
  if (!row) throw new BrokerError('TARGET_REFUSED', 'it does not say which threads it has')
  const [server, origin, attribute] = row
  if (server !== thread.server) throw new BrokerError('TARGET_REFUSED', 'another server answers at its address')
  if (origin === null) return 'gone'
  const { proof } = thread
  if (proof.by === 'attribute' ? attribute === thread.sessionId : origin === proof.origin) return 'ours'
  if (proof.by === 'attribute' && attribute === null) return 'unknown'
  throw new BrokerError('TARGET_REFUSED', 'another session has the number of its thread now')
}
