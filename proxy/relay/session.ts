import { performance } from 'node:perf_hooks'
import type { Duplex } from 'node:stream'
import { CancelRegistry } from '../postgres/cancel-registry.ts'
import { cutResponse, errorResponse, toBrokerError } from '../postgres/errors.ts'
import type { Engine } from '../postgres/serve.ts'
import type { CancelAsk, PostgresClient } from '../postgres/sign-in/client.ts'
import type { PostgresDial, PostgresRoute } from '../postgres/target/route.ts'
import { openUpstream, type Upstream } from '../postgres/target/upstream.ts'
import { upstreamParameters } from '../postgres/target/upstream-parameters.ts'
import { BrokerError, type Doorman, type EndNotice, type SessionOutcome, type SessionPermit } from '../session.ts'
import { unlessAborted } from '../streams/abortable.ts'
import { endWith } from '../streams/farewell.ts'
import { authenticationOk, encodeBackendKeyData, encodeReadyForQuery } from '../wire/postgres/encode.ts'
import { ByteCounts } from './byte-counts.ts'
import { Relay } from './relay.ts'

const kind = 'rds-postgres'

export interface EngineDeps {
  readonly doorman: Doorman
  readonly dial: PostgresDial
  /** For the log, what can be told to nobody else: books that did not close, a cancel that did not arrive. `sessionId` is empty before there is one. */
  readonly onError: (error: unknown, sessionId: string) => void
  /** Epoch milliseconds. */
  readonly now?: () => number
}

/** PostgreSQL sessions from the moment their client is known: permit, target, relay, farewell, books. */
export function createPostgresEngine(deps: EngineDeps): Engine {
  const { doorman, onError } = deps
  const house = { now: Date.now, ...deps, cancels: new CancelRegistry(), bytes: new ByteCounts(kind, doorman) }
  return {
    serve: async (client) => {
      const permit = await admit(deps, client)
      if (!permit) return undefined
      const outcome = await runSession(house, client, permit)
      await doorman.end(permit, outcome).catch((error: unknown) => onError(error, permit.sessionId))
      await flushed(client.stream)
      return outcome.reason
    },
    cancel: async (ask) => {
      if (!(await house.cancels.use(ask))) doorman.strangerFailed('NOT_FOUND', ask.origin)
    },
  }
}

interface House extends EngineDeps {
  readonly now: () => number
  readonly cancels: CancelRegistry
  readonly bytes: ByteCounts
}

async function admit({ doorman, onError }: EngineDeps, client: PostgresClient): Promise<SessionPermit | undefined> {
  const { identity, resourceId, level, origin, tool } = client
  const since = performance.now()
  try {
    const permit = await doorman.open({
      identity,
      resourceId,
      client: origin,
      kinds: [kind],
      ...(level === undefined ? {} : { level }),
      ...(tool === undefined ? {} : { tool }),
    })
    doorman.phase(kind, 'authorize', (performance.now() - since) / 1000)
    return permit
  } catch (error) {
    if (!(error instanceof BrokerError)) onError(error, '')
    endWith(client.stream, errorResponse(toBrokerError(error)))
    await flushed(client.stream)
    return undefined
  }
}

/** Never rejects. */
async function runSession(house: House, client: PostgresClient, permit: SessionPermit): Promise<SessionOutcome> {
  let opened: Opened
  try {
    opened = await openTarget(house, client, permit)
  } catch (thrown) {
    return failedToOpen(house, client, permit, thrown)
  }
  const { route, upstream } = opened
  const relay = new Relay({
    client: client.stream,
    ahead: client.ahead,
    upstream,
    permit,
    maxRows: route.maxRows,
    now: house.now,
    onBytes: house.bytes.add,
    onStatement: (seconds) => house.doorman.statement(kind, seconds),
  })
  const key = house.cancels.add(client.minor, (ask) => cancelRunning(house, relay, upstream, permit, ask))
  house.bytes.begin()
  try {
    const ready = [authenticationOk, upstream.greeting, encodeBackendKeyData(key.pid, key.key)]
    await house.doorman.started(permit, { database: opened.database, user: route.user })
    client.stream.write(Buffer.concat([...ready, encodeReadyForQuery(upstream.status)]))
    return await relay.run()
  } catch (thrown) {
    upstream.socket.destroy()
    return failedToOpen(house, client, permit, thrown)
  } finally {
    house.bytes.end()
    house.cancels.remove(key)
  }
}

interface Opened {
  readonly route: PostgresRoute
  readonly upstream: Upstream
  readonly database: string
}

async function openTarget({ dial, doorman }: House, client: PostgresClient, permit: SessionPermit): Promise<Opened> {
  const route = await unlessAborted(permit.signal, dial(permit))
  const database = client.database ?? route.defaultDatabase
  checkDatabase(route, database)
  const since = performance.now()
  const upstream = await openUpstream(route, upstreamParameters(client, permit, route, database), permit.signal)
  doorman.phase(kind, 'upstream', (performance.now() - since) / 1000)
  return { route, upstream, database }
}

/** @throws BrokerError DATABASE_DENIED */
function checkDatabase({ databases }: PostgresRoute, database: string): void {
  if (databases.includes('*') || databases.includes(database)) return
  throw new BrokerError('DATABASE_DENIED', database, { hint: `It covers ${databases.slice(0, 20).join(', ')}.` })
}

function failedToOpen({ now }: House, client: PostgresClient, permit: SessionPermit, thrown: unknown): SessionOutcome {
  const books = { bytesUp: 0, bytesDown: 0 }
  if (permit.signal.aborted) {
    const notice = permit.signal.reason as EndNotice
    endWith(client.stream, cutResponse(notice))
    return { ...books, reason: notice.reason, stoppedAt: now() }
  }
  const error = toBrokerError(thrown)
  endWith(client.stream, errorResponse(error))
  return { ...books, reason: 'open-failed', error }
}

/** A cancel that comes when nothing runs would hit the next statement. */
async function cancelRunning(
  { doorman, onError }: House,
  relay: Relay,
  upstream: Upstream,
  permit: SessionPermit,
  ask: CancelAsk,
): Promise<void> {
  if (!relay.isBusy) return
  doorman.cancelled(permit, ask.origin)
  await upstream.cancel().catch((error: unknown) => onError(error, permit.sessionId))
}

/** Until the client's last words have left, or it is gone; the farewell has a deadline of its own. */
async function flushed(stream: Duplex): Promise<void> {
  if (stream.destroyed || stream.writableFinished) return
  const { promise, resolve } = Promise.withResolvers<void>()
  stream.once('finish', resolve).once('close', resolve)
  await promise
}
