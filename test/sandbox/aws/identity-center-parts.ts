/** What the doubles of Identity Center share. */
import type { IdentityCenterAssignment } from './assignment.ts'
import { callerContext, refusal } from './authorize.ts'
import { AwsFault } from './aws-fault.ts'
import type { Caller } from './callers.ts'
import type { Member } from './json-input.ts'
import type { IdentityCenter, IdentityCenterPermissionSet, World } from './world.ts'

export interface CenterDeps {
  readonly world: World
  isDenied(action: string): boolean
  now(): number
}

export type Input = Readonly<Record<string, unknown>>

export interface Ask {
  readonly deps: CenterDeps
  readonly center: IdentityCenter
  readonly caller: Caller
  readonly input: Input
  readonly page: <T>(items: readonly T[], keyOf: (item: T) => string) => { items: T[]; NextToken?: string }
}

export type Answers = Readonly<Record<string, (ask: Ask) => object>>
export type Members = Readonly<Record<string, Readonly<Record<string, Member>>>>

export const instanceArn: Member = { pattern: /^arn:aws:sso:::instance\/(sso)?ins-[a-zA-Z0-9-.]{16}$/ }
export const permissionSetArn: Member = {
  pattern: /^arn:aws:sso:::permissionSet\/(sso)?ins-[a-zA-Z0-9-.]{16}\/ps-[a-zA-Z0-9-./]{16}$/,
}
export const account: Member = { pattern: /^\d{12}$/ }
export const principalType: Member = { pattern: /^(USER|GROUP)$/ }

export function permissionSetOf({ center }: Ask, arn: unknown): IdentityCenterPermissionSet {
  const found = center.permissionSets.find(({ id }) => setArnOf(center, id) === arn)
  if (!found) throw notFound('permission set')
  return found
}

export function instanceOf({ instanceId }: IdentityCenter): string {
  return `arn:aws:sso:::instance/${instanceId}`
}

export function setArnOf({ instanceId }: IdentityCenter, id: string): string {
  return `arn:aws:sso:::permissionSet/${instanceId}/${id}`
}

export function isSameAssignment(one: IdentityCenterAssignment, other: IdentityCenterAssignment): boolean {
  return isSamePair(one, other) && one.type === other.type && one.principal === other.principal
}

export function isSamePair(
  one: Pick<IdentityCenterAssignment, 'account' | 'permissionSet'>,
  other: Pick<IdentityCenterAssignment, 'account' | 'permissionSet'>,
): boolean {
  return one.account === other.account && one.permissionSet === other.permissionSet
}

/** @throws AwsFault ThrottlingException where too many call */
export function countCall(center: IdentityCenter, now: number): void {
  if (center.mostPerSecond === null) return
  center.lastCalls = center.lastCalls.filter((at) => at > now - 1000 && at <= now)
  if (center.lastCalls.length >= center.mostPerSecond) throw new AwsFault('ThrottlingException', 400, 'Rate exceeded')
  center.lastCalls.push(now)
}

/** @throws AwsFault for other members of the organization */
export function mayAdminister(center: IdentityCenter, caller: Caller, operation: string): void {
  if (caller.account === center.ownerAccount || center.delegatedAdministrators.includes(caller.account)) return
  throw denied(`User: ${caller.arn} is not authorized to perform: ${operation} on the instance of another account`)
}

/** Every resource that the action is on must be allowed (Service Authorization Reference). @throws AwsFault AccessDeniedException */
export function permit(deps: CenterDeps, caller: Caller, action: string, resource: string): void {
  const why = refusalOf(deps, caller, action, resource)
  if (why) throw denied(`User: ${caller.arn} is not authorized to perform: ${action} on resource: ${resource}`, why)
}

/** Empty: allowed. */
export function refusalOf(deps: CenterDeps, caller: Caller, action: string, resource: string): string {
  const context = callerContext(deps.world, caller, deps.now(), resource)
  return deps.isDenied(action) ? 'denied by a fault knob' : refusal(deps.world, caller, { action, resource, context })
}

export function denied(message: string, why = message): AwsFault {
  return new AwsFault('AccessDeniedException', 400, message, why)
}

export function notFound(what: string): AwsFault {
  return new AwsFault('ResourceNotFoundException', 400, `the ${what} does not exist`)
}
