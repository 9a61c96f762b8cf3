import type { AuditEvent, AuditType, AuditValue } from './audit.ts'

/**
 * Events that a client can cause again and again, and the fields by which two of them are the same. `counts`: the event is a
 * summary of the daemon's, and its numbers are added up.
 */
const repeatable: Partial<Record<AuditType, readonly string[] | 'counts'>> = {
  'session.denied': ['credential', 'token', 'grant', 'level', 'code'],
  'session.cancelled': ['session'],
  'login.failed': ['principal', 'why'],
  'request.refused': ['login', 'code'],
  'decision.refused': ['request'],
  'strangers.failed': 'counts',
}

/** How long further ones are only counted. */
const intervalMs = 60_000
/** Kinds of repeated events of one actor, and of all: further ones are counted together. */
const mostOfActor = 20
const mostInAll = 1000
const mostAddresses = 10

interface Repeated {
  /** What all of this interval have in common; undefined: none yet. */
  event: AuditEvent | undefined
  times: number
  /** Epoch milliseconds of the first of this interval. */
  since: number
  readonly addresses: Set<string>
  /** `performance.now()` */
  ends: number
}

export interface RepeatedEventsDeps {
  /** Never rejects. */
  append(event: AuditEvent): Promise<unknown>
  /** Epoch milliseconds. */
  now(): number
  /** Milliseconds since any fixed moment. */
  elapsedMs(): number
}

/**
 * Keeps repeatable events from filling the log: the first is appended at once, further ones are counted, and appended as one event a
 * minute that says how many there were (`times`, `since`), with what they have in common. A crash loses what was only counted.
 */
export class RepeatedEvents {
  readonly #deps: RepeatedEventsDeps
  readonly #known = new Map<string, Repeated>()
  readonly #ofActor = new Map<string, number>()

  constructor(deps: RepeatedEventsDeps) {
    this.#deps = deps
  }

  async append(event: AuditEvent): Promise<void> {
    const by = repeatable[event.type]
    if (by === undefined) {
      await this.#deps.append(event)
      return
    }
    const [key, isNew] = this.#keyOf(event, by)
    const known = this.#known.get(key)
    if (known) {
      count(known, event, this.#deps.now())
      return
    }
    const ends = this.#deps.elapsedMs() + intervalMs
    this.#known.set(key, { event: undefined, times: 0, since: 0, addresses: new Set(), ends })
    if (isNew) this.#ofActor.set(event.actor, (this.#ofActor.get(event.actor) ?? 0) + 1)
    await this.#deps.append(event)
  }

  /** Appends what was counted. @param all also what is younger than a minute */
  async flush(all = false): Promise<void> {
    const now = this.#deps.elapsedMs()
    const summaries: AuditEvent[] = []
    for (const [key, repeated] of [...this.#known]) {
      if (!all && repeated.ends > now) continue
      const { event } = repeated
      if (event) {
        summaries.push(summarize(repeated, event))
        Object.assign(repeated, { event: undefined, times: 0, ends: now + intervalMs })
      } else this.#forget(key)
      repeated.addresses.clear()
    }
    await Promise.all(summaries.map((summary) => this.#deps.append(summary)))
  }

  /** @returns the key, and whether it counts among those of the actor */
  #keyOf({ type, actor, fields }: AuditEvent, by: readonly string[] | 'counts'): [key: string, isOfActor: boolean] {
    const key = JSON.stringify([actor, type, ...(by === 'counts' ? [] : by.map((name) => fields[name] ?? null))])
    if (this.#known.has(key) || this.#hasRoom(actor)) return [key, true]
    const shared = JSON.stringify([actor, type, 'more'])
    if (this.#known.has(shared) || this.#known.size < mostInAll) return [shared, true]
    return [JSON.stringify(['', type, 'more']), false]
  }

  #hasRoom(actor: string): boolean {
    return (this.#ofActor.get(actor) ?? 0) < mostOfActor && this.#known.size < mostInAll
  }

  #forget(key: string): void {
    this.#known.delete(key)
    const [actor] = JSON.parse(key) as [string]
    const left = (this.#ofActor.get(actor) ?? 0) - 1
    if (left > 0) this.#ofActor.set(actor, left)
    else this.#ofActor.delete(actor)
  }
}

function count(repeated: Repeated, event: AuditEvent, now: number): void {
  if (repeated.times === 0) repeated.since = now
  repeated.times += 1
  repeated.event = repeated.event ? merge(repeated.event, event) : event
  for (const address of (event.text?.address ?? event.text?.addresses ?? '').split(', '))
    if (address !== '' && repeated.addresses.size < mostAddresses) repeated.addresses.add(address)
}

/** A summary of the daemon's own. */
function isSum({ type, actor }: AuditEvent): boolean {
  return repeatable[type] === 'counts' || actor === 'system'
}

function merge(one: AuditEvent, other: AuditEvent): AuditEvent {
  return {
    type: one.type,
    actor: one.actor === other.actor ? one.actor : 'various',
    fields: isSum(one) ? added(one.fields, other.fields) : common(one.fields, other.fields),
    text: common(one.text ?? {}, other.text ?? {}),
  }
}

function common<T>(one: Readonly<Record<string, T>>, other: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(one).filter(([name, value]) => other[name] === value))
}

function added(one: AuditEvent['fields'], other: AuditEvent['fields']): Record<string, AuditValue> {
  const sum: Record<string, AuditValue> = { ...one }
  for (const [name, value] of Object.entries(other)) {
    const before = sum[name]
    sum[name] = typeof before === 'number' && typeof value === 'number' ? before + value : value
  }
  return sum
}

function summarize({ times, since, addresses }: Repeated, event: AuditEvent): AuditEvent {
  const from = addresses.size > 1 ? { addresses: [...addresses].join(', ') } : {}
  const fields = { ...event.fields, since, ...(isSum(event) ? {} : { times }) }
  return { ...event, fields, text: { ...event.text, ...from } }
}
