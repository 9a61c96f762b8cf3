import type { AssumeRoleInput } from './assume-role-input.ts'
import { because, callerContext, roleRefusal } from './authorize.ts'
import { AwsFault } from './aws-fault.ts'
import type { Caller, Callers } from './callers.ts'
import { packedPolicySize } from './packed-size.ts'
import { type Policy, PolicyError, parsePolicy } from './policy.ts'
import { accountOf, documentOf, findRole, type Role, type World } from './world.ts'

export interface AssumedRole {
  readonly caller: Caller
  /** Percent; null when there was nothing to pack. */
  readonly packedPolicySize: number | null
}

export interface AssumeRoleDeps {
  readonly world: World
  readonly callers: Callers
  isDenied(action: string): boolean
}

const chainedMaxSeconds = 3600

/** @throws AwsFault AccessDenied, ValidationError, InvalidParameterValue, MalformedPolicyDocument, PackedPolicyTooLarge */
export function assumeRole(deps: AssumeRoleDeps, by: Caller, input: AssumeRoleInput, now: number): AssumedRole {
  if (input.policy !== null) readSessionPolicy(input.policy)
  const inherited = inheritedTags(by)
  const sourceIdentity = input.sourceIdentity ?? by.session?.sourceIdentity ?? null
  checkChain(by, input, inherited)
  for (const action of actionsNeeded(input, inherited, sourceIdentity)) authorize(deps, by, input, action, now)
  const role = findRole(deps.world, input.roleArn)
  if (!role) throw denied(by, 'sts:AssumeRole', input.roleArn, 'there is no such role')
  checkLength(role, input)
  const packed = packedPolicySize(input.policy, input.tags)
  if (packed !== null && packed > 100)
    throw new AwsFault(
      'PackedPolicyTooLarge',
      400,
      `Packed size of session tags and policies consumes ${packed}% of allotted space`,
    )
  const caller = deps.callers.issue(role, {
    roleArn: role.arn,
    name: input.sessionName,
    issuedAt: now,
    expiresAt: now + input.durationSeconds * 1000,
    policy: sessionPolicyOf(deps.world, role, input),
    tags: { ...inherited, ...input.tags },
    transitiveTagKeys: [...Object.keys(inherited), ...input.transitiveTagKeys],
    sourceIdentity,
    isChained: by.session !== null,
    assumedBy: by.arn,
    assumedWith: by.accessKeyId,
  })
  return { caller, packedPolicySize: packed }
}

/** @throws AwsFault ValidationError */
export function checkLength(role: Role, { durationSeconds }: AssumeRoleInput): void {
  if (durationSeconds > role.maxSessionSeconds)
    throw new AwsFault(
      'ValidationError',
      400,
      'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
    )
}

/** What session policies allow together, inline and managed ones; null: none was given. */
export function sessionPolicyOf(world: World, role: Role, input: AssumeRoleInput): Policy | null {
  const inline = input.policy === null ? [] : [readSessionPolicy(input.policy)]
  const managed = input.policyArns.map((arn) => {
    const document = documentOf(world, arn)
    if (!document || !['aws', accountOf(role.arn)].includes(accountOf(arn)))
      throw new AwsFault('AccessDenied', 403, `the policy ${arn} does not exist in the account of the role`)
    return parsePolicy(document, 'identity')
  })
  const all = [...inline, ...managed]
  return all.length === 0 ? null : { hasVariables: true, statements: all.flatMap(({ statements }) => statements) }
}

function readSessionPolicy(text: string): Policy {
  try {
    return parsePolicy(JSON.parse(text), 'identity')
  } catch (error) {
    if (error instanceof PolicyError || error instanceof SyntaxError)
      throw new AwsFault('MalformedPolicyDocument', 400, 'Syntax errors in policy.', error.message)
    throw error
  }
}

/** What a session passes on to the next. */
function inheritedTags(by: Caller): Record<string, string> {
  if (!by.session) return {}
  const transitive = new Set(by.session.transitiveTagKeys.map((key) => key.toLowerCase()))
  return Object.fromEntries(Object.entries(by.session.tags).filter(([key]) => transitive.has(key.toLowerCase())))
}

function checkChain(by: Caller, input: AssumeRoleInput, inherited: Readonly<Record<string, string>>): void {
  if (!by.session) return
  if (input.durationSeconds > chainedMaxSeconds)
    throw new AwsFault(
      'ValidationError',
      400,
      'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.',
    )
  const given = Object.keys(input.tags).map((key) => key.toLowerCase())
  if (Object.keys(inherited).some((key) => given.includes(key.toLowerCase())))
    throw new AwsFault(
      'InvalidParameterValue',
      400,
      "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.",
    )
  const { sourceIdentity } = by.session
  if (sourceIdentity && input.sourceIdentity && sourceIdentity !== input.sourceIdentity)
    throw denied(by, 'sts:SetSourceIdentity', input.roleArn, 'a source identity cannot be changed once set')
}

/** Tags and source identity need actions of their own on both sides, also when they are only passed on. */
function actionsNeeded(input: AssumeRoleInput, inherited: object, sourceIdentity: string | null): string[] {
  const tagged = Object.keys(input.tags).length + Object.keys(inherited).length > 0
  return ['sts:AssumeRole', ...(tagged ? ['sts:TagSession'] : []), ...(sourceIdentity ? ['sts:SetSourceIdentity'] : [])]
}

function authorize(deps: AssumeRoleDeps, by: Caller, input: AssumeRoleInput, action: string, now: number): void {
  const context = callerContext(deps.world, by, now, input.roleArn)
  // AWS's service authorization data gives ExternalId to AssumeRole alone: a TagSession statement that demands it never matches.
  if (action === 'sts:AssumeRole' && input.externalId !== null) context.set('sts:externalid', [input.externalId])
  context.set('sts:rolesessionname', [input.sessionName])
  if (input.sourceIdentity !== null) context.set('sts:sourceidentity', [input.sourceIdentity])
  if (input.transitiveTagKeys.length > 0) context.set('sts:transitivetagkeys', [...input.transitiveTagKeys])
  const keys = Object.keys(input.tags)
  if (keys.length > 0) context.set('aws:tagkeys', keys)
  for (const [key, value] of Object.entries(input.tags)) context.set(`aws:requesttag/${key.toLowerCase()}`, [value])
  const access = { action, resource: input.roleArn, context }
  const why = deps.isDenied(action) ? 'denied by a fault knob' : roleRefusal(deps.world, by, input.roleArn, access)
  if (why) throw denied(by, action, input.roleArn, why)
}

function denied(by: Caller, action: string, resource: string, reason: string): AwsFault {
  const message = `User: ${by.arn} is not authorized to perform: ${action} on resource: ${resource}${because(reason, action)}`
  return new AwsFault('AccessDenied', 403, message, reason)
}
