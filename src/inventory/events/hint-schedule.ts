import { BrokerError } from '../../../proxy/session.ts'
import type { EventHint } from '../../aws/events/event-table.ts'
import { type PaceTime, realTime } from '../../aws/paced.ts'

/** What became of a hint: read again, or of a place that nothing is read of. */
export type HintOutcome = 'read' | 'unknown'

export interface HintScheduleDeps {
  /** Reads it again. @throws BrokerError */
  read(hint: EventHint): Promise<HintOutcome>
  readonly signal: AbortSignal
  readonly time?: PaceTime
}

/** AWS answers with the state of before for a moment, and changes come in clusters. */
const settleMs = 2000
/** Hints that join another never put it off for longer. */
const longestWaitMs = 4000
/** Of one unit: single resources a second in the long run, and at once after a rest. */
const perSecond = 2
const burst = 20
/** More than these of one unit: all of it is read. */
const mostSingles = 50
/** Between two readings of one unit; longer ones rest for three times as long as they took. */
const restMs = 10_000
const restFactor = 3
/** Of all units: more are not accepted. */
const mostWaiting = 5000

/** Something that waits to be read, with those who wait for it. */
interface Entry {
  readonly hint: EventHint
  readonly madeAt: number
  dueAt: number
  /** By all of its unit. */
  replacedBy: Entry | null
  readonly done: Promise<HintOutcome>
  resolve(outcome: HintOutcome | Promise<HintOutcome>): void
}

interface Unit {
  readonly key: string
  tokens: number
  filledAt: number
  /** All of it may be read from then on. */
  restsUntil: number
  /** Of all of it. */
  reading: Promise<void> | null
  readonly singles: Map<string, Entry>
  whole: Entry | null
}

/**
 * Puts what events hint at into an order that AWS bears, however many come: of one unit a few resources a second are read by themselves;
 * beyond that all of it is read, at most a quarter of the time. A hint that comes while its reading is under way is read again after it.
 */
export class HintSchedule {
  readonly #deps: HintScheduleDeps
  readonly #time: PaceTime
  readonly #units = new Map<string, Unit>()
  #waiting = 0

  constructor(deps: HintScheduleDeps) {
    this.#deps = deps
    this.#time = deps.time ?? realTime
  }

  /** Readings that wait or are under way. */
  get waiting(): number {
    return this.#waiting
  }

  get isFull(): boolean {
    return this.#waiting >= mostWaiting
  }

  /** Units that something is remembered of. */
  get units(): number {
    return this.#units.size
  }

  /**
   * @param ageMs of the event; negative where clocks differ
   * @returns what became of it, once it was read after this moment
   * @throws BrokerError RATE_LIMITED when too many wait; what the reading threw
   */
  async submit(hint: EventHint, ageMs: number): Promise<HintOutcome> {
    const unit = this.#unitOf(hint)
    const dueAt = this.#time.now() + Math.min(settleMs, Math.max(0, settleMs - ageMs))
    const { resourceId } = hint
    const waits = resourceId === undefined ? unit.whole : (unit.whole ?? unit.singles.get(resourceId))
    if (waits) {
      waits.dueAt = Math.max(waits.dueAt, Math.min(dueAt, waits.madeAt + longestWaitMs))
      return await waits.done
    }
    if (this.isFull) throw new BrokerError('RATE_LIMITED', 'too many readings wait')
    if (resourceId === undefined || unit.singles.size >= mostSingles) return await this.#all(unit, hint, dueAt).done
    return await this.#begin(unit, { ...hint, resourceId }, dueAt).done
  }

  #unitOf({ discovery, account, region }: EventHint): Unit {
    const key = [discovery, account, region].join('/')
    let unit = this.#units.get(key)
    if (!unit) {
      const now = this.#time.now()
      unit = { key, tokens: burst, filledAt: now, restsUntil: now, reading: null, singles: new Map(), whole: null }
      this.#units.set(key, unit)
    }
    return unit
  }

  #begin(unit: Unit, hint: EventHint & { readonly resourceId: string }, dueAt: number): Entry {
    const entry = this.#entry(hint, dueAt)
    unit.singles.set(hint.resourceId, entry)
    void this.#run(unit, entry)
    return entry
  }

  /** All of the unit, in place of what waits of it. */
  #all(unit: Unit, { discovery, account, region }: EventHint, dueAt: number): Entry {
    if (unit.whole) return unit.whole
    const entry = this.#entry({ discovery, account, region }, dueAt)
    unit.whole = entry
    for (const single of unit.singles.values()) single.replacedBy = entry
    unit.singles.clear()
    void this.#run(unit, entry)
    return entry
  }

  #entry(hint: EventHint, dueAt: number): Entry {
    const { promise: done, resolve } = Promise.withResolvers<HintOutcome>()
    return { hint, dueAt, madeAt: this.#time.now(), replacedBy: null, done, resolve }
  }

  async #run(unit: Unit, entry: Entry): Promise<void> {
    const { resourceId } = entry.hint
    this.#waiting += 1
    try {
      await (resourceId === undefined ? this.#untilRested(unit, entry) : this.#until(entry))
      if (resourceId === undefined) unit.whole = null
      else if (!entry.replacedBy) {
        unit.singles.delete(resourceId)
        if (!this.#takeToken(unit)) entry.replacedBy = this.#all(unit, entry.hint, this.#time.now())
      }
      entry.resolve(entry.replacedBy ? entry.replacedBy.done : await this.#read(unit, entry.hint))
    } catch (error) {
      entry.resolve(Promise.reject(error))
    } finally {
      this.#waiting -= 1
      this.#forget(unit)
    }
  }

  async #until(entry: Entry): Promise<void> {
    for (;;) {
      const ms = entry.dueAt - this.#time.now()
      if (ms <= 0 || entry.replacedBy) return
      await this.#time.wait(ms, this.#deps.signal)
    }
  }

  /** Of one unit nothing is read as a whole twice at once. */
  async #untilRested(unit: Unit, entry: Entry): Promise<void> {
    for (;;) {
      await unit.reading
      entry.dueAt = Math.max(entry.dueAt, unit.restsUntil)
      if (entry.dueAt <= this.#time.now()) return
      await this.#until(entry)
    }
  }

  async #read(unit: Unit, hint: EventHint): Promise<HintOutcome> {
    if (hint.resourceId !== undefined) return await this.#orAborted(this.#deps.read(hint))
    const { promise: reading, resolve } = Promise.withResolvers<void>()
    const began = this.#time.now()
    unit.reading = reading
    try {
      return await this.#orAborted(this.#deps.read(hint))
    } finally {
      const now = this.#time.now()
      unit.restsUntil = now + Math.max(restMs, restFactor * (now - began))
      unit.reading = null
      resolve()
    }
  }

  /** A reading that goes on keeps nobody from stopping. */
  async #orAborted(reading: Promise<HintOutcome>): Promise<HintOutcome> {
    const { signal } = this.#deps
    const { promise: aborted, reject } = Promise.withResolvers<never>()
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      return await Promise.race([reading, aborted])
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  #takeToken(unit: Unit): boolean {
    const now = this.#time.now()
    unit.tokens = Math.min(burst, unit.tokens + ((now - unit.filledAt) / 1000) * perSecond)
    unit.filledAt = now
    if (unit.tokens < 1) return false
    unit.tokens -= 1
    return true
  }

  /** Anyone who can write to the queue can name units: those at rest are not remembered once there are many. */
  #forget({ key, reading, whole, singles }: Unit): void {
    if (this.#units.size > mostWaiting && reading === null && whole === null && singles.size === 0)
      this.#units.delete(key)
  }
}
