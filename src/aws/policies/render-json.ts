import type { Kinds } from '../../catalog/kind.ts'
import { fill, reasonsOf, toDocument } from './document.ts'
import { type Choice, choosePolicies, policiesOf, type Values } from './table.ts'

export interface RenderedPolicy {
  readonly name: string
  readonly title: string
  readonly where: string
  readonly document: unknown
  /** Why each action is needed. */
  readonly reasons: Readonly<Record<string, string>>
}

/** The documents an installation needs, as they are pasted into AWS. */
export function renderJson(kinds: Kinds, choice: Choice, values: Values): RenderedPolicy[] {
  const quoted = Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, JSON.stringify(value).slice(1, -1)]),
  )
  return choosePolicies(policiesOf(kinds, choice.idToken), choice).map((entry) => ({
    name: entry.id,
    title: entry.title,
    where: entry.where,
    document: JSON.parse(fill(JSON.stringify(toDocument(entry)), quoted)),
    reasons: reasonsOf(entry),
  }))
}
