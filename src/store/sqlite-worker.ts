/**
 * The thread that owns the SQLite file. Statements arrive one at a time, so an fsync never blocks the relay's thread.
 * WAL with synchronous=FULL: what was acknowledged survives a power failure.
 */
import { backup, DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { setTimeout } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'

export interface SqliteCall {
  readonly id: number
  readonly sql: string
  readonly parameters: readonly SQLInputValue[]
}

export type SqliteAnswer =
  | { readonly id: number; readonly rows: Record<string, unknown>[]; readonly changes: number }
  | { readonly id: number; readonly error: { readonly message: string; readonly code: string } }

const port = parentPort
if (!port) throw new Error('sqlite-worker.ts runs as a worker thread only')

let database: DatabaseSync
try {
  database = new DatabaseSync((workerData as { path: string }).path, { timeout: 0 })
  // EXCLUSIVE holds the file's lock until the daemon ends, so that a second daemon is refused.
  database.exec(
    'pragma locking_mode = exclusive; pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on',
  )
  database.exec('begin immediate; commit')
} catch (error) {
  port.postMessage({ id: 0, error: describe(error) } satisfies SqliteAnswer)
  process.exit(0)
}
port.postMessage({ id: 0, rows: [], changes: 0 } satisfies SqliteAnswer)

const mostTries = 5000
const statements = new Map<string, StatementSync>()

port.on('message', (call: SqliteCall) => {
  if (call.sql === 'close') {
    statements.clear()
    database.close()
    port.postMessage({ id: call.id, rows: [], changes: 0 } satisfies SqliteAnswer)
    port.close()
    return
  }
  if (call.sql === 'backup') {
    void copyTo(call)
    return
  }
  try {
    const statement = prepare(call.sql)
    const rows = statement.all(...call.parameters) as Record<string, unknown>[]
    const { changes } = database.prepare('select changes() as changes').get() as { changes: number }
    port.postMessage({ id: call.id, rows, changes } satisfies SqliteAnswer)
  } catch (error) {
    port.postMessage({ id: call.id, error: describe(error) } satisfies SqliteAnswer)
  }
})

/** Statements go on between its steps; what they change is in the copy, too. */
async function copyTo({ id, parameters }: SqliteCall): Promise<void> {
  try {
    await begin(String(parameters[0]))
    port?.postMessage({ id, rows: [], changes: 0 } satisfies SqliteAnswer)
  } catch (error) {
    port?.postMessage({ id, error: describe(error) } satisfies SqliteAnswer)
  }
}

/** A copy cannot begin within a transaction, which node:sqlite reports as `not an error`. */
async function begin(target: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    if (database.isTransaction && tries < mostTries) {
      await setTimeout(1)
      continue
    }
    try {
      await backup(database, target, { rate: 500 })
      return
    } catch (error) {
      if (tries >= mostTries || !/locked|busy|not an error/.test((error as Error).message)) throw error
    }
  }
}

function prepare(sql: string): StatementSync {
  const known = statements.get(sql)
  if (known) return known
  const statement = database.prepare(sql)
  if (statements.size >= 500) statements.clear()
  statements.set(sql, statement)
  return statement
}

function describe(error: unknown): { message: string; code: string } {
  const { message, errcode } = error as Error & { errcode?: number }
  return { message, code: `SQLITE_${errcode ?? 'ERROR'}` }
}
