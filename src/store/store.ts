import { chmodSync, closeSync, existsSync, mkdirSync, openSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { Kysely } from 'kysely'
import { Migrator } from 'kysely/migration'
import { BrokerError } from '../../proxy/session.ts'
import { migrations } from './migrations/index.ts'
import type { Database } from './schema.ts'
import { sqliteDialect } from './sqlite-dialect.ts'

export type Db = Kysely<Database>

interface OpenStore {
  ping(): Promise<void>
  backup(target: string): Promise<void>
}

const stores = new WeakMap<Db, OpenStore>()

function storeOf(db: Db): OpenStore {
  const store = stores.get(db)
  if (!store) throw new Error('this store was not opened here')
  return store
}

/** Whether the store can be read, asked beside its queue: a queue that is long says nothing about the store. */
export async function pingStore(db: Db): Promise<void> {
  await storeOf(db).ping()
}

/** Writes a copy of the store as it is at one moment, while it is in use. @param target a file that is not there yet */
export async function backupStore(db: Db, target: string): Promise<void> {
  await storeOf(db).backup(target)
}

/**
 * Opens the store and brings its tables up to date. The caller closes it with `db.destroy()`.
 * @param url `sqlite:PATH` (relative to the working directory) or `sqlite::memory:`
 * @throws BrokerError STORE_UNAVAILABLE when it can't be opened, or another daemon holds it
 */
export async function openStore(url: string): Promise<Db> {
  const { dialect, ...store } = sqliteDialect(sqlitePath(url))
  const db = new Kysely<Database>({ dialect })
  stores.set(db, store)
  try {
    await migrate(db)
  } catch (cause) {
    await db.destroy().catch(() => undefined) // the first failure is the one to report
    const locked = String((cause as Error).message).includes('locked')
    throw new BrokerError(
      'STORE_UNAVAILABLE',
      locked ? `${url} is in use by another daemon` : (cause as Error).message,
      { cause },
    )
  }
  return db
}

async function migrate(db: Db): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } })
  const { error } = await migrator.migrateToLatest()
  if (error) throw error
}

function sqlitePath(url: string): string {
  if (!url.startsWith('sqlite:')) {
    throw new BrokerError('CONFIG_INVALID', `store.url: expected sqlite:PATH, got ${url.split(':')[0]}:…`)
  }
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
