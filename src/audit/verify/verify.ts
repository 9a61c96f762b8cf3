import type { KeyObject } from 'node:crypto'
import type { CheckpointRow, IndexedEvent, StoredEvent } from '../audit-store.ts'
import { type CanonicalValue, readCanonical } from '../canonical.ts'
import { createChainCheck, genesis, textDigest } from '../chain.ts'
import { type Checkpoint, openCheckpoint, parseCheckpointLine, readPublicKey } from '../checkpoint.ts'
import type { Head } from '../head.ts'
import { type Fork, readFork } from '../mark/fork.ts'
import { endOf, type RecordingEnd, RecordingLedger } from '../recording-ledger.ts'
import { isIndexed, subjectsOf } from '../subjects.ts'
import type { Problem } from './problem.ts'
import { type AuditReport, writeReport } from './report.ts'

export type { AuditReport } from './report.ts'

/** A log to check: a store or an export. Read in this order: checkpoints, installation, events, head, problems. */
export interface AuditSource {
  checkpoints(): AsyncIterable<CheckpointRow>
  /** One that may have been made since those were read; an export has none. */
  checkpoint?(n: number): Promise<CheckpointRow | undefined>
  installation(): Promise<string>
  /** Pages, in the order of `seq`; an export has no search index. */
  events(): AsyncIterable<readonly (StoredEvent | IndexedEvent)[]>
  head(): Promise<Pick<Head, 'seq' | 'hash'>>
  /** What is wrong with the source itself. */
  problems(): Promise<readonly Problem[]>
}

export interface AnchorCopy {
  readonly name: string
  /** JSON lines; lines without a checkpoint are skipped, so that captured standard output works. */
  readonly lines: AsyncIterable<string>
}

export interface VerifyOptions {
  readonly source: AuditSource
  readonly publicKeyPem: string
  /** Copies of checkpoints from outside. */
  readonly anchors?: readonly AnchorCopy[]
  /** Checks one recording against what the log says of it. @returns what is wrong, or null; or why it could not be checked */
  readonly checkRecording?: (end: RecordingEnd) => Promise<string | null | { readonly unchecked: string }>
  /** Of other features: HMACs of grants, tokens, rule revisions. */
  readonly extraChecks?: readonly (() => AsyncIterable<Problem>)[]
}

/** A hash that the log must have at some event, according to a signature. */
interface Expectation {
  readonly hash: string
  readonly at: number
  readonly where: 'checkpoint' | 'anchor'
  readonly name: string | number
  /** Number of the checkpoint. */
  readonly n: number
}

const mostProblems = 100

/** Checks a whole audit log and reports up to which event its integrity is proven, and by what. Never throws for what it finds. */
export async function verifyAudit(options: VerifyOptions): Promise<AuditReport> {
  return await new Verification(options).run()
}

class Verification {
  readonly #options: VerifyOptions
  readonly #key: KeyObject
  readonly #expected = new Map<number, Expectation[]>()
  readonly #recordings = new RecordingLedger()
  readonly #problems: Problem[] = []
  readonly #notes: string[] = []
  #problemCount = 0
  #firstBadSeq = Number.POSITIVE_INFINITY
  /** Bodies by number, to compare with the anchors'. */
  readonly #bodies = new Map<number, string>()
  #installation = ''
  #erasedTexts = 0
  #events = 0
  #signed: { seq: number; at: number } | null = null
  readonly #forks: Fork[] = []
  /** Of checkpoints that the log lacks: whether a fork explains it is known once the events are read. */
  readonly #absent: { readonly n: number; readonly what: string }[] = []
  #anchored: { seq: number; at: number; anchor: string } | null = null

  constructor(options: VerifyOptions) {
    this.#options = options
    this.#key = readPublicKey(options.publicKeyPem)
  }

  async run(): Promise<AuditReport> {
    const { source } = this.#options
    const checkpoints = await this.#readCheckpoints()
    this.#installation = await source.installation()
    this.#checkInstallation(checkpoints)
    for (const anchor of this.#options.anchors ?? []) await this.#readAnchor(anchor)
    // While one waits for the store another computes.
    const checks = (this.#options.extraChecks ?? []).map(collect)
    const [head, strays, ...found] = await Promise.all([this.#readEvents(), source.problems(), ...checks])
    this.#add(strays)
    const recordings = await this.#checkRecordings()
    for (const problems of found) this.#add(problems)
    return writeReport({
      installation: this.#installation,
      events: this.#events,
      head: { seq: head.seq, hash: head.hash },
      checkpoints: checkpoints.length,
      erasedTexts: this.#erasedTexts,
      recordings,
      signed: this.#provable(this.#signed),
      anchored: this.#provable(this.#anchored),
      forks: this.#forks.map(({ seq }) => seq),
      wasAnchorGiven: (this.#options.anchors ?? []).length > 0,
      problems: this.#problems,
      problemCount: this.#problemCount,
      notes: this.#notes,
    })
  }

  async #readCheckpoints(): Promise<Pick<Checkpoint, 'n' | 'installation'>[]> {
    const found: Pick<Checkpoint, 'n' | 'installation'>[] = []
    let expected = 1
    for await (const row of this.#options.source.checkpoints()) {
      if (row.n !== expected)
        this.#absent.push({ n: row.n - 1, what: `missing: ${expected - 1} is followed by ${row.n}` })
      expected = row.n + 1
      const opened = openCheckpoint(row, this.#key)
      if (!opened.ok) {
        this.#report('checkpoint', row.n, opened.what)
        continue
      }
      const { checkpoint } = opened
      if (checkpoint.n !== row.n) this.#report('checkpoint', row.n, `it was signed as number ${checkpoint.n}`)
      this.#bodies.set(checkpoint.n, row.body)
      found.push({ n: checkpoint.n, installation: checkpoint.installation })
      this.#expect(checkpoint, 'checkpoint', checkpoint.n)
    }
    if (expected === 1) this.#report('checkpoint', 1, 'none found, although the daemon makes one at every start')
    return found
  }

  #checkInstallation(checkpoints: readonly Pick<Checkpoint, 'n' | 'installation'>[]): void {
    for (const { n, installation } of checkpoints) {
      if (installation !== this.#installation)
        this.#report('checkpoint', n, `it belongs to another installation, ${installation}`)
    }
  }

  async #readAnchor(anchor: AnchorCopy): Promise<void> {
    let line = 0
    let found = 0
    try {
      for await (const text of anchor.lines) {
        line++
        const signed = parseCheckpointLine(text)
        if (signed) {
          found++
          await this.#checkAnchored(anchor.name, line, signed)
        } else if (text.includes('"checkpoint"')) {
          this.#notes.push(`${anchor.name}, line ${line}: incomplete or damaged; skipped`)
        }
      }
    } catch (error) {
      this.#report('anchor', anchor.name, `cannot be read: ${(error as Error).message}`)
      return
    }
    if (found === 0) this.#report('anchor', anchor.name, 'it contains no checkpoints, so it proves nothing')
  }

  async #checkAnchored(name: string, line: number, signed: { body: string; signature: string }): Promise<void> {
    const place = `${name}:${line}`
    const opened = openCheckpoint(signed, this.#key)
    if (!opened.ok) {
      this.#report('anchor', place, opened.what)
      return
    }
    const { checkpoint } = opened
    if (checkpoint.installation !== this.#installation) {
      this.#report('anchor', place, `it belongs to another installation, ${checkpoint.installation}`)
      return
    }
    const stored = this.#bodies.get(checkpoint.n) ?? (await this.#options.source.checkpoint?.(checkpoint.n))?.body
    if (stored === undefined)
      this.#absent.push({ n: checkpoint.n, what: `missing from the log, but present in the anchor (${place})` })
    else if (stored !== signed.body)
      this.#report('checkpoint', checkpoint.n, `differs from the one in the anchor (${place})`)
    this.#expect(checkpoint, 'anchor', place)
  }

  #expect(checkpoint: Checkpoint, where: Expectation['where'], name: string | number): void {
    const expectation = { hash: checkpoint.hash, at: checkpoint.at, where, name, n: checkpoint.n }
    const others = this.#expected.get(checkpoint.seq)
    if (others) others.push(expectation)
    else this.#expected.set(checkpoint.seq, [expectation])
    if (this.#options.checkRecording) this.#recordings.addHeads(checkpoint.recordings)
  }

  async #readEvents(): Promise<Pick<Head, 'seq' | 'hash'>> {
    const { source } = this.#options
    const chain = createChainCheck(this.#installation)
    let lastSeq = 0
    this.#meet(0, genesis(this.#installation))
    for await (const page of source.events()) {
      const bodies = page.map(({ body }) => readCanonical(body))
      for (const [i, row] of page.entries()) {
        this.#add(chain.next(row, bodies[i]))
        this.#checkText(row)
        this.#noteFork(row)
        this.#meet(row.seq, row.hash)
        if (this.#options.checkRecording) this.#recordings.addEnd(endOf(row))
        lastSeq = row.seq
        this.#events++
      }
      for (const [i, row] of page.entries()) if ('subjects' in row) this.#checkSubjects(row, bodies[i])
    }
    const head = await source.head()
    this.#add(chain.end(head))
    this.#reportTruncation(lastSeq)
    for (const { n, what } of this.#absent) if (!this.#isGivenUp(n)) this.#report('checkpoint', n, what)
    return head
  }

  /** Compares the hash of an event with what signatures say it must be. */
  #meet(seq: number, hash: string): void {
    for (const { hash: expected, where, name, at, n } of this.#expected.get(seq) ?? []) {
      if (hash !== expected) {
        if (this.#isGivenUp(n)) continue
        this.#report(where, name, `it signs a different event ${seq}: the log was rewritten`)
        this.#firstBadSeq = Math.min(this.#firstBadSeq, seq)
      } else if (where === 'checkpoint') {
        if (seq >= (this.#signed?.seq ?? 0)) this.#signed = { seq, at }
      } else if (seq >= (this.#anchored?.seq ?? 0)) {
        this.#anchored = { seq, at, anchor: String(name) }
      }
    }
    this.#expected.delete(seq)
  }

  #noteFork(row: StoredEvent): void {
    const fork = readFork(row)
    if (!fork) return
    this.#forks.push(fork)
    const lost = fork.lostSeq >= row.seq ? `events ${row.seq} to ${fork.lostSeq} as they were before are not in it` : ''
    const damage = fork.damagedAt === null ? '' : `it was damaged at event ${fork.damagedAt}`
    const what = [lost, damage].filter((part) => part !== '').join('; ')
    this.#notes.push(
      `the log forks at event ${row.seq}: a restore was confirmed at ${new Date(row.at).toISOString()}${what ? `; ${what}` : ''}`,
    )
  }

  /** A checkpoint of a branch that was given up by a restore that the log has told by now. */
  #isGivenUp(n: number): boolean {
    return this.#forks.some(({ lostCheckpoint }) => n <= lostCheckpoint)
  }

  #reportTruncation(lastSeq: number): void {
    for (const [seq, expectations] of this.#expected) {
      for (const { where, name, n } of expectations) {
        if (this.#isGivenUp(n)) continue
        const what = seq > lastSeq ? `the log ends at event ${lastSeq}: it was truncated` : 'that event is missing'
        this.#report(where, name, `it signs event ${seq}, but ${what}`)
      }
    }
  }

  #checkText(row: StoredEvent): void {
    if (row.text === null) {
      if (row.text_digest !== null) this.#erasedTexts++
    } else if (row.text_digest === null) {
      this.#report('text', row.seq, 'there is text for an event that had none')
    } else if (textDigest(String(row.salt), row.text) !== row.text_digest) {
      this.#report('text', row.seq, "the event's text or its salt does not match the digest in the event")
    }
  }

  /** @param fields undefined: the body is damaged, which the check of the chain names */
  #checkSubjects(row: IndexedEvent, fields: CanonicalValue = {}): void {
    if (!isIndexed(subjectsOf(row.actor, fields), row.subjects ?? ''))
      this.#report('subjects', row.seq, 'the search index does not match the values of the event')
  }

  async #checkRecordings(): Promise<number | null> {
    const { checkRecording } = this.#options
    if (!checkRecording) return null
    let count = 0
    const unchecked = new Map<string, number>()
    for (const end of this.#recordings.ends()) {
      const what = await checkRecording(end)
      if (what !== null && typeof what === 'object')
        unchecked.set(what.unchecked, (unchecked.get(what.unchecked) ?? 0) + 1)
      else count++
      if (typeof what === 'string') this.#report('recording', end.session, what)
    }
    for (const [why, recordings] of unchecked)
      this.#notes.push(`recordings that were not checked: ${recordings}; ${why}`)
    return count
  }

  /** A signature over the end of a damaged range proves nothing of it. */
  #provable<T extends { seq: number }>(newest: T | null): T | null {
    return newest && newest.seq < this.#firstBadSeq ? newest : null
  }

  #report(where: string, at: number | string, what: string): void {
    this.#add([{ where, at, what }])
  }

  #add(problems: readonly Problem[]): void {
    for (const problem of problems) {
      this.#problemCount++
      if (this.#problems.length < mostProblems) this.#problems.push(problem)
      const isInChain = problem.where === 'event' || problem.where === 'text'
      if (isInChain) this.#firstBadSeq = Math.min(this.#firstBadSeq, Number(problem.at))
    }
  }
}

async function collect(check: () => AsyncIterable<Problem>): Promise<Problem[]> {
  const problems: Problem[] = []
  for await (const problem of check()) problems.push(problem)
  return problems
}
