import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { LevelForm } from '../../catalog/kind.ts'
import { memberProblems } from '../../catalog/member-problems.ts'
import { Duration, strict } from '../../config/schema/members.ts'
import { parseDuration } from '../../config/units.ts'

/** The permission set is assigned to the person, in the account. */
export interface PermissionSetLevel {
  /** Sets whose sessions last longer are refused, since these outlive the access. Null: whatever they last. */
  readonly longestSessionMs: number | null
}

const schema = Type.Object(
  {
    // Without it, a level that is written for other kinds would give every permission set that a rule happens to select.
    assigned: Type.Literal(true, {
      description: 'The permission set is assigned to the person while the access lasts',
      examples: [true],
    }),
    longest_session: Type.Optional(
      Duration(
        'Permission sets whose sessions last longer cannot be requested, since sessions go on when the access is taken away; left out: none is refused',
        '4h',
        { least: '1m', most: '12h' },
      ),
    ),
  },
  strict,
)

const words = {
  noun: 'a level of permission sets',
  mapping: 'expected a mapping; { assigned: true } for the permission set as it is',
}

export const permissionSetLevel: LevelForm<PermissionSetLevel> = {
  schema,
  read: (raw) => {
    if (!Value.Check(schema, raw)) return { ok: false, problems: memberProblems(schema, raw, words) }
    const { longest_session: longest } = raw
    if (longest === undefined) return { ok: true, value: { longestSessionMs: null } }
    const longestSessionMs = parseDuration(longest) ?? 0
    if (longestSessionMs >= 60_000 && longestSessionMs <= 43_200_000) return { ok: true, value: { longestSessionMs } }
    return { ok: false, problems: [{ path: 'longest_session', message: 'expected a duration of 1m to 12h' }] }
  },
}
