import type { Path } from './path.ts'

/** `${env:NAME}` or `${file:PATH}` in a text value; `$${` is a literal `${`. */
export interface Reference {
  readonly path: Path
  /** As it is written, e.g. `${env:OIDC_SECRET}`. */
  readonly text: string
  readonly source: 'env' | 'file' | 'unknown'
  readonly name: string
}

const form = /\$\$\{|\$\{(?:(env|file):([^}]+)|[^}]*)\}?/g

/** Every reference in the text values of `value`; keys are never looked at. Pure. */
export function findReferences(value: unknown, path: Path = []): Reference[] {
  if (typeof value === 'string') return [...value.matchAll(form)].flatMap((match) => toReference(match, path) ?? [])
  if (Array.isArray(value)) return value.flatMap((item, i) => findReferences(item, [...path, i]))
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, member]) => findReferences(member, [...path, name]))
}

function toReference(match: RegExpExecArray, path: Path): Reference | undefined {
  const [text, source, name] = match
  if (text === '$${') return undefined
  const known = (source === 'env' || source === 'file') && text.endsWith('}')
  return { path, text, source: known ? source : 'unknown', name: known ? (name ?? '') : '' }
}

/** A copy of `value` in which every reference is replaced by what `found` holds for its text; others stay. Pure. */
export function substitute(value: unknown, found: ReadonlyMap<string, string>): unknown {
  if (typeof value === 'string')
    return value.replace(form, (text) => (text === '$${' ? '${' : (found.get(text) ?? text)))
  if (Array.isArray(value)) return value.map((item) => substitute(item, found))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, substitute(member, found)]))
}

/** `text` with the references again in place of what they hold; shorter than 4 characters is no secret. Pure. */
export function hide(text: string, found: ReadonlyMap<string, string>): string {
  const secrets = [...found].filter(([, value]) => value.length > 3).sort(([, a], [, b]) => b.length - a.length)
  return secrets.reduce((shown, [reference, value]) => shown.replaceAll(value, () => reference), text)
}
