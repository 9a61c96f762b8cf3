import { BrokerError } from '../../../proxy/session.ts'
import type { AuditRecord } from '../audit.ts'
import { ClaimsRefused } from './beside.ts'
import type { PreparedEvent } from './prepare-event.ts'

const mostPerCommit = 500

export interface GroupCommitDeps {
  /** One transaction; one answer for each event, null for one that is in the log already. */
  commit(events: readonly PreparedEvent[]): Promise<readonly (AuditRecord | null)[]>
  /** Called after a commit, before the next begins, with what is durable now. */
  onDurable(records: readonly AuditRecord[]): void
  /** Events that may wait. */
  readonly mostQueued: number
  /** How long an event may wait for its commit. */
  readonly deadlineMs: number
  /** How long one that is in no hurry waits for others to share a commit with. */
  readonly patienceMs: number
}

export interface Failure {
  /** `performance.now()` */
  readonly at: number
  readonly cause: unknown
}

interface Waiting {
  readonly event: PreparedEvent
  /** `performance.now()` */
  readonly deadline: number
  resolve(record: AuditRecord | null): void
  reject(error: BrokerError): void
}

/** One commit at a time; what arrives meanwhile goes into the next one, so that a slow fsync is paid once for many. */
export class GroupCommit {
  readonly #deps: GroupCommitDeps
  #queue: Waiting[] = []
  #inFlight: readonly Waiting[] = []
  /** Whether one in the queue waits for nothing but its commit. */
  #isUrgent = false
  /** Begins a commit for those that are in no hurry. */
  #patience: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #failure: Failure | undefined

  constructor(deps: GroupCommitDeps) {
    this.#deps = deps
  }

  /** When the last commit failed or did not come back in time. */
  get failure(): Failure | undefined {
    return this.#failure
  }

  /**
   * Resolves when the event is durable. After the deadline it rejects, though a commit that was already under way may
   * still succeed: then the log holds an attempt that was refused, never the other way round.
   * @param isPatient it is in no hurry, and may share the commit of another
   * @throws BrokerError AUDIT_UNAVAILABLE, STALE when a claim was refused
   */
  add(event: PreparedEvent, isPatient = false): Promise<AuditRecord | null> {
    if (this.#queue.length >= this.#deps.mostQueued) {
      return Promise.reject(new BrokerError('AUDIT_UNAVAILABLE', `${this.#queue.length} events are waiting`))
    }
    const { promise, resolve, reject } = Promise.withResolvers<AuditRecord | null>()
    this.#queue.push({ event, deadline: performance.now() + this.#deps.deadlineMs, resolve, reject })
    if (isPatient) this.#patience ??= setTimeout(() => void this.#begin(), this.#deps.patienceMs)
    else void this.#begin() // never rejects
    this.#watch()
    return promise
  }

  /** Resolves when the queue is empty. */
  async settled(): Promise<void> {
    while (this.#queue.length > 0 || this.#running !== undefined) await this.#begin()
  }

  #begin(): Promise<void> {
    this.#isUrgent = true
    this.#running ??= this.#run()
    return this.#running
  }

  async #run(): Promise<void> {
    await Promise.resolve() // so that events of one tick share the first commit too
    while (this.#isUrgent && this.#queue.length > 0) {
      clearTimeout(this.#patience)
      this.#patience = undefined
      const batch = this.#queue.splice(0, mostPerCommit)
      this.#isUrgent = this.#queue.length > 0
      this.#inFlight = batch
      await this.#commit(batch)
    }
    this.#inFlight = []
    this.#running = undefined
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#watch()
  }

  async #commit(batch: readonly Waiting[]): Promise<void> {
    try {
      const records = await this.#deps.commit(batch.map(({ event }) => event))
      this.#failure = undefined
      batch.forEach((waiting, i) => {
        waiting.resolve(records[i] ?? null)
      })
      this.#deps.onDurable(records.filter((record) => record !== null))
    } catch (cause) {
      if (cause instanceof ClaimsRefused) return await this.#commitWithout(batch, cause)
      if (batch.length > 1 && mayBeOfOne(batch, cause)) return await this.#commitEach(batch)
      this.#failure = { at: performance.now(), cause }
      for (const waiting of batch) waiting.reject(new BrokerError('AUDIT_UNAVAILABLE', undefined, { cause }))
    }
  }

  async #commitWithout(batch: readonly Waiting[], cause: ClaimsRefused): Promise<void> {
    this.#failure = undefined
    for (const i of cause.events) batch[i]?.reject(new BrokerError('STALE', undefined, { cause }))
    const left = batch.filter((_, i) => !cause.events.has(i))
    if (left.length > 0) await this.#commit(left)
  }

  async #commitEach(batch: readonly Waiting[]): Promise<void> {
    for (const waiting of batch) await this.#commit([waiting])
  }

  /** One timer for all that wait; they stand in the order of their deadlines. */
  #watch(): void {
    const first = this.#inFlight[0] ?? this.#queue[0]
    if (this.#timer !== undefined || !first) return
    this.#timer = setTimeout(() => this.#expire(), Math.max(first.deadline - performance.now(), 1))
  }

  #expire(): void {
    this.#timer = undefined
    const now = performance.now()
    const late = [...this.#inFlight, ...this.#queue].filter(({ deadline }) => deadline <= now)
    this.#inFlight = this.#inFlight.filter(({ deadline }) => deadline > now)
    this.#queue = this.#queue.filter(({ deadline }) => deadline > now)
    const error = new BrokerError('AUDIT_UNAVAILABLE', `no commit within ${this.#deps.deadlineMs} ms`)
    if (late.length > 0) this.#failure = { at: now, cause: error }
    for (const waiting of late) waiting.reject(error) // its commit may still finish, without effect here
    this.#watch()
  }
}

/** What the store refused is perhaps a statement beside one event, which must not take the others with it. A store that is down is not asked again for each. */
function mayBeOfOne(batch: readonly Waiting[], cause: unknown): boolean {
  const hasStatements = ({ event: { beside } }: Waiting) =>
    beside !== undefined && beside.claims.length + beside.writes.length > 0
  return !(cause instanceof BrokerError) && batch.some(hasStatements)
}
