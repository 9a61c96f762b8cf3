import type { CanonicalValue } from './canonical.ts'

const longest = 256

/** The values by which an event can be found: its actor and every text among its fields. */
export function subjectsOf(actor: string, fields: CanonicalValue): Set<string> {
  const subjects = new Set([actor])
  for (const value of Object.values(fields ?? {})) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (typeof item === 'string' && item !== '' && item.length <= longest) subjects.add(item)
    }
  }
  return subjects
}

/**
 * Whether the search index lists exactly these subjects for an event.
 * @param listed each subject after its length in characters and a colon, one behind the other, as the store joins them
 */
export function isIndexed(subjects: ReadonlySet<string>, listed: string): boolean {
  let inOrder = ''
  for (const subject of subjects) inOrder += `${subject.length}:${subject}`
  if (listed === inOrder) return true
  const found = splitListed(listed)
  const known = new Set(found)
  return found.length === subjects.size && [...subjects].every((subject) => known.has(subject))
}

/** What is not well formed becomes one subject that no event has. */
function splitListed(listed: string): string[] {
  const found: string[] = []
  for (let at = 0; at < listed.length; ) {
    const colon = listed.indexOf(':', at)
    let end = colon + 1
    let left = colon < 0 ? Number.NaN : Number(listed.slice(at, colon))
    if (Number.isNaN(left)) return [listed]
    for (; left > 0 && end < listed.length; left -= 1) end += (listed.codePointAt(end) ?? 0) > 0xff_ff ? 2 : 1
    found.push(listed.slice(colon + 1, end))
    at = end
  }
  return found
}
