import { type Choice, choosePolicies, fill, reasonsOf, toDocument, type Values } from './table.ts'

export interface RenderedPolicy {
  readonly name: string
  readonly title: string
  readonly where: string
  readonly document: unknown
  /** Why each action is needed. */
  readonly reasons: Readonly<Record<string, string>>
}

/** The documents an installation needs, as they are pasted into AWS. */
export function renderJson(choice: Choice, values: Values): RenderedPolicy[] {
  return choosePolicies(choice).map((entry) => ({
    name: entry.id,
    title: entry.title,
    where: entry.where,
    document: JSON.parse(fill(JSON.stringify(toDocument(entry)), (name) => JSON.stringify(values[name]).slice(1, -1))),
    reasons: reasonsOf(entry),
  }))
}
