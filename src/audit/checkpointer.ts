import type { Keyring } from '../store/keyring.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { AnchorSender } from './anchors.ts'
import type { AuditStore } from './audit-store.ts'
import { checkpointBytes, encodeCheckpoint, type RecordingHead } from './checkpoint.ts'
import type { Head } from './head.ts'
import type { Mark } from './mark/mark.ts'

export interface CheckpointerDeps {
  readonly store: AuditStore
  readonly keyring: Pick<Keyring, 'sign' | 'signingKeyId'>
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'auditAnchorAgeSeconds'>
  readonly anchors: readonly AnchorSender[]
  readonly everyMs: number
  readonly everyEvents: number
  readonly mark: Pick<Mark, 'id' | 'noteCheckpoint'>
  /** Numbers below it belong to a branch that was given up. */
  readonly leastNumber: number
  /** Throws when the log is not the one that this daemon knows: then nothing is signed. */
  checkHead(head: Head): void
  /** Running heads of the recordings that are open here. */
  heads(): readonly RecordingHead[]
}

const tickMs = 1000

/**
 * Signs how far the log has come: at start and stop, every so many events, and every so often if anything happened. Of several daemons
 * each counts its own events and signs its own recordings.
 */
export class Checkpointer {
  readonly #deps: CheckpointerDeps
  #events = 0
  readonly #startedAt: number
  #lastAt: number
  #making: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(deps: CheckpointerDeps) {
    this.#deps = deps
    this.#startedAt = deps.clock.now()
    this.#lastAt = this.#startedAt
  }

  start(): void {
    this.#timer = setInterval(() => void this.tick(), tickMs)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Called after each commit. */
  noteEvents(count: number): void {
    this.#events += count
    if (this.#events >= this.#deps.everyEvents) void this.tick()
  }

  /** What is due now: a checkpoint, another try at a failed anchor, the metric. Never rejects. */
  async tick(): Promise<void> {
    if (this.#isDue()) {
      await this.make().catch((error: unknown) => {
        this.#deps.logger.error({ err: error }, 'could not make an audit checkpoint; will retry')
      })
    } else {
      await Promise.all(this.#deps.anchors.map((anchor) => anchor.retry()))
    }
    this.#measure()
  }

  /**
   * Signs, stores and anchors one checkpoint. A failing anchor is retried in the background.
   * @throws Error when it can't be stored, or the mark can't be written
   */
  make(): Promise<void> {
    this.#making ??= this.#make().finally(() => {
      this.#making = undefined
    })
    return this.#making
  }

  #isDue(): boolean {
    const { clock, everyMs, everyEvents, heads } = this.#deps
    if (this.#events >= everyEvents) return true
    return clock.now() - this.#lastAt >= everyMs && (this.#events > 0 || heads().length > 0)
  }

  async #make(): Promise<void> {
    const { store, keyring, clock, anchors, checkHead, heads, mark, leastNumber } = this.#deps
    const covered = this.#events
    const at = clock.now()
    let seq = 0
    const signed = await store.addCheckpoint(leastNumber, (n, head) => {
      checkHead(head)
      seq = head.seq
      const { installation, hash } = head
      const key = keyring.signingKeyId
      const body = encodeCheckpoint({ v: 1, installation, n, seq, hash, at, key, recordings: heads(), mark: mark.id })
      return { n, body, signature: keyring.sign(checkpointBytes(body)) }
    })
    // It is in the store: whatever becomes of the mark, it is not made again, and the anchors get it.
    this.#events -= covered
    this.#lastAt = at
    const { n } = signed
    await Promise.all([mark.noteCheckpoint(n), ...anchors.map((anchor) => anchor.offer({ signed, n, seq, at }))])
    this.#measure()
  }

  /** Of the anchor that is furthest behind; 0 while nothing has happened that it doesn't hold. */
  #measure(): void {
    const { anchors, clock, metrics } = this.#deps
    if (anchors.length === 0) return
    const ages = anchors.map(({ sent }) => {
      const isAllThere = this.#events === 0 && sent?.at === this.#lastAt
      return isAllThere ? 0 : clock.now() - (sent?.at ?? this.#startedAt)
    })
    metrics.auditAnchorAgeSeconds.set(Math.max(...ages) / 1000)
  }
}
