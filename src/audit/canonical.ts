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
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw new TypeError(`canonical JSON holds whole numbers, got ${value}`)
    return String(value === 0 ? 0 : value) // -0 and 0 are one value
  }
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value !== 'object') throw new TypeError(`canonical JSON holds no ${typeof value}`)
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`).join(',')}}`
}

/** True for text that {@link canonicalJson} could have made. */
export function isCanonical(text: string): boolean {
  try {
    return canonicalJson(JSON.parse(text) as CanonicalValue) === text
  } catch {
    return false // not JSON, or numbers that are not whole
  }
}
