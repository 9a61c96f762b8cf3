import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { readPostgresUrl } from '../../../src/config/store-url.ts'
import type { PostgresPlace, StorePlace } from '../../../src/store/place.ts'
import { type StoreDatabases, startStoreDatabases } from '../../sandbox/store-databases.ts'

let databases: Promise<StoreDatabases> | undefined

/** Started at the first call, and closed with the test file. */
export function storeDatabases(): Promise<StoreDatabases> {
  databases ??= startStoreDatabases().then((started) => {
    t.teardown(() => started.close())
    return started
  })
  return databases
}

/** A place that nothing was written to yet. */
export async function postgresPlace(
  more: Partial<PostgresPlace> = {},
): Promise<StorePlace & { postgres: PostgresPlace }> {
  const url = await (await storeDatabases()).create()
  const { host, port, user, database } = readPostgresUrl(url)
  const limits = { connections: 5, statementTimeoutMs: 10_000, lockTimeoutMs: 5000 }
  return { url, postgres: { host, port, user, database, password: null, tls: null, ...limits, ...more } }
}

export async function sqlitePlace(): Promise<StorePlace> {
  return { url: `sqlite:${join(mkdtempSync(join(tmpdir(), 'sallyport-store-')), 'data', 'test.db')}` }
}

export const bothStores: readonly (readonly [name: string, newPlace: () => Promise<StorePlace>])[] = [
  ['SQLite', sqlitePlace],
  ['PostgreSQL', postgresPlace],
]
