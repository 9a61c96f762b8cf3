import { type CompiledQuery, type SelectQueryBuilder, sql } from 'kysely'
import { BrokerError } from '../../proxy/session.ts'
import { countRows, readCursor } from '../store/lists.ts'
import type { Database } from '../store/schema.ts'
import { type Db, transactOn } from '../store/store.ts'
import { createCommit } from './append/commit-events.ts'
import type { AuditQuery, AuditRecord, AuditType, AuditValue } from './audit.ts'
import type { AuditTables } from './audit-tables.ts'
import { type ChainRow, genesis, type Place } from './chain.ts'
import { type Head, lockHead } from './head.ts'

export type CheckpointRow = AuditTables['audit_checkpoints']

/** An event with the text beside it, as `verify` and exports read it. */
export interface StoredEvent extends ChainRow {
  /** Null when there never was any, or when it was erased. */
  readonly salt: string | null
  readonly text: string | null
}

/** Also with what the search index has of it, each subject after its length in characters and a colon. */
export interface IndexedEvent extends StoredEvent {
  /** Null: nothing. */
  readonly subjects: string | null
}

/** Queries of the audit log. Rows of the chain are only ever inserted. */
export function createAuditStore(db: Db) {
  return {
    /** Makes the head row at first start. @throws BrokerError AUDIT_UNAVAILABLE when the log does not end where its head says */
    open: (installation: string) => openHead(db, installation),
    /** Links and stores events. */
    commit: createCommit(db),
    head: (): Promise<Head> => db.selectFrom('audit_head').selectAll().where('id', '=', 1).executeTakeFirstOrThrow(),
    /** Events after `seq`, oldest first. */
    page: (afterSeq: number, limit: number): Promise<StoredEvent[]> =>
      selectEvents(db, ['>', afterSeq]).orderBy('audit_events.seq').limit(limit).execute(),
    /** As {@link page}, for a check of the search index: one row for each event, instead of one for each subject. */
    indexedPage: (afterSeq: number, limit: number): Promise<IndexedEvent[]> =>
      selectEvents(db, ['>', afterSeq])
        .select(({ selectFrom }) =>
          selectFrom('audit_subjects')
            .select(sql<string | null>`string_agg(length(subject) || ':' || subject, '')`.as('joined'))
            .whereRef('audit_subjects.seq', '=', 'audit_events.seq')
            .as('subjects'),
        )
        .orderBy('audit_events.seq')
        .limit(limit)
        .execute(),
    search: (query: AuditQuery) => search(db, query),
    /** How many match, at most `most`; whatever the cursor is. */
    count: (query: AuditQuery, most: number) =>
      countRows(db, matches(db.selectFrom('audit_events').select('audit_events.seq'), query).limit(most)),
    /** Numbers a checkpoint behind its predecessor while the head row is locked. */
    addCheckpoint: (least: number, make: (n: number, head: Head) => CheckpointRow): Promise<CheckpointRow> =>
      addCheckpoint(db, least, make),
    /** The hash of one event; undefined when the log has none of that number. */
    hashAt: async (seq: number): Promise<string | undefined> =>
      (await db.selectFrom('audit_events').select('hash').where('seq', '=', seq).executeTakeFirst())?.hash,
    /** The head row, and where the events end, at one moment. */
    ends: () => endsOf(db),
    /** The head row, and the events from `seq` on, at one moment. */
    headAndEvents: (seq: number, limit: number) => headAndEvents(db, seq, limit),
    /** Makes the head row say where the log ends. */
    repairHead: async (installation: string): Promise<void> => {
      const { last } = await endsOf(db)
      const head = { id: 1, installation, ...(last ?? { seq: 0, hash: genesis(installation) }), mac: null }
      await db
        .insertInto('audit_head')
        .values(head)
        .onConflict((conflict) => conflict.column('id').doUpdateSet(head))
        .execute()
    },
    /** Events of one type after `seq` and since an instant, oldest first. */
    ofType: (type: string, afterSeq: number, since: number, limit: number): Promise<ChainRow[]> =>
      db
        .selectFrom('audit_events')
        .selectAll()
        .where('type', '=', type)
        .where('seq', '>', afterSeq)
        .where('at', '>=', since)
        .orderBy('seq')
        .limit(limit)
        .execute(),
    /** For the claims of an event: that there is none of its type about this subject. */
    isFirst: (type: string, subject: string): CompiledQuery => {
      const earlier = db
        .selectFrom('audit_subjects')
        .innerJoin('audit_events', 'audit_events.seq', 'audit_subjects.seq')
        .select('audit_events.seq')
        .where('audit_subjects.subject', '=', subject)
        .where('audit_events.type', '=', type)
      const once = db.selectFrom(sql<{ one: number }>`(select 1 as one)`.as('once')).select('one')
      return once.where(({ not, exists }) => not(exists(earlier))).compile()
    },
    /** The newest event of one type. */
    newestOf: (type: string): Promise<ChainRow | undefined> =>
      db
        .selectFrom('audit_events')
        .selectAll()
        .where('type', '=', type)
        .orderBy('seq', 'desc')
        .limit(1)
        .executeTakeFirst(),
    newestCheckpoint: (): Promise<CheckpointRow | undefined> =>
      db.selectFrom('audit_checkpoints').selectAll().orderBy('n', 'desc').limit(1).executeTakeFirst(),
    /** Checkpoints after number `n`, oldest first. */
    checkpoints: (afterN: number, limit: number): Promise<CheckpointRow[]> =>
      db.selectFrom('audit_checkpoints').selectAll().where('n', '>', afterN).orderBy('n').limit(limit).execute(),
  }
}

export type AuditStore = ReturnType<typeof createAuditStore>

interface Ends {
  readonly head: Head | undefined
  /** Where the events end; undefined: there are none. */
  readonly last: Place | undefined
}

async function endsOf(db: Db): Promise<Ends> {
  const last = db.selectFrom('audit_events').select(['seq', 'hash']).orderBy('seq', 'desc').limit(1).as('last')
  const row = await db
    .selectFrom(sql<{ one: number }>`(select 1 as one)`.as('once'))
    .leftJoin('audit_head', (join) => join.on('audit_head.id', '=', 1))
    .leftJoin(last, (join) => join.onTrue())
    .selectAll('audit_head')
    .select(['last.seq as last_seq', 'last.hash as last_hash'])
    .executeTakeFirstOrThrow()
  const { last_seq: seq, last_hash: hash, ...head } = row
  return {
    head: head.id === null ? undefined : (head as Head),
    last: seq === null || hash === null ? undefined : { seq, hash },
  }
}

async function headAndEvents(
  db: Db,
  seq: number,
  limit: number,
): Promise<{ head: Head | undefined; events: StoredEvent[] }> {
  const events = db.selectFrom('audit_events').selectAll().where('seq', '>=', seq).orderBy('seq').limit(limit)
  const rows = await db
    .selectFrom('audit_head')
    .leftJoin(events.as('audit_events'), (join) => join.onTrue())
    .leftJoin('audit_texts', (join) =>
      join.onRef('audit_texts.seq', '=', 'audit_events.seq').on('audit_texts.seq', '>=', seq),
    )
    .where('audit_head.id', '=', 1)
    .selectAll('audit_events')
    .select(['audit_texts.salt', 'audit_texts.text'])
    .select(['audit_head.id as head_id', 'audit_head.installation', 'audit_head.mac'])
    .select(['audit_head.seq as head_seq', 'audit_head.hash as head_hash'])
    .orderBy('audit_events.seq')
    .execute()
  const [first] = rows
  if (!first) return { head: undefined, events: [] }
  const { installation, mac, head_id, head_seq, head_hash } = first
  const head = { id: head_id, installation, mac, seq: head_seq, hash: head_hash }
  return { head, events: rows.flatMap((row) => (row.seq === null ? [] : [toStored(row as StoredEvent)])) }
}

/** Without what else a row has. */
function toStored({ seq, at, type, actor, body, text_digest, prev_hash, hash, salt, text }: StoredEvent): StoredEvent {
  return { seq, at, type, actor, body, text_digest, prev_hash, hash, salt, text }
}

async function openHead(db: Db, installation: string): Promise<Head> {
  const first = { id: 1, installation, seq: 0, hash: genesis(installation), mac: null }
  const { head, last } = await endsOf(db)
  if (!head && !last) {
    const rows = db.insertInto('audit_head').values(first)
    await rows.onConflict((conflict) => conflict.column('id').doNothing()).execute() // another daemon starts, too
    return await openHead(db, installation)
  }
  const expected = last ?? first
  if (!head || head.seq !== expected.seq || head.hash !== expected.hash || head.installation !== installation) {
    const found = head ? `${head.seq} of ${head.installation}` : 'nothing'
    throw new BrokerError(
      'AUDIT_UNAVAILABLE',
      `the head row names event ${found}, but the log ends at ${expected.seq}`,
      {
        hint: 'the store was changed outside the broker; check a copy with: sallyport audit verify --store',
      },
    )
  }
  return head
}

async function addCheckpoint(
  db: Db,
  least: number,
  make: (n: number, head: Head) => CheckpointRow,
): Promise<CheckpointRow> {
  const newest = db.selectFrom('audit_checkpoints').select('n').orderBy('n', 'desc').limit(1)
  let made: CheckpointRow | undefined
  await transactOn(db)([lockHead(db).compile(), newest.compile()], ([heads = [], last = []]) => {
    const head = heads[0] as Head | undefined
    if (!head) throw new Error('the audit log has no head row')
    const n = (last[0] as { n: number } | undefined)?.n ?? 0
    made = make(Math.max(n + 1, least), head)
    return [db.insertInto('audit_checkpoints').values(made).compile()]
  })
  return made as unknown as CheckpointRow
}

/** The bound is said of both tables: a merge join of PostgreSQL would read every text from the first for each page. */
function selectEvents(db: Db, [from, seq]: ['>' | '<', number]) {
  return db
    .selectFrom('audit_events')
    .leftJoin('audit_texts', (join) =>
      join.onRef('audit_texts.seq', '=', 'audit_events.seq').on('audit_texts.seq', from, seq),
    )
    .selectAll('audit_events')
    .select(['audit_texts.salt', 'audit_texts.text'])
    .where('audit_events.seq', from, seq)
}

async function search(db: Db, query: AuditQuery) {
  const limit = Math.min(Math.max(query.limit ?? 100, 1), 1000)
  const before =
    query.cursor === undefined ? Number.MAX_SAFE_INTEGER : Number(readCursor(query.cursor, /^[0-9]{1,15}$/))
  const rows = await matches(selectEvents(db, ['<', before]), query)
    .orderBy('audit_events.seq', 'desc')
    .limit(limit + 1)
    .execute()
  const events = rows.slice(0, limit).map(toRecord)
  return { events, next: rows.length > limit ? String(events.at(-1)?.seq) : null }
}

function matches<S extends SelectQueryBuilder<Database, 'audit_events', unknown>>(all: S, query: AuditQuery): S {
  let select: SelectQueryBuilder<Database, 'audit_events', unknown> = all
  if (query.types && query.types.length > 0) select = select.where('audit_events.type', 'in', [...query.types])
  if (query.actor !== undefined) select = select.where('audit_events.actor', '=', query.actor)
  if (query.since !== undefined) select = select.where('audit_events.at', '>=', query.since)
  if (query.until !== undefined) select = select.where('audit_events.at', '<', query.until)
  for (const subject of [...(query.subject === undefined ? [] : [query.subject]), ...(query.about ?? [])])
    select = select.where(
      'audit_events.seq',
      'in',
      sql<number>`(select seq from audit_subjects where subject = ${subject})`,
    )
  return select as S
}

export function toRecord(row: StoredEvent): AuditRecord {
  return {
    seq: row.seq,
    at: row.at,
    type: row.type as AuditType,
    actor: row.actor,
    fields: JSON.parse(row.body) as Record<string, AuditValue>,
    ...(row.text === null ? {} : { text: JSON.parse(row.text) as Record<string, string> }),
    hash: row.hash,
  }
}
