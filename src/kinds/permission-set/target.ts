import { type TObject, Type } from 'typebox'
import { Value } from 'typebox/value'
import type { Kind, Problem } from '../../catalog/kind.ts'
import { memberProblems } from '../../catalog/member-problems.ts'
import { strict } from '../../config/schema/members.ts'
import { title } from '../identity-center/title.ts'

/** A permission set of IAM Identity Center in one account. What is not discovered is null. */
export interface PermissionSetTarget {
  readonly account: string
  /** Unique within Identity Center. */
  readonly name: string
  readonly title: string | null
  /** `arn:aws:sso:::permissionSet/ssoins-…/ps-…`; the set is the same one in every account. */
  readonly arn: string | null
  /** How long sessions of it last. */
  readonly sessionMs: number | null
  /** The account has its role; else the first assignment makes it. */
  readonly isProvisioned: boolean | null
  /** Who has it in this account always. */
  readonly standing: { readonly groups: number; readonly people: number } | null
  /** ARNs of AWS's own policies, and path and name of those that the account must have. */
  readonly policies: readonly string[] | null
  /** It has a policy of its own too. */
  readonly hasInlinePolicy: boolean | null
  /** An ARN, or path and name; empty: nothing bounds it. */
  readonly boundary: string | null
}

/** What may be written by hand. */
const schema: TObject = Type.Object({ title }, strict)
const count = Type.Optional(Type.Integer({ minimum: 0 }))
const discovered = Type.Object(
  {
    title,
    arn: Type.Optional(Type.String()),
    session_seconds: count,
    provisioned: Type.Optional(Type.Boolean()),
    groups: count,
    people: count,
    policies: Type.Optional(Type.Array(Type.String())),
    inline_policy: Type.Optional(Type.Boolean()),
    boundary: Type.Optional(Type.String()),
  },
  strict,
)

const words = { noun: 'a permission set', mapping: 'expected a mapping' }

export const permissionSetTarget: Kind<PermissionSetTarget>['target'] = {
  schema,
  read: ({ account, name, attributes }) => {
    if (!Value.Check(discovered, attributes)) return { ok: false, problems: memberProblems(schema, attributes, words) }
    const wrong = account === null ? 'expected permission-set/ACCOUNT/NAME' : nameProblem(name)
    if (account === null || wrong !== undefined)
      return { ok: false, problems: [{ path: 'id', message: `${wrong}` } satisfies Problem] }
    const { groups, people, session_seconds: seconds } = attributes
    return {
      ok: true,
      value: {
        account,
        name,
        title: attributes.title ?? null,
        arn: attributes.arn ?? null,
        sessionMs: seconds === undefined ? null : seconds * 1000,
        isProvisioned: attributes.provisioned ?? null,
        standing: groups === undefined || people === undefined ? null : { groups, people },
        policies: attributes.policies ?? null,
        hasInlinePolicy: attributes.inline_policy ?? null,
        boundary: attributes.boundary ?? null,
      },
    }
  },
}

function nameProblem(name: string): string | undefined {
  return /^[\w+=,.@-]{1,32}$/.test(name)
    ? undefined
    : 'expected the name of a permission set: 1–32 letters, digits and _+=,.@-'
}
