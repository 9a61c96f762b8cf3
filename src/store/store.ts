import { chmodSync, closeSync, existsSync, mkdirSync, openSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type CompiledQuery, Kysely, sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import { BrokerError } from '../../proxy/session.ts'
import { migrations } from './migrations/index.ts'
import type { PostgresPlace, StorePlace } from './place.ts'
import type { Database } from './schema.ts'
import { sqliteDialect } from './sqlite/sqlite-dialect.ts'
import type { Read, Transact, TransactAtOnce } from './transact.ts'

export type Db = Kysely<Database>

interface OpenStore {
  /** Absent where each has a connection of its own. */
  readonly read?: Read
  readonly transact: Transact
  /** Absent where one message takes one statement. */
  readonly transactAtOnce?: TransactAtOnce
  /** Whether other daemons may use it at the same time. */
  readonly isShared: boolean
  /** For what must not wait in the queue; absent where only {@link ping} has a way beside it. */
  readonly beside?: Db
  ping(): Promise<void>
  /** Absent where the store's own tools do it. */
  readonly backup?: (target: string) => Promise<void>
}

const stores = new WeakMap<Db, OpenStore>()

function storeOf(db: Db): OpenStore {
  const store = stores.get(db)
  if (!store) throw new Error('this store was not opened here')
  return store
}

/** {@link Read} on this store. */
export async function readOne<Row>(db: Db, query: CompiledQuery<Row>): Promise<Row | undefined> {
  const read = stores.get(db)?.read
  const rows = read ? ((await read(query)) as readonly Row[]) : (await db.executeQuery(query)).rows
  return rows[0]
}

/** {@link Transact} on this store. */
export function transactOn(db: Db): Transact {
  return storeOf(db).transact
}

/** {@link TransactAtOnce} on this store; undefined where it has none. */
export function transactAtOnceOn(db: Db): TransactAtOnce | undefined {
  return storeOf(db).transactAtOnce
}

/** Whether other daemons may use this store at the same time. */
export function isShared(db: Db): boolean {
  return storeOf(db).isShared
}

/** The same store by a few connections of its own, where there are several: for what must not wait behind a long queue. */
export function besideQueue(db: Db): Db {
  return storeOf(db).beside ?? db
}

/** Whether the store can be read, asked beside its queue: a queue that is long says nothing about the store. */
export async function pingStore(db: Db): Promise<void> {
  await storeOf(db).ping()
}

/**
 * @returns writes a copy of the store as it is at one moment, while it is in use, to a file that is not there yet
 * @throws BrokerError INVALID_INPUT when it is no SQLite store
 */
export function copierOf(db: Db): (target: string) => Promise<void> {
  const { backup } = storeOf(db)
  if (backup) return backup
  throw new BrokerError('INVALID_INPUT', 'sallyport backup copies a SQLite store', {
    hint: 'back up the PostgreSQL database by pg_dump or its provider, and keys.dir beside it',
  })
}

/**
 * Opens the store and brings its tables up to date. The caller closes it with `db.destroy()`.
 * @throws BrokerError STORE_UNAVAILABLE when it can't be opened, another daemon holds its file, or it is of a newer version
 */
export async function openStore(place: StorePlace): Promise<Db> {
  try {
    return await (place.postgres ? openPostgres(place.postgres) : openSqlite(place.url))
  } catch (cause) {
    throw unavailable(place.url, cause as Error)
  }
}

function unavailable(url: string, cause: Error): BrokerError {
  if (cause instanceof BrokerError) return cause
  const newer = /previously executed migration (\S+) is missing/.exec(cause.message)?.[1]
  if (newer !== undefined)
    return new BrokerError('STORE_UNAVAILABLE', `${url} was used by a newer version, which made ${newer}`, {
      cause,
      hint: 'start that version, or put back the backup that was made before the upgrade',
    })
  const text = cause.message.includes('locked') ? `${url} is in use by another daemon` : cause.message
  return new BrokerError('STORE_UNAVAILABLE', text, { cause })
}

async function openSqlite(url: string): Promise<Db> {
  const { dialect, ...store } = sqliteDialect(sqlitePath(url))
  const db = new Kysely<Database>({ dialect })
  stores.set(db, { ...store, isShared: false })
  return await closingOnFailure(db, () => migrate(db))
}

/** The pings, the heartbeats and the feed. */
const besideQueueOf = (place: PostgresPlace): PostgresPlace => ({
  ...place,
  connections: 3,
  statementTimeoutMs: Math.min(place.statementTimeoutMs, 4000), // a connection that broke is found out soon
})

/** Migrations have no time-out. Of several daemons that start, one makes them while the others wait. */
async function openPostgres(place: PostgresPlace): Promise<Db> {
  const { postgresDialect } = await import('./postgres-dialect.ts') // SQLite needs no client of PostgreSQL
  const few = postgresDialect(besideQueueOf(place))
  const beside = new Kysely<Database>({ dialect: few.dialect })
  stores.set(beside, { transact: few.transact, isShared: true, ping: () => ping(beside) })
  const { dialect, transact } = postgresDialect(place, () => beside.destroy())
  const db = new Kysely<Database>({ dialect })
  stores.set(db, { transact, isShared: true, beside, ping: () => ping(beside) })
  return await closingOnFailure(db, async () => {
    await requireUtf8(db, place.database)
    const patient = { ...place, connections: 2, statementTimeoutMs: 0, lockTimeoutMs: 0 }
    const migrating = new Kysely<Database>({ dialect: postgresDialect(patient).dialect })
    try {
      await migrate(migrating)
    } finally {
      await migrating.destroy()
    }
  })
}

async function ping(db: Db): Promise<void> {
  await sql`select 1`.execute(db)
}

/** Another encoding has no place for some names and reasons: whatever has one would fail to be stored, its event of the log too. */
async function requireUtf8(db: Db, database: string): Promise<void> {
  const { rows } = await sql<{ server_encoding: string }>`show server_encoding`.execute(db)
  const encoding = rows[0]?.server_encoding
  if (encoding === 'UTF8') return
  throw new BrokerError('STORE_UNAVAILABLE', `the encoding of the database ${database} is ${encoding}, not UTF8`, {
    hint: `make it again: create database ${database} encoding 'UTF8' template template0`,
  })
}

async function closingOnFailure(db: Db, work: () => Promise<void>): Promise<Db> {
  try {
    await work()
    return db
  } catch (error) {
    await db.destroy().catch(() => undefined) // the first failure is the one to report
    throw error
  }
}

async function migrate(db: Db): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } })
  const { error } = await migrator.migrateToLatest()
  if (error) throw error
}

function sqlitePath(url: string): string {
  if (!url.startsWith('sqlite:'))
    throw new BrokerError('CONFIG_INVALID', `store.url: expected sqlite:PATH, got ${url.split(':')[0]}:…`)
  const path = url.slice('sqlite:'.length)
  if (path === ':memory:') return path
  const file = resolve(path)
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  try {
    keepPrivate(file)
  } catch (cause) {
    throw new BrokerError('STORE_UNAVAILABLE', (cause as Error).message, { cause })
  }
  return file
}

/** Mode 0600 whatever the umask. SQLite makes its two companions with the mode of the file. */
function keepPrivate(file: string): void {
  closeSync(openSync(file, 'a', 0o600))
  for (const name of [file, `${file}-wal`, `${file}-shm`]) if (existsSync(name)) chmodSync(name, 0o600)
}
