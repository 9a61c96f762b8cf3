/**
 * The server process behind a connection (PostgreSQL documentation, "pg_stat_activity"), and how to end it. Names are qualified
 * throughout: a client may set `search_path` at startup.
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { Wire } from '../../reach/reach.ts'
import { answeredByReader, readerHint } from '../../relay/target-limits.ts'
import { BrokerError, type EngineFacts } from '../../session.ts'
import { toTargetError } from '../../streams/dial-errors.ts'
import { terminate } from '../../wire/postgres/encode.ts'
import { TargetRefusal } from '../target-refusal.ts'
import { askRow } from './ask-row.ts'
import { openUpstream, type SignIn, type Upstream } from './upstream.ts'

/** What tells one server process from every other: pids are used again, and so are addresses. Instants are UTC, to the microsecond. */
export interface Backend {
  readonly pid: string
  readonly startedAt: string
  readonly serverStartedAt: string
}

const endingAgainMs = 50

/**
 * Asks the server who serves this connection, before the client is let in: one round trip.
 * @returns undefined where the answer proves nothing: a pooler's pid is not that of the process it uses now
 * @throws BrokerError TARGET_REFUSED by a reader where a writer is due, and what {@link askRow} throws
 */
export async function learnBackend(
  upstream: Upstream,
  { isPooled = false, isWriter = false }: Pick<EngineFacts, 'isPooled' | 'isWriter'>,
  signal: AbortSignal,
): Promise<{ readonly upstream: Upstream; readonly backend: Backend | undefined }> {
  if (isPooled) return { upstream, backend: undefined }
  const { row, passing, ahead } = await askRow(upstream, ownBackend, signal)
  if (isWriter && row?.[3] === 't') throw refuseReader(upstream)
  const greeting = Buffer.concat([upstream.greeting, passing])
  return { upstream: { ...upstream, greeting, ahead }, backend: row && toBackend(row, upstream.pid) }
}

/** cannot_connect_now: pools try again. */
function refuseReader({ stream }: Upstream): TargetRefusal {
  stream.destroy()
  return new TargetRefusal('57P03', answeredByReader, { hint: readerHint })
}

function toBackend([pid, startedAt, serverStartedAt]: readonly (string | null)[], keyPid: number): Backend | undefined {
  if (!pid || !startedAt || !serverStartedAt || pid !== String(keyPid)) return undefined
  return { pid, startedAt, serverStartedAt }
}

/**
 * Signs in to the same address as the same user and ends the process, if server and process are those that were learnt. Resolves
 * when there is no such process any more.
 * @param signIn for a connection of its own
 * @throws BrokerError TARGET_UNREACHABLE, TARGET_UNTRUSTED, TARGET_REFUSED, TARGET_LOST, DATABASE_DENIED, and what the lease throws
 */
export async function endBackend(wire: Wire, backend: Backend, signIn: SignIn): Promise<void> {
  const upstream = await openUpstream(wire, signIn)
  try {
    for (;;) {
      const { row } = await askRow(upstream, ending(backend), signIn.signal)
      if (!row) throw new BrokerError('TARGET_REFUSED', 'it did not end the session’s process')
      const [serverStartedAt, isSignalled] = row
      if (serverStartedAt !== backend.serverStartedAt)
        throw new BrokerError('TARGET_REFUSED', 'another server, or a restarted one, answers at its address')
      if (isSignalled === null) return
      await wait(endingAgainMs, undefined, { signal: signIn.signal })
    }
  } catch (error) {
    throw toTargetError(error) // a wait that was aborted
  } finally {
    upstream.stream.end(terminate)
    upstream.stream.resume().setTimeout(1000, () => upstream.stream.destroy())
  }
}

const instant = (of: string) =>
  `pg_catalog.to_char(pg_catalog.timezone('UTC'::pg_catalog.text, ${of}), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`
const serverStart = instant('pg_catalog.pg_postmaster_start_time()')
const equals = 'OPERATOR(pg_catalog.=)'

/** The first statement lifts a client's time-out for the second: both are one transaction. */
const ownBackend =
  `SELECT pg_catalog.set_config('statement_timeout', '0', true); ` +
  `SELECT pid, ${instant('backend_start')}, ${serverStart}, pg_catalog.pg_is_in_recovery() FROM pg_catalog.pg_stat_activity ` +
  `WHERE pid ${equals} pg_catalog.pg_backend_pid()`

/** One statement looks and ends, so that the pid cannot be given to another process in between. */
function ending({ pid, startedAt, serverStartedAt }: Backend): string {
  if (![startedAt, serverStartedAt].every(isInstant) || !/^[0-9]{1,10}$/.test(pid))
    throw new BrokerError('INTERNAL', 'the process to end is not named as the server named it')
  return (
    `SELECT ${serverStart}, (SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity ` +
    `WHERE pid ${equals} ${pid} AND usename ${equals} current_user AND ${instant('backend_start')} ${equals} '${startedAt}' ` +
    `AND ${serverStart} ${equals} '${serverStartedAt}')`
  )
}

/** Read back from the store, and put into a statement. */
function isInstant(text: string): boolean {
  return /^[0-9]{4,6}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$/.test(text)
}
