import { readFileSync } from 'node:fs'
import { isIP, type Socket } from 'node:net'
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
  type TransactionSettings,
} from 'kysely'
import pg from 'pg'
import { BrokerError } from '../../proxy/session.ts'
import { LaneQueue } from './lanes.ts'
import type { PostgresPlace } from './place.ts'
import type { Rows, Transact } from './transact.ts'

const connectTimeoutMs = 5000
/** Of all rows of one answer: pages, and lists of what is live, are far below it. Rows that someone made huge take no memory here. */
const mostAnswerBytes = 64 * 1024 * 1024
/** A daemon that stops in the middle of a commit must not hold up the others, whose appends have five seconds. */
const longestPauseMs = 3000

/**
 * Kysely on PostgreSQL by node-postgres. No session state, so that a pooler in transaction mode may stand in between: time-outs are
 * set in each transaction, and nothing is prepared by name.
 * @param onDestroy closes what belongs to it
 */
export function postgresDialect(
  place: PostgresPlace,
  onDestroy = async (): Promise<void> => {},
): { dialect: Dialect; transact: Transact } {
  const driver = new PostgresDriver(place, onDestroy)
  const dialect: Dialect = {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => driver,
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  }
  return { dialect, transact: (first, rest) => driver.transact(first, rest) }
}

class PostgresDriver implements Driver {
  readonly #pool: pg.Pool
  readonly #onDestroy: () => Promise<void>
  readonly #queue: LaneQueue
  readonly #begin: string
  readonly #beginShort: string

  constructor(place: PostgresPlace, onDestroy: () => Promise<void>) {
    this.#pool = new pg.Pool({ ...clientOptions(place), max: place.connections, idleTimeoutMillis: 60_000 })
    this.#pool.on('connect', (client) => {
      client.on('error', () => undefined) // between two statements of a transaction: the next one is refused
      boundAnswers(client)
    })
    this.#pool.on('error', () => undefined) // an idle connection is lost: the pool drops it, and the next query opens another
    this.#onDestroy = onDestroy
    this.#queue = new LaneQueue(place.connections)
    const begin = (idleMs: number) =>
      `begin; set local statement_timeout = ${place.statementTimeoutMs}; ` +
      `set local lock_timeout = ${place.lockTimeoutMs}; ` +
      `set local idle_in_transaction_session_timeout = ${idleMs}`
    this.#begin = begin(2 * place.statementTimeoutMs)
    this.#beginShort = begin(longestPauseMs)
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<PostgresConnection> {
    await this.#queue.acquire()
    try {
      return new PostgresConnection(await attempt(() => this.#pool.connect()))
    } catch (error) {
      this.#queue.release()
      throw error
    }
  }

  async releaseConnection(connection: DatabaseConnection): Promise<void> {
    ;(connection as PostgresConnection).release()
    this.#queue.release()
  }

  async beginTransaction(
    connection: DatabaseConnection,
    { isolationLevel, accessMode }: TransactionSettings,
  ): Promise<void> {
    const modes = [isolationLevel && `isolation level ${isolationLevel}`, accessMode].filter(
      (mode) => mode !== undefined,
    )
    const mode = modes.length === 0 ? '' : `; set transaction ${modes.join(', ')}`
    await (connection as PostgresConnection).run(this.#begin + mode)
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await (connection as PostgresConnection).run('commit')
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await (connection as PostgresConnection).run('rollback')
  }

  async transact(...[first, rest]: Parameters<Transact>): Promise<void> {
    const connection = await this.acquireConnection()
    // The answer to each is not waited for, which over a slow way would hold the head of the log for as long: behind a statement that
    // fails PostgreSQL refuses the others, and a commit rolls back. Without a transaction it would not, but beginning one fails only
    // with the connection.
    const send = (queries: readonly CompiledQuery[]) =>
      Promise.all(queries.map(async (query): Promise<Rows> => (await connection.executeQuery(query)).rows))
    try {
      const [, found] = await connection.together(() => Promise.all([connection.run(this.#beginShort), send(first)]))
      await connection.together(() => Promise.all([send(rest(found)), this.commitTransaction(connection)]))
    } catch (error) {
      await this.rollbackTransaction(connection).catch(() => undefined) // the first failure is the one to report
      throw error
    } finally {
      await this.releaseConnection(connection)
    }
  }

  async destroy(): Promise<void> {
    await this.#onDestroy()
    await this.#pool.end()
  }
}

class PostgresConnection implements DatabaseConnection {
  readonly #client: pg.PoolClient
  /** What made it useless: then it is closed, not given back. */
  #broken: Error | undefined

  constructor(client: pg.PoolClient) {
    this.#client = client
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const { rows, rowCount, command } = await this.#ask(() => this.#client.query(sql, [...parameters]))
    const isChange = command === 'INSERT' || command === 'UPDATE' || command === 'DELETE'
    return { rows: rows as R[], ...(isChange ? { numAffectedRows: BigInt(rowCount ?? 0) } : {}) }
  }

  async run(text: string): Promise<void> {
    await this.#ask(() => this.#client.query(text))
  }

  /** What `work` asks for before it waits goes to the server in one write. */
  together<T>(work: () => T): T {
    const stream = streamOf(this.#client)
    stream.cork()
    try {
      return work()
    } finally {
      stream.uncork()
    }
  }

  // biome-ignore lint/correctness/useYield: the interface demands a generator; no query of ours streams
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error('streaming is not supported; page by a cursor instead')
  }

  release(): void {
    this.#client.release(this.#broken)
  }

  async #ask<T>(query: () => Promise<T>): Promise<T> {
    if (this.#broken) throw this.#broken
    answerBytes.set(this.#client, 0)
    try {
      return await attempt(query)
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error
      this.#broken = isTooLong(this.#client) ? new BrokerError('STORE_UNAVAILABLE', tooLong, { cause: error }) : error
      throw this.#broken
    }
  }
}

const tooLong = `an answer of the server is longer than ${mostAnswerBytes / 1024 / 1024} MiB`

/** Of the answer that a connection is reading. */
const answerBytes = new WeakMap<pg.ClientBase, number>()

/** Ends a connection by which more comes than may: pg itself keeps whatever it is sent. */
function boundAnswers(client: pg.PoolClient): void {
  const stream = streamOf(client)
  stream.on('data', (chunk: Buffer) => {
    answerBytes.set(client, (answerBytes.get(client) ?? 0) + chunk.length)
    if (isTooLong(client)) stream.destroy()
  })
}

function streamOf(client: pg.ClientBase): Socket {
  return (client as unknown as { connection: { stream: Socket } }).connection.stream
}

function isTooLong(client: pg.ClientBase): boolean {
  return (answerBytes.get(client) ?? 0) > mostAnswerBytes
}

/** What pg is told, besides the size of its pool. */
function clientOptions(place: PostgresPlace): pg.ClientConfig {
  const { host, port, user, database, password, tls, statementTimeoutMs } = place
  return {
    host,
    port,
    user,
    database,
    password: password ?? '', // never one from the environment or a ~/.pgpass
    ssl: tls === null ? false : { ...(isIP(host) ? {} : { servername: host }), ...readAll(tls) },
    application_name: 'sallyport',
    keepAlive: true,
    pipeline: true,
    connectionTimeoutMillis: connectTimeoutMs,
    // The server's own comes first where a transaction has set it.
    query_timeout: statementTimeoutMs === 0 ? 0 : statementTimeoutMs + 1000,
    types: { getTypeParser },
  }
}

function readAll(files: Readonly<Record<string, string | null>>): Record<string, string> {
  const named = Object.entries(files).filter((entry): entry is [string, string] => entry[1] !== null)
  return Object.fromEntries(named.map(([name, file]) => [name, readFileSync(file, 'utf8')]))
}

const int8 = 20

/**
 * All of ours are numbers that JavaScript can hold: instants, counts and sequences. A greater one is rounded, to a number that none of
 * ours is: so it spoils its own row, whose MAC or hash does not fit, and not the list that this is in.
 */
const getTypeParser: typeof pg.types.getTypeParser = (oid: number, format?: 'text' | 'binary') =>
  oid === int8 ? Number : pg.types.getTypeParser(oid, format as 'text')

/**
 * Error classes that say nothing of the statement: connection, sign-in, rollback, resources, locks, operator intervention, system,
 * and `read_only_sql_transaction`, which a standby answers.
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const notThere = /^(08|28|3D|40|53|55P03|57|58|XX|25006)/

/** What Node says of these advises a flag of its own, which does nothing here. */
const unknownAuthority = /^(UNABLE_TO_(GET_ISSUER_CERT|VERIFY_LEAF_SIGNATURE)|(DEPTH_ZERO_)?SELF_SIGNED_CERT)/

/** @throws BrokerError STORE_UNAVAILABLE when the server can't be used; its own error when it refuses the statement */
async function attempt<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    const { code, message } = cause as pg.DatabaseError
    if (cause instanceof BrokerError) throw cause
    if (cause instanceof pg.DatabaseError && !notThere.test(code ?? '')) throw cause
    if (unknownAuthority.test(code ?? ''))
      throw new BrokerError('STORE_UNAVAILABLE', 'the certificate of the server is of an unknown authority', {
        cause,
        hint: 'let store.tls.ca name the PEM file of the authority that it is of',
      })
    throw new BrokerError('STORE_UNAVAILABLE', message?.trim() || code, { cause })
  }
}
