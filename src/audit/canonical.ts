/** What canonical JSON can hold: no fractions, no `undefined`, so that one value has exactly one form. */
export type CanonicalValue =
  | string
  | number
  | boolean
  | null
  | readonly CanonicalValue[]
  | { readonly [key: string]: CanonicalValue }

/**
 * One value, one text: keys sorted by UTF-16 code unit, no white space, strings as `JSON.stringify` writes them
 * (the subset of RFC 8785 that needs no floating point).
 * @throws TypeError for a number that is not a safe integer, and for anything that JSON can't hold
 */
export function canonicalJson(value: CanonicalValue): string {
  return isSorted(value, demandCanonical) ? JSON.stringify(value) : writeSorted(value)
}

/** As {@link canonicalJson}, of any value that JSON can hold: `undefined` members are left out, fractions stay. */
export function sortedJson(value: unknown): string {
  return isSorted(value, accept) ? JSON.stringify(value ?? null) : writeSorted(value)
}

/**
 * Whether its keys stand in their order already, as those of stored events do: then it is written in one go.
 * @param check called with each value in it that is neither object nor array
 */
function isSorted(value: unknown, check: (value: unknown) => void): boolean {
  if (value === null || typeof value !== 'object') {
    check(value)
    return true
  }
  let areSorted = true
  if (Array.isArray(value)) {
    for (const item of value) areSorted = isSorted(item, check) && areSorted
    return areSorted
  }
  let before = ''
  for (const key of Object.keys(value)) {
    if (key < before) areSorted = false
    before = key
    areSorted = isSorted((value as Record<string, unknown>)[key], check) && areSorted
  }
  return areSorted
}

function writeSorted(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(writeSorted).join(',')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value ?? null)
  return sortedMembers(Object.entries(value))
}

/** As {@link sortedJson}, of an object's members: what the MACs of most rows are of. */
export function sortedMembers(members: readonly [name: string, value: unknown][]): string {
  const written = inOneGo(members)
  if (written !== undefined) return written
  const sorted = members.filter(([, member]) => member !== undefined).sort(([a], [b]) => (a < b ? -1 : 1))
  return (
    inOneGo(sorted) ?? `{${sorted.map(([key, member]) => `${JSON.stringify(key)}:${writeSorted(member)}`).join(',')}}`
  )
}

/** Undefined when they are not plain values in their order, or an object would not keep their names so. */
function inOneGo(members: readonly [name: string, value: unknown][]): string | undefined {
  const object: Record<string, unknown> = {}
  let before = ''
  for (const [name, value] of members) {
    if (value === undefined) continue
    if (name < before || (value !== null && typeof value === 'object') || !plainName.test(name)) return undefined
    object[name] = value
    before = name
  }
  return JSON.stringify(object)
}

/** Numbers move to the front, and `__proto__` is not kept. */
const plainName = /^[a-z]/

function accept(): void {}

function demandCanonical(value: unknown): void {
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw new TypeError(`canonical JSON holds whole numbers, got ${value}`)
  } else if (value !== null && typeof value !== 'boolean' && typeof value !== 'string')
    throw new TypeError(`canonical JSON holds no ${typeof value}`)
}

/** What text holds that {@link canonicalJson} could have made; undefined: it could not. */
export function readCanonical(text: string): CanonicalValue | undefined {
  try {
    const value = JSON.parse(text) as CanonicalValue
    return canonicalJson(value) === text ? value : undefined
  } catch {
    return undefined // not JSON, or numbers that are not whole
  }
}
