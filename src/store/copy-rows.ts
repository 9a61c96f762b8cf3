import { type RawBuilder, sql, type Transaction } from 'kysely'
import { BrokerError } from '../../proxy/session.ts'
import { pages } from './pages.ts'
import type { Database } from './schema.ts'
import type { Db } from './store.ts'

type Value = string | number | null | Uint8Array
type Row = Record<string, Value>

export interface CopiedTable {
  readonly table: string
  readonly rows: number
}

/** What daemons say of themselves while they run on a store. */
const ofRunning = new Set(['daemons', 'leader', 'shared_counts'])

/** Values of one statement; PostgreSQL takes 65,535. */
const mostValues = 20_000

/**
 * Copies every row of a SQLite store, but for those of its daemon's run, into an empty store, and compares each row with what then stands there.
 * @param onProgress after each page
 * @throws BrokerError INVALID_INPUT when there are rows already, INTERNAL when a row differs
 */
export async function copyRows(
  from: Db,
  to: Transaction<Database>,
  onProgress: (done: CopiedTable) => void,
): Promise<CopiedTable[]> {
  const all = (await from.introspection.getTables()).map(({ name }) => name).sort()
  const tables = all.filter((name) => !ofRunning.has(name))
  for (const table of tables)
    if ((await countOf(to, table)) > 0)
      throw new BrokerError('INVALID_INPUT', `${table} has rows already: copy into an empty database`)
  const done: CopiedTable[] = []
  for (const table of tables) {
    const key = await keyOf(from, table)
    let rows = 0
    for await (const page of pagesOf(from, table)) {
      await insert(to, table, page)
      await compare(to, table, page, key)
      rows += page.length
      onProgress({ table, rows })
    }
    if ((await countOf(to, table)) !== rows)
      throw new BrokerError('INTERNAL', `${table}: not ${rows} rows after the copy`)
    done.push({ table, rows })
  }
  return done
}

async function countOf(db: Db, table: string): Promise<number> {
  const { rows } = await sql<{ n: number }>`select count(*) as n from ${sql.table(table)}`.execute(db)
  return rows[0]?.n ?? 0
}

/** Names of the primary key's columns, in the order of the key. */
async function keyOf(from: Db, table: string): Promise<string[]> {
  const { rows } = await sql<{
    name: string
  }>`select name from pragma_table_info(${table}) where pk > 0 order by pk`.execute(from)
  if (rows.length === 0) throw new Error(`${table} has no primary key`)
  return rows.map(({ name }) => name)
}

async function* pagesOf(from: Db, table: string): AsyncGenerator<Row[]> {
  const read = async (after: number) => {
    const query = sql<Row>`select rowid as sqlite_rowid, * from ${sql.table(table)} where rowid > ${after} order by rowid limit 500`
    return (await query.execute(from)).rows
  }
  for await (const page of pages(0, (row: Row) => Number(row.sqlite_rowid), read))
    yield page.map(({ sqlite_rowid: _, ...row }) => row)
}

async function insert(to: Db, table: string, page: readonly Row[]): Promise<void> {
  const columns = Object.keys(page[0] ?? {})
  const atOnce = Math.floor(mostValues / columns.length)
  for (let i = 0; i < page.length; i += atOnce) {
    const rows = page.slice(i, i + atOnce).map((row) => tuple(columns.map((column) => row[column] ?? null)))
    await sql`insert into ${sql.table(table)} (${names(columns)}) values ${sql.join(rows)}`.execute(to)
  }
}

async function compare(to: Db, table: string, page: readonly Row[], key: readonly string[]): Promise<void> {
  const keys = page.map((row) => tuple(key.map((column) => row[column] ?? null)))
  const query = sql<Row>`select * from ${sql.table(table)} where (${names(key)}) in (${sql.join(keys)})`
  const found = (await query.execute(to)).rows
  const at = (row: Row) => JSON.stringify(key.map((column) => row[column]))
  const byKey = new Map(found.map((row) => [at(row), asText(row)]))
  for (const row of page)
    if (byKey.get(at(row)) !== asText(row))
      throw new BrokerError('INTERNAL', `${table}: ${at(row)} is not what was copied`)
}

const names = (columns: readonly string[]) => sql.join(columns.map((column) => sql.ref(column)))
const tuple = (values: readonly Value[]): RawBuilder<unknown> => sql`(${sql.join(values)})`

function asText(row: Row): string {
  const plain = (value: Value | undefined) => (value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value)
  return JSON.stringify(
    Object.keys(row)
      .sort()
      .map((column) => [column, plain(row[column])]),
  )
}
