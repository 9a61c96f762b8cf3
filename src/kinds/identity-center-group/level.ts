import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { LevelForm } from '../../catalog/kind.ts'
import { memberProblems } from '../../catalog/member-problems.ts'
import { strict } from '../../config/schema/members.ts'

/** The person is in the group. */
export interface GroupLevel {
  /** Also groups whose members another provider keeps. */
  readonly allowsExternal: boolean
}

const schema = Type.Object(
  {
    // Without it, a level that is written for other kinds would give every group that a rule happens to select.
    member: Type.Literal(true, {
      description: 'The person is in the group while the access lasts',
      examples: [true],
    }),
    external: Type.Optional(
      Type.Boolean({
        description:
          'Also groups whose members another provider keeps, e.g. by SCIM, which may undo what is changed in Identity Center',
        examples: [true],
        default: false,
      }),
    ),
  },
  strict,
)

const words = { noun: 'a level of groups', mapping: 'expected a mapping; { member: true } for a member of the group' }

export const groupLevel: LevelForm<GroupLevel> = {
  schema,
  read: (raw) =>
    Value.Check(schema, raw)
      ? { ok: true, value: { allowsExternal: raw.external ?? false } }
      : { ok: false, problems: memberProblems(schema, raw, words) },
}
