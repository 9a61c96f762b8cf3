import type { CompiledQuery } from 'kysely'
import { compiledOnce, insertCompiledOnce } from '../../store/compiled-once.ts'
import type { Keyring } from '../../store/keyring.ts'
import { asOneStatement } from '../../store/one-statement.ts'
import { type Db, isShared, transactAtOnceOn, transactOn } from '../../store/store.ts'
import type { AuditRecord } from '../audit.ts'
import type { AuditTables } from '../audit-tables.ts'
import type { CanonicalValue } from '../canonical.ts'
import { type ChainRow, link, type Place } from '../chain.ts'
import { type Head, lockHead, macOf } from '../head.ts'
import { subjectsOf } from '../subjects.ts'
import { checkClaims } from './beside.ts'
import type { PreparedEvent } from './prepare-event.ts'

/** Who commits learns of it while the head is locked; what these throw rolls it back. */
export interface CommitWatch {
  /** Where the log ends, unless others have appended: it may be tried to go on behind it without a look. */
  readonly known: Head
  /** Where the log ends, before anything is linked to it. */
  onHead(head: Head): void
  /** What is committed now. */
  onLinked(records: readonly (AuditRecord | null)[]): void
}

/**
 * Links and stores events in one transaction.
 * @returns one record for each; null for one from the spool that is in the log already
 * @throws ClaimsRefused, and nothing was stored
 */
export type Commit = (
  events: readonly PreparedEvent[],
  keyring: Pick<Keyring, 'mac'>,
  watch?: CommitWatch,
) => Promise<(AuditRecord | null)[]>

export function createCommit(db: Db): Commit {
  const statements = createStatements(db)
  return async (events, keyring, watch) =>
    (await commitBehind(db, statements, events, keyring, watch)) ??
    (await commitLocked(db, statements, events, keyring, watch))
}

type Statements = ReturnType<typeof createStatements>

function createStatements(db: Db) {
  const move = compiledOnce(
    (seq: number, hash: string, mac: string, id: number, from: number, fromHash: string, installation: string) =>
      db
        .updateTable('audit_head')
        .set({ seq, hash, mac })
        .where('id', '=', id)
        .where('seq', '=', from)
        .where('hash', '=', fromHash)
        .where('installation', '=', installation)
        .returning('id')
        .compile(),
  )
  const events = insertCompiledOnce<ChainRow>(
    ['seq', 'at', 'type', 'actor', 'body', 'text_digest', 'prev_hash', 'hash'],
    (rows) => db.insertInto('audit_events').values(rows).compile(),
  )
  const texts = insertCompiledOnce<TextRow>(['seq', 'salt', 'text'], (rows) =>
    db.insertInto('audit_texts').values(rows).compile(),
  )
  const subjects = insertCompiledOnce<SubjectRow>(['subject', 'seq'], (rows) =>
    db.insertInto('audit_subjects').values(rows).compile(),
  )
  return {
    lockHead: lockHead(db).compile(),
    knownSubjects: (ids: readonly string[]) =>
      db.selectFrom('audit_subjects').select('subject').where('subject', 'in', ids).compile(),
    /** Returns no row when the log does not end at `from`. */
    moveHead: ({ id, installation, ...from }: Head, { seq, hash }: Place, keyring: Pick<Keyring, 'mac'>) =>
      move(seq, hash, macOf({ installation, seq, hash }, keyring), id, from.seq, from.hash, installation),
    rowsOf: (linked: Linked): CompiledQuery[] => [
      ...(linked.rows.length > 0 ? [events(linked.rows)] : []),
      ...(linked.texts.length > 0 ? [texts(linked.texts)] : []),
      ...inPieces(linked.rows.flatMap(subjectRows)).map(subjects),
    ],
  }
}

/** In one message to the store, where it takes one. @returns undefined when the log ends elsewhere; then nothing was stored */
async function commitBehind(
  db: Db,
  { moveHead, rowsOf }: Statements,
  events: readonly PreparedEvent[],
  keyring: Pick<Keyring, 'mac'>,
  watch: CommitWatch | undefined,
): Promise<(AuditRecord | null)[] | undefined> {
  const atOnce = transactAtOnceOn(db)
  if (!atOnce || !watch || events.some(({ spoolId }) => spoolId !== undefined)) return undefined
  const { known } = watch
  watch.onHead(known)
  const linked = linkAll(events, known, new Set())
  watch.onLinked(linked.records)
  const claims = events.map(({ beside }) => beside?.claims ?? [])
  const writes = events.flatMap(({ beside }) => beside?.writes ?? [])
  const end = linked.rows.at(-1) ?? known
  const [moved = [], ...found] = await atOnce(
    [moveHead(known, end, keyring), ...claims.flat()],
    [...rowsOf(linked), ...writes],
  )
  if (moved.length === 0) return undefined
  checkClaims(claims, found)
  return linked.records
}

async function commitLocked(
  db: Db,
  { lockHead, knownSubjects, moveHead, rowsOf }: Statements,
  events: readonly PreparedEvent[],
  keyring: Pick<Keyring, 'mac'>,
  watch: CommitWatch | undefined,
): Promise<(AuditRecord | null)[]> {
  const spoolIds = events.flatMap(({ spoolId }) => (spoolId === undefined ? [] : [spoolId]))
  const known = spoolIds.length === 0 ? [] : [knownSubjects(spoolIds)]
  const claims = events.map(({ beside }) => beside?.claims ?? [])
  let records: (AuditRecord | null)[] = []
  await transactOn(db)([lockHead, ...known, ...claims.flat()], ([heads = [], ...found]) => {
    const head = heads[0] as Head | undefined
    if (!head) throw new Error('the audit log has no head row')
    watch?.onHead(head)
    const inLog = new Set((found.slice(0, known.length).flat() as { subject: string }[]).map(({ subject }) => subject))
    checkClaims(claims, found.slice(known.length))
    const linked = linkAll(events, head, inLog)
    records = linked.records
    watch?.onLinked(records)
    const added = events.filter((_, i) => records[i] !== null)
    const end = linked.rows.at(-1)
    const appends = [...rowsOf(linked), ...(end ? [moveHead(head, end, keyring)] : [])]
    return [
      ...(isShared(db) ? asOneStatement(appends) : appends),
      ...added.flatMap(({ beside }) => beside?.writes ?? []),
    ]
  })
  return records
}

type TextRow = AuditTables['audit_texts']
type SubjectRow = AuditTables['audit_subjects']

interface Linked {
  readonly records: (AuditRecord | null)[]
  readonly rows: readonly ChainRow[]
  readonly texts: readonly TextRow[]
}

/** @param inLog ids of spooled events that are in the log: a crash may come between the commit and the emptying of the spool */
function linkAll(events: readonly PreparedEvent[], head: Head, inLog: ReadonlySet<string>): Linked {
  const rows: ChainRow[] = []
  const texts: TextRow[] = []
  const records = events.map((event) => {
    if (event.spoolId !== undefined && inLog.has(event.spoolId)) return null
    const before = rows.at(-1) ?? head
    const row = link(event, before.seq + 1, before.hash)
    rows.push(row)
    if (event.text) texts.push({ seq: row.seq, salt: event.text.salt, text: event.text.json })
    return { ...event.event, seq: row.seq, at: row.at, hash: row.hash }
  })
  return { records, rows, texts }
}

function subjectRows(row: ChainRow): SubjectRow[] {
  return [...subjectsOf(row.actor, JSON.parse(row.body) as CanonicalValue)].map((subject) => ({
    subject,
    seq: row.seq,
  }))
}

const mostRowsAtOnce = 1000 // two parameters each; both stores take more than 30,000

function inPieces<Row>(rows: readonly Row[]): (readonly Row[])[] {
  const pieces = []
  for (let i = 0; i < rows.length; i += mostRowsAtOnce) pieces.push(rows.slice(i, i + mostRowsAtOnce))
  return pieces
}
