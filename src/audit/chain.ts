import { hash as digest } from 'node:crypto'
import { type CanonicalValue, canonicalJson, readCanonical } from './canonical.ts'
import type { Problem } from './verify/problem.ts'

/** One event as it is stored and exported. */
export interface ChainRow {
  /** 1, 2, 3 … without a gap. */
  readonly seq: number
  /** Epoch milliseconds. */
  readonly at: number
  readonly type: string
  readonly actor: string
  /** The event's fields in canonical JSON. */
  readonly body: string
  /** {@link textDigest} of the personal text beside the chain; null when there never was any. */
  readonly text_digest: string | null
  readonly prev_hash: string
  readonly hash: string
}

/** An event of the log; of seq 0, its beginning. */
export interface Place {
  readonly seq: number
  readonly hash: string
}

export type Unlinked = Omit<ChainRow, 'seq' | 'prev_hash' | 'hash'>

/** What the first event of an installation follows. */
export function genesis(installation: string): string {
  return digest('sha256', `sallyport audit chain 1\n${installation}`)
}

/** Hex SHA-256 over every column but itself, the predecessor's hash among them. @throws TypeError for a malformed row */
export function eventHash(row: Omit<ChainRow, 'hash'>): string {
  const { actor, at, body, prev_hash, seq, text_digest, type } = row // sorted, which is faster
  return digest('sha256', canonicalJson({ actor, at, body, prev_hash, seq, text_digest, type }))
}

/** Puts an event behind its predecessor. */
export function link(event: Unlinked, seq: number, prevHash: string): ChainRow {
  const { at, type, actor, body, text_digest } = event
  const row = { seq, at, type, actor, body, text_digest, prev_hash: prevHash }
  return { ...row, hash: eventHash(row) }
}

/** @param salt random, so that a short text can't be guessed from its digest once it was erased */
export function textDigest(salt: string, text: string): string {
  return digest('sha256', `${salt}\n${text}`)
}

/** Checks rows one after another; a problem names the row and what differs in it. */
export interface ChainCheck {
  /** @param fields what {@link readCanonical} reads of the row's body, where the caller needs it too */
  next(row: ChainRow, fields?: CanonicalValue): Problem[]
  /** What the head row says; call it after the last row. */
  end(head: Place): Problem[]
}

/** Checks a whole sequence at once. */
export function verifyChain(rows: Iterable<ChainRow>, installation: string, head: Place): Problem[] {
  const check = createChainCheck(installation)
  const problems: Problem[] = []
  for (const row of rows) problems.push(...check.next(row))
  return [...problems, ...check.end(head)]
}

interface Previous {
  readonly seq: number
  /** What the next row must name as its predecessor. */
  readonly hash: string
  /** Set while it isn't known yet whether the hash or the content of this row was changed. */
  readonly computed?: string
}

/** @param after the event that the first row must follow; by default the beginning of the log */
export function createChainCheck(installation: string, after?: Place): ChainCheck {
  let previous: Previous = after ?? { seq: 0, hash: genesis(installation) }
  return {
    next: (row, fields = readCanonical(row.body)) => {
      const problems: Problem[] = []
      const before = settle(previous, row.prev_hash, problems)
      previous = checkRow(row, fields, before, problems)
      return problems
    },
    end: (head) => {
      const problems: Problem[] = []
      const last = settle(previous, head.hash, problems)
      if (head.seq !== last.seq) {
        problems.push({
          where: 'head',
          at: head.seq,
          what: `the head row names this event, but the last event is ${last.seq}`,
        })
      } else if (head.hash !== last.hash) {
        problems.push({
          where: 'head',
          at: head.seq,
          what: 'the hash in the head row is not the hash of the last event',
        })
      }
      return problems
    },
  }
}

/** Says which part of a mismatched row was changed, now that its successor has shown what it followed. */
function settle(previous: Previous, follows: string, problems: Problem[]): Previous {
  if (previous.computed === undefined) return previous
  const isHashChanged = follows === previous.computed
  problems.push({
    where: 'event',
    at: previous.seq,
    what: isHashChanged ? 'its hash was changed' : 'its content was changed (at, type, actor, body or text_digest)',
  })
  return { seq: previous.seq, hash: isHashChanged ? previous.computed : previous.hash }
}

function checkRow(row: ChainRow, fields: CanonicalValue | undefined, before: Previous, problems: Problem[]): Previous {
  const malformed = malformedColumn(row, fields)
  if (malformed) {
    problems.push({ where: 'event', at: before.seq + 1, what: `its ${malformed} is malformed` })
    return { seq: before.seq + 1, hash: String(row.hash) }
  }
  const seq = checkSeq(row, before, problems)
  const isNext = seq === before.seq + 1
  const computed = eventHash(seq === row.seq ? row : { ...row, seq })
  if (isNext && row.prev_hash !== before.hash) {
    const isOnlyLink = eventHash({ ...row, seq, prev_hash: before.hash }) === row.hash
    const what = isOnlyLink ? 'its prev_hash was changed' : `its prev_hash does not match event ${before.seq}`
    problems.push({ where: 'event', at: seq, what })
    return { seq, hash: row.hash }
  }
  return computed === row.hash ? { seq, hash: row.hash } : { seq, hash: row.hash, computed }
}

/** @returns the seq that this row had when it was hashed */
function checkSeq(row: ChainRow, before: Previous, problems: Problem[]): number {
  const expected = before.seq + 1
  if (row.seq === expected) return expected
  if (eventHash({ ...row, seq: expected }) === row.hash) {
    problems.push({ where: 'event', at: expected, what: `its seq was changed to ${row.seq}` })
    return expected
  }
  const what =
    row.seq > expected
      ? `missing: ${before.seq} is followed by ${row.seq}`
      : `out of order: ${before.seq} is followed by ${row.seq}`
  problems.push({ where: 'event', at: expected, what })
  return row.seq
}

const hex = /^[0-9a-f]{64}$/

function malformedColumn(row: ChainRow, fields: CanonicalValue | undefined): string | undefined {
  if (!Number.isSafeInteger(row.seq) || row.seq < 1) return 'seq'
  if (!Number.isSafeInteger(row.at)) return 'at'
  if (typeof row.type !== 'string') return 'type'
  if (typeof row.actor !== 'string') return 'actor'
  if (typeof row.body !== 'string' || fields === undefined) return 'body'
  if (row.text_digest !== null && !hex.test(String(row.text_digest))) return 'text_digest'
  return typeof row.prev_hash === 'string' ? undefined : 'prev_hash'
}
