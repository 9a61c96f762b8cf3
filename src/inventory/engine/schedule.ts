import { Heap } from './heap.ts'
import { Ready } from './ready.ts'
import { dueAt, fraction, isQuiet, type Unit, type UnitRecord } from './unit.ts'

/** What comes first: what changed, what a person asked for, what is due, what is due and was empty. */
const urgencies = ['dirty', 'asked', 'active', 'quiet'] as const
type Urgency = (typeof urgencies)[number]

/** After so many that changed, one of the others has its turn. */
const mostDirtyInRow = 8
/** Of one unit: more changes than this are one reading of all of it. */
const mostResources = 20
/** Readings at once of one service in one account; how fast its calls come is the pace's matter. */
const atOnce = { iam: 1, ec2: 4, rds: 2, eks: 2, ssm: 2, organizations: 1, 'identity-center': 1 } as const

/** Who waits for a reading. */
export interface Waiter {
  resolve(): void
  reject(error: unknown): void
}

/** A reading to be made. */
export interface Work {
  readonly unit: Unit
  /** Ids of single resources; null: all of the unit. */
  readonly resources: readonly string[] | null
  readonly waiters: readonly Waiter[]
  /** When a person asked for it, which it answers; null: none did. */
  readonly askedAt: number | null
}

interface Slot {
  readonly unit: Unit
  readonly group: string
  /** Of the latest plan; older ones do not count. */
  plan: number
  planned: { readonly urgency: Urgency; readonly at: number } | null
  isRunning: boolean
  isRemoved: boolean
  /** Anything of it may have changed. */
  isDirty: boolean
  /** It is to be looked at once more from then on. */
  againAt: number | null
  readonly resources: Set<string>
  waiters: Waiter[]
  askedAt: number | null
}

interface Planned {
  readonly slot: Slot
  readonly plan: number
  readonly group: string
  readonly at: number
  readonly urgency: Urgency
  isValid(): boolean
}

/** Which units are to be read next. No I/O and no clock of its own; each unit is read once at a time. */
export class Schedule {
  readonly #slots = new Map<string, Slot>()
  readonly #later = new Heap<Planned>((a, b) => a.at < b.at)
  readonly #ready: Record<Urgency, Ready<Planned>> = {
    dirty: new Ready(),
    asked: new Ready(),
    active: new Ready(),
    quiet: new Ready(),
  }
  readonly #running = new Map<string, number>()
  #everyMs: number
  #dirtyInRow = 0

  constructor(everyMs: number) {
    this.#everyMs = everyMs
  }

  get units(): Unit[] {
    return Array.from(this.#slots.values(), ({ unit }) => unit)
  }

  get size(): number {
    return this.#slots.size
  }

  unit(name: string): Unit | undefined {
    return this.#slots.get(name)?.unit
  }

  isRunning(name: string): boolean {
    return this.#slots.get(name)?.isRunning === true
  }

  isAsked(name: string): boolean {
    return (this.#slots.get(name)?.askedAt ?? null) !== null
  }

  useInterval(everyMs: number): void {
    if (everyMs === this.#everyMs) return
    this.#everyMs = everyMs
    for (const slot of this.#slots.values()) this.#plan(slot)
  }

  /** A unit that is there already stays as it is. */
  add(unit: Unit): void {
    if (this.#slots.has(unit.name)) return
    const { service } = unit.discovery
    const slot: Slot = {
      unit,
      group: `${service}/${unit.place.account}`,
      plan: 0,
      planned: null,
      isRunning: false,
      isRemoved: false,
      isDirty: false,
      againAt: null,
      resources: new Set(),
      waiters: [],
      askedAt: null,
    }
    this.#slots.set(unit.name, slot)
    this.#plan(slot)
  }

  /** What waits for it hears `error`; a reading that is under way counts for nothing. */
  remove(name: string, error: unknown): void {
    const slot = this.#slots.get(name)
    if (!slot) return
    this.#slots.delete(name)
    slot.isRemoved = true
    slot.plan += 1
    for (const waiter of slot.waiters) waiter.reject(error)
  }

  /** Something may have changed in a unit. @param resource of it; left out: anything @returns false: there is no such unit */
  mark(name: string, resource?: string, waiter?: Waiter): boolean {
    const slot = this.#slots.get(name)
    if (!slot) return false
    if (resource === undefined || !slot.unit.discovery.readOne) slot.isDirty = true
    else slot.resources.add(resource)
    if (slot.resources.size > mostResources) slot.isDirty = true
    if (waiter) slot.waiters.push(waiter)
    this.#plan(slot)
    return true
  }

  /** A unit is to be read once more at that time at the latest. */
  lookAgain(name: string, at: number): void {
    const slot = this.#slots.get(name)
    if (!slot) return
    slot.againAt = Math.min(slot.againAt ?? at, at)
    this.#plan(slot)
  }

  /** A person wants it to be read. */
  ask(name: string, at: number): void {
    const slot = this.#slots.get(name)
    if (!slot) return
    slot.askedAt = Math.max(slot.askedAt ?? 0, at)
    this.#plan(slot)
  }

  /** What to read now; undefined: nothing is due, or there is no room for what is. */
  next(now: number): Work | undefined {
    for (let first = this.#later.first; first && first.at <= now; first = this.#later.first) {
      this.#later.pop()
      if (first.isValid()) this.#ready[first.urgency].push(first)
    }
    const turn = this.#dirtyInRow < mostDirtyInRow ? urgencies : others
    for (const urgency of turn) {
      const planned = this.#ready[urgency].take((group) => this.#hasRoom(group))
      if (!planned) continue
      this.#dirtyInRow = urgency === 'dirty' ? this.#dirtyInRow + 1 : 0
      return this.#begin(planned.slot, now)
    }
    return undefined
  }

  /** A reading is over; its unit is planned again. @returns false: the unit was removed meanwhile */
  done({ unit }: Work, record: UnitRecord): boolean {
    const slot = this.#slots.get(unit.name)
    const group = groupOf(unit)
    this.#running.set(group, (this.#running.get(group) ?? 1) - 1)
    if (this.#running.get(group) === 0) this.#running.delete(group)
    for (const urgency of urgencies) this.#ready[urgency].offer(group)
    if (!slot || slot.unit !== unit) return false
    slot.isRunning = false
    unit.record = record
    this.#plan(slot)
    return true
  }

  #hasRoom(group: string): boolean {
    const service = group.slice(0, group.indexOf('/')) as keyof typeof atOnce
    return (this.#running.get(group) ?? 0) < atOnce[service]
  }

  #begin(slot: Slot, now: number): Work {
    const { unit, group, waiters, askedAt } = slot
    const isDue = dueAt(unit, this.#everyMs) <= now
    const isAgain = slot.againAt !== null && slot.againAt <= now
    const isWhole = askedAt !== null || slot.isDirty || isAgain || isDue
    const resources = isWhole ? null : [...slot.resources]
    slot.isRunning = true
    slot.plan += 1
    slot.planned = null
    slot.resources.clear()
    if (isWhole) Object.assign(slot, { askedAt: null, isDirty: false })
    if (isAgain) slot.againAt = null
    slot.waiters = []
    this.#running.set(group, (this.#running.get(group) ?? 0) + 1)
    return { unit, resources, waiters, askedAt: isWhole ? askedAt : null }
  }

  /** Plans a unit anew, if that brings it forward or its plan is over. */
  #plan(slot: Slot): void {
    if (slot.isRunning || slot.isRemoved) return
    const { urgency, at } = this.#timeOf(slot)
    const { planned } = slot
    if (planned && planned.urgency === urgency && planned.at === at) return
    slot.plan += 1
    slot.planned = { urgency, at }
    const { plan, group } = slot
    this.#later.push({ slot, plan, group, at, urgency, isValid: () => slot.plan === plan })
  }

  #timeOf(slot: Slot): { urgency: Urgency; at: number } {
    const { unit, isDirty, againAt, resources, askedAt } = slot
    const due = dueAt(unit, this.#everyMs)
    if (isDirty || resources.size > 0) return { urgency: 'dirty', at: 0 }
    if (askedAt !== null) return { urgency: 'asked', at: askedAt }
    if (againAt !== null && againAt <= due) return { urgency: 'dirty', at: againAt }
    if (isQuiet(unit.record)) return { urgency: 'quiet', at: due }
    if (unit.record.outcome !== null) return { urgency: 'active', at: due }
    // At the very first all are due at once: then what takes longest comes first, and those of one account far from each other.
    return { urgency: 'active', at: unit.discovery.per === 'region' ? fraction(unit.name) : 0 }
  }
}

const others = [...urgencies.slice(1), 'dirty'] as const

function groupOf({ discovery: { service }, place: { account } }: Unit): string {
  return `${service}/${account}`
}
