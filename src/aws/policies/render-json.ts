import type { Kinds } from '../../catalog/kind.ts'
import { fill, reasonsOf, toDocument } from './document.ts'
import {
  type Choice,
  choosePolicies,
  chooseSessionDocuments,
  type PolicyEntry,
  policiesOf,
  type Values,
} from './table.ts'

export interface RenderedPolicy {
  readonly name: string
  readonly title: string
  readonly where: string
  readonly document: unknown
  /** Why each action is needed. */
  readonly reasons: Readonly<Record<string, string>>
}

/** Values of which there may be several: by name. */
type Lists = Readonly<Record<string, readonly string[]>>

/** The documents an installation needs, as they are pasted into AWS. @param lists instead of single values of these names, in resources */
export function renderJson(kinds: Kinds, choice: Choice, values: Values, lists: Lists = {}): RenderedPolicy[] {
  const quoted = Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, JSON.stringify(value).slice(1, -1)]),
  )
  const table = policiesOf(kinds, choice.idToken)
  const policies = choosePolicies(table, choice).map((entry) => ({
    name: entry.id,
    title: entry.title,
    where: entry.where,
    document: JSON.parse(fill(JSON.stringify(toDocument(spread(entry, lists))), quoted)),
    reasons: reasonsOf(entry),
  }))
  const documents = chooseSessionDocuments(table, choice).map(({ name, title, content }) => ({
    name,
    title,
    where: 'each account, in each region with such instances',
    document: content,
    reasons: {},
  }))
  return [...policies, ...documents]
}

/** A resource once for each value of a list that it holds. */
function spread(entry: PolicyEntry, lists: Lists): PolicyEntry {
  const each = (resource: string): string[] => {
    const held = Object.entries(lists).find(([name]) => resource.includes(`{{${name}}}`))
    return held ? held[1].map((value) => resource.replaceAll(`{{${held[0]}}}`, value)) : [resource]
  }
  return {
    ...entry,
    statements: entry.statements.map((one) =>
      one.resources ? { ...one, resources: one.resources.flatMap(each) } : one,
    ),
  }
}
