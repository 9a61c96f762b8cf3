/**
 * The thread that owns the SQLite file. Statements arrive one at a time, so an fsync never blocks the relay's thread.
 * WAL with synchronous=FULL: what was acknowledged survives a power failure.
 */
import { backup, DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'

export interface SqliteStatement {
  readonly sql: string
  readonly parameters: readonly SQLInputValue[]
}

/** Statements run one after another, until one fails. */
export interface SqliteCall {
  readonly id: number
  readonly statements: readonly SqliteStatement[]
  /** They have nothing to do with each other: each runs, whatever became of the others. */
  readonly apart?: boolean
  /** After the first, so many must each return a row; else the transaction is rolled back, and the others don't run. */
  readonly claims?: number
}

export interface SqliteFailure {
  readonly error: { readonly message: string; readonly code: string }
}

/** The names of the columns once, and not again in each row: so an answer is written, copied and read in half the time. */
export interface SqliteResult {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly unknown[])[]
  readonly changes: number
}

export type SqliteAnswer =
  | { readonly id: number; readonly results: readonly (SqliteResult | SqliteFailure)[] }
  | { readonly id: number; readonly error: { readonly message: string; readonly code: string } }

interface Prepared {
  readonly statement: StatementSync
  /** Of what it selects, or returns of what it changes. */
  readonly columns: readonly string[]
}

const port = parentPort
if (!port) throw new Error('sqlite-worker.ts runs as a worker thread only')

let database: DatabaseSync
try {
  database = new DatabaseSync((workerData as { path: string }).path, { timeout: 0 })
  // EXCLUSIVE holds the file's lock until the daemon ends, so that a second daemon is refused.
  database.exec(
    'pragma locking_mode = exclusive; pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on',
  )
  // Else the pages that a statement of many rows may have to put back go to a file of the system's temporary folder.
  database.exec('pragma temp_store = memory')
  database.exec('begin immediate; commit')
} catch (error) {
  port.postMessage({ id: 0, error: describe(error) } satisfies SqliteAnswer)
  process.exit(0)
}
port.postMessage({ id: 0, results: [] } satisfies SqliteAnswer)

const statements = new Map<string, Prepared>()
const copies = new Map<string, Promise<number>>()

const rollback = database.prepare('rollback')
const changesSchema = /^\s*(alter|create|drop)\b/i

port.on('message', ({ id, statements: asked, apart = false, claims = 0 }: SqliteCall) => {
  const [first] = asked
  if (first?.sql === 'close') {
    statements.clear()
    database.close()
    port.postMessage({ id, results: [] } satisfies SqliteAnswer)
    port.close()
    return
  }
  if (first?.sql === 'backup') {
    void answerWhen(id, beginCopy(String(first.parameters[0])))
    return
  }
  if (first?.sql === 'backup-end') {
    void answerWhen(id, endCopy(String(first.parameters[0])))
    return
  }
  try {
    port.postMessage({ id, results: apart ? asked.map(tryToRun) : runAll(asked, claims) } satisfies SqliteAnswer)
  } catch (error) {
    port.postMessage({ id, error: describe(error) } satisfies SqliteAnswer)
  }
})

function runAll(asked: readonly SqliteStatement[], claims: number): SqliteResult[] {
  const results: SqliteResult[] = []
  for (const [i, statement] of asked.entries()) {
    results.push(run(statement))
    if (i !== claims || results.slice(1).every(({ rows }) => rows.length > 0)) continue
    rollback.run()
    break
  }
  return results
}

function tryToRun(statement: SqliteStatement): SqliteResult | SqliteFailure {
  try {
    return run(statement)
  } catch (error) {
    return { error: describe(error) }
  }
}

function run({ sql, parameters }: SqliteStatement): SqliteResult {
  const { statement, columns } = prepare(sql)
  if (columns.length === 0) return { columns, rows: [], changes: Number(statement.run(...parameters).changes) }
  const rows = statement.all(...parameters) as unknown as unknown[][] // by setReturnArrays
  return { columns, rows, changes: rows.length }
}

async function answerWhen(id: number, work: Promise<unknown>): Promise<void> {
  try {
    await work
    port?.postMessage({ id, results: [] } satisfies SqliteAnswer)
  } catch (error) {
    port?.postMessage({ id, error: describe(error) } satisfies SqliteAnswer)
  }
}

/**
 * Resolves after the first step, which node:sqlite fails as `not an error` while a transaction writes; later steps wait for such a
 * one by themselves. Statements go on between the steps, and what they change is in the copy, too.
 */
function beginCopy(target: string): Promise<void> {
  return new Promise((resolve) => {
    const copy = backup(database, target, { rate: 500, progress: () => resolve() })
    copies.set(target, copy)
    copy.then(
      () => resolve(),
      () => resolve(), // endCopy tells it
    )
  })
}

async function endCopy(target: string): Promise<void> {
  try {
    await copies.get(target)
  } finally {
    copies.delete(target)
  }
}

function prepare(sql: string): Prepared {
  const known = statements.get(sql)
  if (known) return known
  const statement = database.prepare(sql)
  statement.setReturnArrays(true)
  const prepared = { statement, columns: statement.columns().map(({ name }) => name) }
  const mayDiffer = changesSchema.test(sql) // the columns of what was prepared before
  if (mayDiffer || statements.size >= 500) statements.clear()
  if (!mayDiffer) statements.set(sql, prepared)
  return prepared
}

function describe(error: unknown): { message: string; code: string } {
  const { message, errcode } = error as Error & { errcode?: number }
  return { message, code: `SQLITE_${errcode ?? 'ERROR'}` }
}
