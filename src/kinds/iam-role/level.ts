import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { stsLimits } from '../../aws/aws.ts'
import type { Parsed, Problem } from '../../catalog/kind.ts'
import { memberProblems } from '../../catalog/member-problems.ts'
import { type SessionTags, templateProblems } from '../../catalog/session-tags.ts'
import { strict } from '../../config/schema/members.ts'
import { parseDuration } from '../../config/units.ts'

/** What an access level means on a role: everything the role may do, unless narrowed here. */
export interface RoleLevel {
  /** Inline session policy as JSON; null: none. */
  readonly sessionPolicy: string | null
  /** Managed policies of the role's account, or of AWS. */
  readonly policyArns: readonly string[]
  /** By key, with `{ticket}` and `{claim:NAME}`, or with values in their place. */
  readonly sessionTags: SessionTags
  /** Longest life of one set of credentials; null: what grant and role allow. */
  readonly sessionMs: number | null
}

/** Limits of STS (AssumeRole, API version 2011-06-15), of inline policy and ARNs together. */
const longestPolicies = 2048
const mostArns = 10
/** Space for what the broker may add: the end of the grant (session-policy.ts). */
const roomForEnd = 160

const sessionLimits = { least: '15m', most: '12h' }

const schema = Type.Object(
  {
    session_policy: Type.Optional(
      Type.Object(
        {
          Version: Type.Literal('2012-10-17', { description: 'Version of the policy language' }),
          Statement: Type.Unknown({
            description: 'One statement or a list of them, as IAM takes it, without Principal',
            examples: [[{ Effect: 'Allow', Action: 's3:GetObject', Resource: '*' }]],
          }),
        },
        {
          ...strict,
          errorMessage: 'expected a policy document: Version "2012-10-17" and Statement',
          description: 'Inline session policy, which limits what the credentials may do within the role',
          examples: [
            { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 's3:GetObject', Resource: '*' }] },
          ],
        },
      ),
    ),
    policy_arns: Type.Optional(
      Type.Array(Type.String({ pattern: '^arn:aws[a-z-]*:iam::(aws|[0-9]{12}):policy/[\\w+=,.@/-]+$' }), {
        maxItems: mostArns,
        errorMessage: `expected at most ${mostArns} ARNs of managed policies`,
        description: "Managed policies, of the role's account or of AWS, that limit the credentials in the same way",
        examples: [['arn:aws:iam::aws:policy/ReadOnlyAccess']],
      }),
    ),
    session_tags: Type.Optional(
      Type.Record(Type.String(), Type.String(), {
        errorMessage: 'expected keys with a text each',
        description:
          "Session tags beside the broker's own, for policies that go by `aws:PrincipalTag`: `{ticket}` is the ticket of the request, `{claim:NAME}` a claim of the person's ID token that oidc.tag_claims lists. The values are frozen when access is asked for, and shown to approvers",
        examples: [{ ticket: '{ticket}', team: '{claim:team}' }],
      }),
    ),
    session: Type.Optional(
      Type.String({
        pattern: '^[0-9]{1,8}(ms|s|m|h|d)$',
        'x-least': sessionLimits.least,
        'x-most': sessionLimits.most,
        errorMessage: `expected a duration of ${sessionLimits.least} to ${sessionLimits.most}`,
        description: 'Longest lifetime of one set of credentials; by default what grant and role allow',
        examples: ['30m'],
      }),
    ),
  },
  strict,
)

const words = { noun: 'a role level', mapping: 'expected a mapping; {} for everything that the role may do' }

function read(raw: unknown): Parsed<RoleLevel> {
  if (!Value.Check(schema, raw)) return { ok: false, problems: memberProblems(schema, raw, words) }
  const sessionPolicy = raw.session_policy === undefined ? null : JSON.stringify(raw.session_policy)
  const policyArns = raw.policy_arns ?? []
  const sessionMs = raw.session === undefined ? null : (parseDuration(raw.session) ?? 0)
  const sessionTags = raw.session_tags ?? {}
  const problems: Problem[] = templateProblems(sessionTags, 'session_tags')
  if (sessionMs !== null && (sessionMs < stsLimits.shortestMs || sessionMs > stsLimits.longestMs))
    problems.push({
      path: 'session',
      message: `expected a duration of ${sessionLimits.least} to ${sessionLimits.most}`,
    })
  if (sessionPolicy !== null) problems.push(...policyProblems(raw.session_policy?.Statement, sessionPolicy))
  const size = (sessionPolicy ?? '').length + policyArns.join('').length + roomForEnd
  if (size > longestPolicies)
    problems.push({
      path: 'session_policy',
      message: `policy and ARNs have ${size} characters, including the end of the grant; STS accepts ${longestPolicies}`,
    })
  if (problems.length > 0) return { ok: false, problems }
  return { ok: true, value: { sessionPolicy, policyArns, sessionTags, sessionMs } }
}

export const roleLevel = { schema, read }

function policyProblems(statement: unknown, text: string): Problem[] {
  const path = 'session_policy'
  const problems: Problem[] = []
  // biome-ignore lint/suspicious/noControlCharactersInRegex: tab, line feed and carriage return are what STS takes
  if (!/^[\u0009\u000A\u000D\u0020-\u00FF]+$/.test(text))
    problems.push({ path, message: 'expected characters up to U+00FF only' })
  const statements = [statement].flat()
  if (statements.length === 0) problems.push({ path, message: 'expected at least one Statement' })
  statements.forEach((one: unknown, i) => {
    const { Effect, Principal } = (one ?? {}) as { Effect?: unknown; Principal?: unknown }
    if (Effect !== 'Allow' && Effect !== 'Deny')
      problems.push({ path: `${path}.Statement[${i}]`, message: 'expected Effect: Allow or Deny' })
    if (Principal !== undefined)
      problems.push({ path: `${path}.Statement[${i}]`, message: 'a session policy has no Principal' })
  })
  return problems
}
