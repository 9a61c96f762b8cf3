import { Worker } from 'node:worker_threads'
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import { LaneQueue } from '../lanes.ts'
import type { Read, Rows, Transact, TransactAtOnce } from '../transact.ts'
import { Gathered } from './gathered.ts'
import { type NamedResult, nameRows } from './named-rows.ts'
import type { SqliteAnswer, SqliteCall, SqliteFailure, SqliteStatement } from './sqlite-worker.ts'

/**
 * Kysely on `node:sqlite`: one connection, in a worker thread, used by one transaction at a time.
 * @returns also `ping`, which asks the store beside the queue of those transactions, and `backup`, which copies it beside them
 */
export function sqliteDialect(path: string): {
  dialect: Dialect
  read: Read
  transact: Transact
  transactAtOnce: TransactAtOnce
  ping(): Promise<void>
  backup(target: string): Promise<void>
} {
  const driver = new SqliteDriver(path)
  const dialect: Dialect = {
    createAdapter: () => new QueuedAdapter(),
    createDriver: () => driver,
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  }
  return {
    dialect,
    read: (query) => driver.read(query),
    transact: (first, rest) => driver.transact(first, rest),
    transactAtOnce: (claims, writes) => driver.transactAtOnce(claims, writes),
    ping: () => driver.ping(),
    backup: (target) => driver.backup(target),
  }
}

/** The driver has a queue of its own, which Kysely's, of one lane, would stand before. */
class QueuedAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true
  }
}

class SqliteDriver implements Driver {
  readonly #path: string
  #connection: WorkerConnection | undefined
  readonly #queue = new LaneQueue()
  readonly #gathered = new Gathered({
    acquire: () => this.#queue.acquire(),
    release: () => this.#queue.release(),
    run: async (queries) => {
      if (!this.#connection) throw closed()
      return await this.#connection.runApart(queries)
    },
  })

  constructor(path: string) {
    this.#path = path
  }

  async init(): Promise<void> {
    this.#connection = await WorkerConnection.open(this.#path)
  }

  async acquireConnection(): Promise<WorkerConnection> {
    await this.#queue.acquire()
    if (this.#connection) return this.#connection
    this.#queue.release()
    throw closed()
  }

  async releaseConnection(): Promise<void> {
    this.#queue.release()
  }

  /** A read of the file, between two statements of whichever transaction runs. */
  async ping(): Promise<void> {
    if (!this.#connection) throw closed()
    await this.#connection.executeQuery(CompiledQuery.raw('select count(*) from sqlite_schema'))
  }

  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(begin)
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(commit)
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(rollback)
  }

  async read(query: CompiledQuery): Promise<Rows> {
    return (await this.#gathered.read(query)).rows
  }

  /** In two messages to the thread. */
  async transact(...[first, rest]: Parameters<Transact>): Promise<void> {
    await this.#inTransaction(async (connection) => {
      const [, ...found] = await connection.run([begin, ...first])
      await connection.run([...rest(found.map(({ rows }) => rows)), commit])
    })
  }

  async transactAtOnce(...[claims, writes]: Parameters<TransactAtOnce>): Promise<readonly Rows[]> {
    return await this.#inTransaction(async (connection) => {
      const [, ...found] = await connection.run([begin, ...claims, ...writes, commit], claims.length)
      return found.slice(0, claims.length).map(({ rows }) => rows)
    })
  }

  async #inTransaction<T>(work: (connection: WorkerConnection) => Promise<T>): Promise<T> {
    const connection = await this.acquireConnection()
    try {
      return await work(connection)
    } catch (error) {
      await connection.run([rollback]).catch(() => undefined) // it may not have begun, or be rolled back already
      throw error
    } finally {
      await this.releaseConnection()
    }
  }

  /** Begins when it is its turn, as no transaction may be open then; goes on beside those that follow. */
  async backup(target: string): Promise<void> {
    const connection = await this.acquireConnection()
    try {
      await connection.beginBackup(target)
    } finally {
      await this.releaseConnection()
    }
    await connection.endBackup(target)
  }

  async destroy(): Promise<void> {
    await this.#connection?.close()
    this.#connection = undefined
  }
}

const begin = CompiledQuery.raw('begin immediate')
const commit = CompiledQuery.raw('commit')
const rollback = CompiledQuery.raw('rollback')

function closed(): Error {
  return new Error('the store is closed')
}

type SqliteResults = readonly (NamedResult | SqliteFailure)[]

class WorkerConnection implements DatabaseConnection {
  readonly #worker: Worker
  readonly #waiting = new Map<number, { resolve(answer: SqliteAnswer): void; reject(error: Error): void }>()
  #nextId = 1
  #failure: Error | undefined

  private constructor(path: string) {
    // The extension of this very file: .ts in the repository, .js once built.
    const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'))
    this.#worker = new Worker(new URL(`./sqlite-worker${extension}`, import.meta.url), { workerData: { path } })
    this.#worker.on('message', (answer: SqliteAnswer) => {
      this.#waiting.get(answer.id)?.resolve(answer)
      this.#waiting.delete(answer.id)
      if (this.#waiting.size === 0) this.#worker.unref()
    })
    this.#worker.on('error', (error) => this.#fail(error as Error))
    this.#worker.on('exit', () => this.#fail(closed()))
  }

  static async open(path: string): Promise<WorkerConnection> {
    const connection = new WorkerConnection(path)
    try {
      await connection.#answer(0)
    } catch (error) {
      await connection.#worker.terminate()
      throw error
    }
    return connection
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const [{ rows, changes } = { rows: [], changes: 0 }] = await this.run([query])
    return { rows: rows as R[], numAffectedRows: BigInt(changes) }
  }

  /**
   * One after another, until one fails.
   * @param claims how many after the first must each return a row, or the transaction is rolled back and the rest is not run
   */
  run(queries: readonly CompiledQuery[], claims = 0): Promise<readonly NamedResult[]> {
    const statements = queries.map(({ sql, parameters }) => ({ sql, parameters }))
    return this.#call(statements as readonly SqliteStatement[], { claims }) as Promise<readonly NamedResult[]>
  }

  /** Each, whatever became of the others. */
  runApart(queries: readonly CompiledQuery[]): Promise<readonly (NamedResult | SqliteFailure)[]> {
    const statements = queries.map(({ sql, parameters }) => ({ sql, parameters }))
    return this.#call(statements as readonly SqliteStatement[], { apart: true })
  }

  // biome-ignore lint/correctness/useYield: the interface demands a generator; no query of ours streams
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error('streaming is not supported; page by a cursor instead')
  }

  async beginBackup(target: string): Promise<void> {
    await this.#call([{ sql: 'backup', parameters: [target] }])
  }

  async endBackup(target: string): Promise<void> {
    await this.#call([{ sql: 'backup-end', parameters: [target] }])
  }

  async close(): Promise<void> {
    if (!this.#failure) await this.#call([{ sql: 'close', parameters: [] }])
    await this.#worker.terminate()
  }

  async #call(
    statements: readonly SqliteStatement[],
    how: Pick<SqliteCall, 'apart' | 'claims'> = {},
  ): Promise<SqliteResults> {
    const id = this.#nextId++
    const answer = this.#answer(id)
    this.#worker.postMessage({ id, statements, ...how } satisfies SqliteCall)
    return await answer
  }

  async #answer(id: number): Promise<SqliteResults> {
    if (this.#failure) throw this.#failure
    this.#worker.ref()
    const answer = await new Promise<SqliteAnswer>((resolve, reject) => this.#waiting.set(id, { resolve, reject }))
    if ('error' in answer) throw Object.assign(new Error(answer.error.message), { code: answer.error.code })
    return answer.results.map(nameRows)
  }

  #fail(error: Error): void {
    this.#failure ??= error
    for (const waiting of this.#waiting.values()) waiting.reject(error)
    this.#waiting.clear()
  }
}
