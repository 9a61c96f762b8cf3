/**
 * What every daemon on the store appends, to each of them: the log is the one feed of changes. It is read behind the last event that
 * this daemon knows, and verified before anything is told: the chain from there, and the MAC of the head that it must lead to.
 */
import { BrokerError } from '../../proxy/session.ts'
import type { CommitWatch } from './append/commit-events.ts'
import type { AuditRecord, Origin } from './audit.ts'
import { type AuditStore, type StoredEvent, toRecord } from './audit-store.ts'
import { createChainCheck, type Place, textDigest } from './chain.ts'
import { type Head, type HeadMacs, isHeadSigned } from './head.ts'
import type { Mark } from './mark/mark.ts'
import type { Problem } from './verify/problem.ts'

export interface FeedDeps {
  readonly store: Pick<AuditStore, 'headAndEvents' | 'page'>
  readonly keyring: HeadMacs
  readonly installation: string
  /** The last event that was verified before. */
  readonly known: Place
  readonly mark: Pick<Mark, 'advance'>
  /** Every event behind `known`, once and in order. Must not throw. */
  tell(record: AuditRecord, from: Origin): void
  /** Called once. Nothing is told afterwards, and no commit succeeds. */
  onDamaged(what: string): void
  /** Milliseconds since any fixed moment. */
  elapsedMs(): number
}

type Records = readonly (AuditRecord | null)[]

const mostAtOnce = 500

export class Feed {
  readonly #deps: FeedDeps
  #known: Place
  #damage: string | undefined
  /** Hashes of what is being committed here: told once its commit has ended. */
  #ours: ReadonlySet<string> = new Set()
  #turn: Promise<unknown> = Promise.resolve()
  #next: Promise<void> | undefined
  #completeAt: number

  constructor(deps: FeedDeps) {
    this.#deps = deps
    this.#known = deps.known
    this.#completeAt = deps.elapsedMs()
  }

  /** How long ago every event that was there had been told. */
  get ageMs(): number {
    return this.#deps.elapsedMs() - this.#completeAt
  }

  /**
   * Tells what other daemons have appended until now.
   * @throws BrokerError AUDIT_UNAVAILABLE when the log is damaged, or what the store throws
   */
  catchUp(): Promise<void> {
    this.#next ??= this.#alone(() => {
      this.#next = undefined // who asks from now on wants a later look
      return this.#poll()
    })
    return this.#next
  }

  /**
   * Whether the log may go on behind this head, as it is while it is locked.
   * @throws BrokerError AUDIT_UNAVAILABLE when it is not the head of what this daemon knows, or of events that follow it
   */
  checkHead(head: Head): void {
    if (this.#damage === undefined && isSame(head, this.#known)) return
    this.#require(head)
    if (head.seq <= this.#known.seq) this.#damaged(`event ${head.seq} of the log is not the one that was written`)
  }

  /**
   * Runs one commit, never two at once. What others appended before it is told before it, and both before this resolves: who appends
   * has heard of all that came before.
   */
  async commit(run: (watch: CommitWatch) => Promise<Records>): Promise<Records> {
    let before = this.#known
    try {
      const { installation } = this.#deps
      const records = await run({
        known: { id: 1, installation, mac: null, ...this.#known },
        onHead: (head) => {
          this.checkHead(head)
          before = head
        },
        onLinked: (linked) => {
          this.#ours = new Set(linked.flatMap((record) => record?.hash ?? []))
        },
      })
      await this.#alone(() => this.#addOwn(records, before))
      return records
    } finally {
      this.#ours = new Set()
    }
  }

  async #addOwn(records: Records, before: Place): Promise<void> {
    const own = records.filter((record) => record !== null)
    const last = own.at(-1)
    if (!last) return
    let failure: unknown
    const note = (error: unknown) => {
      failure ??= error
    }
    if (this.#known.seq < before.seq) await this.#readTo(before).catch(note)
    if (isSame(this.#known, before)) {
      await this.#deps.mark.advance(own).catch(note)
      this.#known = last
      for (const record of own) this.#deps.tell(record, failure === undefined ? 'here' : 'elsewhere')
    }
    // They are in the log, so they must not be appended again.
    if (failure !== undefined)
      throw new BrokerError('AUDIT_UNAVAILABLE', (failure as Error).message, { cause: failure })
  }

  /** In one statement, so that head and events are of one moment. */
  async #poll(): Promise<void> {
    if (this.#damage !== undefined) throw damagedLog(this.#damage)
    const { head, events } = await this.#deps.store.headAndEvents(this.#known.seq, mostAtOnce)
    if (!head) return this.#damaged('the log has no head row')
    this.#require(head)
    const known = this.#known.seq === 0 ? undefined : events[0]
    if (this.#known.seq > 0 && !(known && isSame(known, this.#known) && this.#isIntact(known)))
      this.#damaged(`event ${this.#known.seq} of the log is not the one that was written`)
    await this.#readTo(head, known ? events.slice(1) : events)
  }

  #require(head: Head): void {
    if (this.#damage !== undefined) throw damagedLog(this.#damage)
    const { installation, keyring } = this.#deps
    const { seq } = this.#known
    if (head.installation !== installation)
      this.#damaged(`the log belongs to another installation, ${head.installation}`)
    if (head.seq < seq) this.#damaged(`the log ends at event ${head.seq}, but it had reached event ${seq}`)
    const isUnchanged = isSame(head, this.#known) && head.mac === null // of a version without marks
    if (!isUnchanged && !isHeadSigned(head, keyring))
      this.#damaged(`the events after ${seq} were not written by this broker`)
  }

  /** The content of the last event that is known, too. */
  #isIntact(row: StoredEvent): boolean {
    const check = createChainCheck(this.#deps.installation, { seq: row.seq - 1, hash: row.prev_hash })
    return [...check.next(row), ...check.end(row)].length === 0
  }

  #page(after: Place, last: Place): Promise<StoredEvent[]> {
    return this.#deps.store.page(after.seq, Math.min(mostAtOnce, last.seq - after.seq))
  }

  /**
   * Verifies everything up to `last`, which is signed, and only then tells it, page by page.
   * @param read the events that follow the known one, where they were read: all, or as many as are read at once
   */
  async #readTo(last: Place, read?: readonly StoredEvent[]): Promise<void> {
    const check = createChainCheck(this.#deps.installation, this.#known)
    const ends: Place[] = []
    const first = read ?? (await this.#page(this.#known, last))
    let rows = first
    while (rows.length > 0) {
      for (const row of rows) this.#accept(check.next(row), row)
      const end = rows.at(-1) as StoredEvent
      ends.push({ seq: end.seq, hash: end.hash })
      rows = end.seq < last.seq && rows.length >= mostAtOnce - 1 ? await this.#page(end, last) : []
    }
    this.#accept(check.end(last))
    if (ends.length <= 1) return await this.#tell(first)
    for (const end of ends) {
      const again = await this.#page(this.#known, end)
      const recheck = createChainCheck(this.#deps.installation, this.#known)
      for (const row of again) this.#accept(recheck.next(row), row)
      this.#accept(recheck.end(end))
      await this.#tell(again)
      if (this.#known.seq < end.seq) return // our own commit ends first
    }
  }

  #accept([problem]: readonly Problem[], row?: StoredEvent): void {
    if (problem) this.#damaged(`event ${problem.at} of the log: ${problem.what}`)
    if (row && !isTextIntact(row)) this.#damaged(`the text of event ${row.seq} is not the one that was written`)
  }

  /** Removals must not wait for the mark: it follows. */
  async #tell(rows: readonly StoredEvent[]): Promise<void> {
    const upTo = rows.findIndex(({ hash }) => this.#ours.has(hash))
    const foreign = upTo < 0 ? rows : rows.slice(0, upTo)
    for (const row of foreign) {
      this.#known = { seq: row.seq, hash: row.hash }
      this.#deps.tell(toRecord(row), 'elsewhere')
    }
    if (upTo < 0) this.#completeAt = this.#deps.elapsedMs()
    await this.#deps.mark.advance(foreign)
  }

  #damaged(what: string): never {
    if (this.#damage === undefined) {
      this.#damage = what
      this.#deps.onDamaged(what)
    }
    throw damagedLog(this.#damage)
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => undefined) // its caller hears of it
    return result
  }
}

function isSame(one: Place, other: Place): boolean {
  return one.seq === other.seq && one.hash === other.hash
}

/** An erased text is none. */
function isTextIntact({ text, salt, text_digest }: StoredEvent): boolean {
  return text === null || (text_digest !== null && textDigest(String(salt), text) === text_digest)
}

function damagedLog(what: string): BrokerError {
  return new BrokerError('AUDIT_UNAVAILABLE', `the log is damaged: ${what}`)
}
