import { performance } from 'node:perf_hooks'
import { Digests } from '../recording/digests.ts'
import { EntryWriter } from '../recording/entry-writer.ts'
import { Budget } from '../relay/budget.ts'
import type { KindCounts } from '../relay/reports.ts'
import {
  BrokerError,
  type EndNotice,
  type EndReason,
  type FailedLease,
  type Lease,
  type SessionPermit,
} from '../session.ts'
import { RequestEntries } from './entries.ts'
import type { KubernetesParts, OpenRequest } from './parts.ts'
import { TargetPool } from './reads/target-pool.ts'
import { SessionLease } from './session-lease.ts'
import type { KubernetesRules } from './session-rules.ts'
import { connectTarget, TargetAgent } from './target-agent.ts'

/** A session without requests ends after it; the next request opens another. */
const quietMs = 300_000
/** Each has a connection to the cluster; controllers watch dozens of resources. */
const mostOpen = 500

/**
 * The requests of one connect token to one cluster. Opened with the first of them, it ends when none has come for a while, or when it is
 * cut, with all that it carries.
 */
export class ApiSession {
  readonly permit: SessionPermit
  readonly rules: KubernetesRules
  readonly entries: RequestEntries
  readonly agent: TargetAgent
  /** For requests that only read. */
  readonly pool: TargetPool
  readonly digests: Digests
  readonly counts: KindCounts
  readonly #parts: KubernetesParts
  readonly #writer: EntryWriter
  readonly #budget: Budget
  readonly #open = new Set<OpenRequest>()
  readonly #lease: SessionLease
  readonly #onOver: () => void
  #quiet: NodeJS.Timeout | undefined
  /** Milliseconds of `performance.now()`. */
  #quietSince = 0
  #lastId = 0
  #bytesUp = 0
  #bytesDown = 0
  /** Why no request is waited for. */
  #retired: string | undefined
  #isOver = false

  /** @param onOver it takes no more requests */
  constructor(parts: KubernetesParts, permit: SessionPermit, onOver: () => void) {
    this.#parts = parts
    this.permit = permit
    this.#onOver = onOver
    if (!permit.engine) throw new BrokerError('INTERNAL', 'there is no cluster to reach')
    this.rules = permit.engine.rules as KubernetesRules
    this.counts = parts.host.reports.of(permit.kind)
    this.#writer = new EntryWriter(permit.recorder, () => this.#flow())
    this.entries = new RequestEntries(this.#writer, parts.now)
    this.#budget = new Budget(permit.engine.budget)
    this.digests = new Digests(permit.recording.digestKey)
    this.#lease = new SessionLease((failed) => parts.host.lease(permit, failed), parts.now)
    const connect = () => connectTarget(parts, permit, (failed) => this.lease(failed), permit.signal)
    this.agent = new TargetAgent(connect)
    this.pool = new TargetPool(connect)
  }

  /** It is on its way. */
  async begin(): Promise<void> {
    await this.#parts.host.started(this.permit, this.rules.detail)
    this.#budget.start((error) => this.end('budget-used', error.message))
    this.permit.signal.addEventListener('abort', this.#onCut)
    if (this.permit.signal.aborted) this.#onCut()
    else this.#settle()
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Neither side is read while it is. */
  get isBehind(): boolean {
    return this.#writer.isFull
  }

  /** @param failed of one that the cluster did not take @returns the same, where another would be no better */
  lease(failed?: FailedLease): Promise<Lease> {
    return this.#lease.get(failed)
  }

  /** The same without waiting, if it is there. */
  get leaseAtHand(): Lease | undefined {
    return this.#lease.atHand
  }

  /** @throws BrokerError RATE_LIMITED */
  checkRoom(): void {
    if (this.#open.size >= mostOpen)
      throw new BrokerError('RATE_LIMITED', `${mostOpen} requests of this token are under way already`)
  }

  nextId(): number {
    this.#lastId += 1
    return this.#lastId
  }

  add(exchange: OpenRequest): void {
    this.#open.add(exchange)
  }

  remove(exchange: OpenRequest): void {
    this.#open.delete(exchange)
    this.#settle()
  }

  /** Counts what has passed. */
  count(up: number, down: number): void {
    this.#bytesUp += up
    this.#bytesDown += down
    this.counts.bytesUp += up
    this.counts.bytesDown += down
    if (this.#bytesUp + this.#bytesDown > this.#budget.mostBytes)
      this.end('budget-used', this.#budget.bytesUsed.message, this.#budget.bytesUsed)
  }

  /** @param text for the client */
  end(reason: EndReason, text: string, error?: BrokerError): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#onOver()
    clearTimeout(this.#quiet)
    this.#budget.stop()
    this.permit.signal.removeEventListener('abort', this.#onCut)
    const stoppedAt = this.#parts.now()
    for (const exchange of [...this.#open]) exchange.cut(text)
    this.agent.destroy()
    this.pool.destroy()
    void this.#parts.host.end(this.permit, {
      reason,
      bytesUp: this.#bytesUp,
      bytesDown: this.#bytesDown,
      ...(reason === 'client-closed' ? {} : { stoppedAt }),
      ...(error === undefined ? {} : { error }),
    })
  }

  /** Ends it once nothing is under way. @param text why */
  retire(text: string): void {
    this.#retired = text
    this.#settle()
  }

  readonly #onCut = (): void => {
    const { reason, text } = this.permit.signal.reason as EndNotice
    this.end(reason, text)
  }

  #settle(): void {
    if (this.#isOver || this.#open.size > 0) return
    if (this.#retired !== undefined) {
      this.end('drain', this.#retired)
      return
    }
    this.#quietSince = performance.now()
    if (this.#quiet === undefined) this.#watchQuiet(quietMs)
  }

  /** By one timer for all requests, most of which follow another within a moment. */
  #watchQuiet(afterMs: number): void {
    this.#quiet = setTimeout(() => {
      this.#quiet = undefined
      if (this.#open.size > 0) return // the last of them sets another
      const leftMs = this.#quietSince + quietMs - performance.now()
      if (leftMs > 0) this.#watchQuiet(leftMs)
      else this.end('client-closed', 'no request came for a while')
    }, afterMs)
    this.#quiet.unref()
  }

  #flow(): void {
    for (const exchange of this.#open) exchange.flow()
  }
}
