import { type TObject, Type } from 'typebox'
import { Value } from 'typebox/value'
import type { Kind } from '../../catalog/kind.ts'
import { memberProblems } from '../../catalog/member-problems.ts'
import { strict } from '../../config/schema/members.ts'
import { title } from '../identity-center/title.ts'

/** A group of IAM Identity Center. What is not discovered is null. */
export interface GroupTarget {
  /** Of the identity store, which gives it to no other group. */
  readonly id: string
  /** As Identity Center has it, or as it is written; several groups may have the same. */
  readonly title: string | null
  /** `d-…` */
  readonly identityStore: string | null
  /** Another provider keeps its members in order, e.g. by SCIM: what is changed in Identity Center may be undone from there. */
  readonly isExternal: boolean | null
  /** How many people are in it. */
  readonly members: number | null
  /** How many permission sets in accounts its members have. */
  readonly assignments: number | null
}

/** What may be written by hand. */
const schema: TObject = Type.Object({ title }, strict)
const count = Type.Optional(Type.Integer({ minimum: 0 }))
const discovered = Type.Object(
  {
    title,
    identity_store: Type.Optional(Type.String()),
    external: Type.Optional(Type.Boolean()),
    members: count,
    assignments: count,
  },
  strict,
)

const words = { noun: 'a group of Identity Center', mapping: 'expected a mapping' }
const idForm = /^([0-9a-f]{10}-)?[A-Fa-f0-9]{8}(-[A-Fa-f0-9]{4}){3}-[A-Fa-f0-9]{12}$/

export const groupTarget: Kind<GroupTarget>['target'] = {
  schema,
  read: ({ name: id, attributes }) => {
    if (!Value.Check(discovered, attributes)) return { ok: false, problems: memberProblems(schema, attributes, words) }
    if (!idForm.test(id))
      return { ok: false, problems: [{ path: 'id', message: `expected the id of a group, got "${id}"` }] }
    return {
      ok: true,
      value: {
        id,
        title: attributes.title ?? null,
        identityStore: attributes.identity_store ?? null,
        isExternal: attributes.external ?? null,
        members: attributes.members ?? null,
        assignments: attributes.assignments ?? null,
      },
    }
  },
}
