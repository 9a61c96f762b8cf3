import { type TObject, Type } from 'typebox'
import { Value } from 'typebox/value'
import type { Parsed } from '../../catalog/kind.ts'
import { memberProblems } from '../../catalog/member-problems.ts'
import type { Resource } from '../../catalog/resource.ts'
import { strict } from '../../config/schema/members.ts'

/** An account or a unit. */
export interface NodeTarget {
  readonly id: string
  /** As AWS has it, or as it is written; several may have the same. Null: not known. */
  readonly title: string | null
  /** `ou-…` or `r-…`; null: not known. */
  readonly parent: string | null
  /** Of an account; null: not known. */
  readonly state: string | null
}

const title = Type.Optional(
  Type.String({
    maxLength: 128,
    description: 'Name for people; left out: as AWS has it',
    examples: ['payments-prod'],
    errorMessage: 'expected a name of at most 128 characters',
  }),
)

/** What may be written by hand; where it stands is discovered alone. */
export const nodeSchema: TObject = Type.Object({ title }, strict)

const discovered = Type.Object(
  { title, parent: Type.Optional(Type.String()), state: Type.Optional(Type.String()) },
  strict,
)

/** @param idForm what its id must be @param noun for messages */
export function readNode(resource: Resource, idForm: RegExp, noun: string): Parsed<NodeTarget> {
  const { name: id, attributes } = resource
  if (!Value.Check(discovered, attributes))
    return { ok: false, problems: memberProblems(nodeSchema, attributes, { noun, mapping: 'expected a mapping' }) }
  if (!idForm.test(id))
    return { ok: false, problems: [{ path: 'id', message: `expected the id of ${noun}, got "${id}"` }] }
  return {
    ok: true,
    value: { id, title: attributes.title ?? null, parent: attributes.parent ?? null, state: attributes.state ?? null },
  }
}
