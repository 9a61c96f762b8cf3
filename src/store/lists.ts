import { type Expression, type RawBuilder, type SqlBool, sql } from 'kysely'
import { BrokerError } from '../../proxy/session.ts'
import type { Db } from './store.ts'

/** What every list can be asked for, with names resolved to ids. */
export interface ListQuery {
  /** 1 to 1000; default 100. */
  readonly limit?: number
  /** `next` of the page before. */
  readonly cursor?: string
  readonly principalId?: string
  readonly resourceId?: string
  /** Epoch milliseconds, this one included. */
  readonly since?: number
  /** Epoch milliseconds, this one excluded. */
  readonly until?: number
}

export interface ListPage<T> {
  readonly items: readonly T[]
  /** Null at the end. A page may be short and have a next one. */
  readonly next: string | null
  readonly total: number
  /** There may be more than `total`. */
  readonly capped: boolean
}

/** Where the rows of a list come from. Their order never changes, so that pages neither skip nor repeat a row. */
export interface ListSource<Row, Item> {
  /** Rows that match, behind the one that the cursor names. */
  read(cursor: string | undefined, limit: number): Promise<readonly Row[]>
  cursorOf(row: Row): string
  /** Undefined for a row that the caller may not see; else what makes its item, which may cost more. */
  choose(row: Row): Promise<(() => Item | Promise<Item>) | undefined>
  /** How many match, at most `most`. Left out where some may not be seen: then they are counted by reading. */
  count?(most: number): Promise<number>
}

const mostPerPage = 1000
const mostCounted = 10_000
/** Of rows that must be judged one by one, by one call. */
const mostJudged = 4000
const rowsAtOnce = 200

/** One page. Work is bounded however much there is: a long search for visible rows ends in a short page with a next one. */
export async function readPage<Row, Item>(source: ListSource<Row, Item>, query: ListQuery): Promise<ListPage<Item>> {
  const limit = Math.min(Math.max(query.limit ?? 100, 1), mostPerPage)
  const isFirst = query.cursor === undefined
  // What is counted by reading is read once for both.
  const isCounted = isFirst && !source.count
  const { chosen, next: end } = await scan(source, query.cursor, isCounted ? mostCounted : limit)
  const shown = chosen.slice(0, limit)
  const next = chosen.length > limit ? (shown.at(-1)?.cursor ?? null) : end
  const items: Item[] = []
  for (const { make } of shown) items.push(await make())
  if (isCounted) return { items, next, total: chosen.length, capped: end !== null }
  return { items, next, ...(await countAll(source, isFirst && next === null ? items.length : null)) }
}

async function countAll<Row, Item>({ count, ...source }: ListSource<Row, Item>, known: number | null) {
  if (known !== null) return { total: known, capped: false }
  if (count) return await countUpToCap(count)
  const { chosen, next } = await scan(source, undefined, mostCounted)
  return { total: chosen.length, capped: next !== null }
}

/** @param count how many there are, at most `most` */
export async function countUpToCap(count: (most: number) => Promise<number>) {
  const total = await count(mostCounted + 1)
  return { total: Math.min(total, mostCounted), capped: total > mostCounted }
}

async function scan<Row, Item>(source: ListSource<Row, Item>, from: string | undefined, wanted: number) {
  const chosen: { cursor: string; make: () => Item | Promise<Item> }[] = []
  let cursor = from
  // One more than wanted says whether there is a next page.
  const atOnce = source.count ? wanted + 1 : rowsAtOnce
  for (let judged = 0; judged < mostJudged; ) {
    const rows = await source.read(cursor, atOnce)
    for (const row of rows) {
      const make = await source.choose(row)
      if (make && chosen.length === wanted) return { chosen, next: chosen.at(-1)?.cursor ?? null }
      cursor = source.cursorOf(row)
      if (make) chosen.push({ cursor, make })
    }
    if (rows.length < atOnce) return { chosen, next: null }
    judged += rows.length
  }
  return { chosen, next: cursor ?? null }
}

/** The answer of a route that lists: the page, and its items under the name that they had before. */
export function toAnswer<const N extends string, T>(name: N, page: ListPage<T>) {
  return { ...page, [name]: page.items } as ListPage<T> & Readonly<Record<N, readonly T[]>>
}

/** A list that is in memory, in the order of its keys. */
export function listSource<Item>(all: readonly Item[], keyOf: (item: Item) => string): ListSource<Item, Item> {
  const sorted = all.map((item) => ({ key: keyOf(item), item })).sort((a, b) => (a.key < b.key ? -1 : 1))
  return {
    read: async (cursor, limit) =>
      sorted
        .filter(({ key }) => cursor === undefined || key > cursor)
        .slice(0, limit)
        .map(({ item }) => item),
    cursorOf: keyOf,
    choose: async (item) => () => item,
    count: async (most) => Math.min(all.length, most),
  }
}

/** Which columns of a table a list goes by. */
export interface ListColumns {
  readonly at: string
  /** Any of them. */
  readonly principal: readonly string[]
  readonly resource?: string
}

/** The filters as a condition; true when there is none. */
export function matching(query: ListQuery, columns: ListColumns): RawBuilder<SqlBool> {
  const { principalId, resourceId, since, until } = query
  const at = sql.ref(columns.at)
  const of = columns.principal.map((column) => sql`${sql.ref(column)} = ${principalId}`)
  return allOf([
    ...(since === undefined ? [] : [sql`${at} >= ${since}`]),
    ...(until === undefined ? [] : [sql`${at} < ${until}`]),
    ...(principalId === undefined ? [] : [sql`(${sql.join(of, sql` or `)})`]),
    ...(resourceId === undefined || columns.resource === undefined
      ? []
      : [sql`${sql.ref(columns.resource)} = ${resourceId}`]),
  ])
}

function allOf(conditions: readonly RawBuilder<unknown>[]): RawBuilder<SqlBool> {
  return conditions.length === 0 ? sql<SqlBool>`1 = 1` : sql<SqlBool>`${sql.join(conditions, sql` and `)}`
}

/** @param select with the `limit` up to which it counts */
export async function countRows(db: Db, select: Expression<unknown>): Promise<number> {
  const { rows } = await sql<{ n: number }>`select count(*) as n from ${select} as found`.execute(db)
  return Number(rows[0]?.n ?? 0)
}

/** @throws BrokerError INVALID_INPUT for what no page gave as `next` */
export function readCursor(cursor: string, form: RegExp): string {
  if (!form.test(cursor)) throw new BrokerError('INVALID_INPUT', 'cursor: expected the `next` of an earlier page')
  return cursor
}
