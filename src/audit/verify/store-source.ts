import { sql } from 'kysely'
import type { Db } from '../../store/store.ts'
import type { AuditStore } from '../audit-store.ts'
import type { Head } from '../head.ts'
import { storedCheckpoints, storedEvents } from '../stored-pages.ts'
import type { Problem } from './problem.ts'
import type { AuditSource } from './verify.ts'

/** The tables of a store, for `verify`. */
export function storeSource(store: Pick<AuditStore, 'checkpoints' | 'indexedPage' | 'head'>, db: Db): AuditSource {
  let head: Promise<Head> | undefined
  return {
    async *checkpoints() {
      for await (const rows of storedCheckpoints(store)) yield* rows
    },
    checkpoint: async (n) => (await store.checkpoints(n - 1, 1)).find((row) => row.n === n),
    /** Up to the head as it is when they have been read: it moves on with the events that are written meanwhile. */
    async *events() {
      const indexed = { page: store.indexedPage }
      let last = 0
      for await (const rows of storedEvents(indexed)) {
        yield rows
        last = rows.at(-1)?.seq ?? last
      }
      head = store.head()
      yield* storedEvents(indexed, (await head).seq, last)
    },
    installation: async () => (await store.head()).installation,
    head: async () => await (head ?? store.head()),
    problems: () => findStrays(db),
  }
}

/** Rows beside the chain that belong to no event. */
async function findStrays(db: Db): Promise<Problem[]> {
  const texts = await strays(db, 'audit_texts')
  const subjects = await strays(db, 'audit_subjects')
  const what = 'belongs to no event'
  return [
    ...texts.map(({ seq }) => ({ where: 'text', at: seq, what })),
    ...subjects.map(({ seq }) => ({ where: 'subjects', at: seq, what })),
  ]
}

function strays(db: Db, table: 'audit_texts' | 'audit_subjects'): Promise<{ seq: number }[]> {
  const isStray = sql<boolean>`not exists (select 1 from audit_events where audit_events.seq = ${sql.ref(`${table}.seq`)})`
  return db.selectFrom(table).select('seq').where(isStray).orderBy('seq').limit(100).execute()
}
