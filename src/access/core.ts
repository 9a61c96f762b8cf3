import { BrokerError, errors } from '../../proxy/session.ts'
import type { AuditLog } from '../audit/audit.ts'
import type { Kinds, Surroundings } from '../catalog/kind.ts'
import type { CatalogEntry, Resource } from '../catalog/resource.ts'
import type { GrantView } from '../contract/grants.ts'
import type { Leadership } from '../daemons/leadership.ts'
import type { IdentityService } from '../identity/identity.ts'
import type { Login, Principal } from '../identity/principal.ts'
import type { Changes } from '../store/changes.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { GrantKeeper } from './grants/grant-keeper.ts'
import type { RequestKeeper } from './requests/request-keeper.ts'
import type { AccessStore } from './rows/access-store.ts'
import type { StoredGrant } from './rows/rows.ts'
import { type Denied, levelsToAskFor } from './rules/decide.ts'
import type { RulesInForce } from './rules/rules-in-force.ts'

/** What AWS itself holds of grants. */
export interface PushedGrants {
  /** Why AWS cannot give a person what they ask for. Null: it can. @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE */
  refuse(
    principal: Principal,
    entry: CatalogEntry,
    level: unknown,
  ): Promise<{ readonly reason: string; readonly hint: string } | null>
  /** Null: AWS holds nothing of it. */
  stateOf(grant: StoredGrant, isLive: boolean): Promise<GrantView['push']>
}

/** What every part of src/access works with. */
export interface Core {
  readonly store: AccessStore
  readonly audit: Pick<AuditLog, 'append' | 'appendRemoval'>
  readonly leader: Pick<Leadership, 'isLeader' | 'claim'>
  readonly identity: Pick<IdentityService, 'principal' | 'findPrincipal' | 'loginName' | 'tagClaims'>
  /** Never goes back. */
  readonly clock: Clock
  /** That of the machine, which may have been set back since. */
  readonly wallClock: Clock
  requireClock(): void
  readonly changes: Changes
  readonly logger: Logger
  readonly metrics: Metrics
  readonly kinds: Kinds
  readonly config: Surroundings
  readonly inForce: RulesInForce
  readonly pushed: PushedGrants
  readonly grants: GrantKeeper
  readonly requests: RequestKeeper
}

/** A denial as an error for the caller. */
export function refusal(denied: Denied): BrokerError {
  return new BrokerError(denied.code, denied.reason, { hint: denied.hint })
}

/** Admins and auditors see everything. */
export function isOverseer(login: Pick<Login, 'roles'>): boolean {
  return login.roles.includes('admin') || login.roles.includes('auditor')
}

/** Whether some rule, or a live grant, covers the resource for this principal. */
export function isVisible(core: Core, principal: Principal, resource: Resource): boolean {
  return (
    levelsToAskFor(core.inForce.rules, principal, resource).length > 0 ||
    core.grants.live.some((grant) => grant.principalId === principal.id && grant.resourceId === resource.id)
  )
}

/** Whether the caller may know of the resource. @param self as they are now */
export function mayKnowOf(core: Core, login: Login, resource: Resource, self: Principal = login.principal): boolean {
  return isOverseer(login) || isVisible(core, self, resource)
}

/** An error because of who asks, for what, or how often: no failure of ours. */
export function isOfCaller(error: unknown): error is BrokerError {
  return error instanceof BrokerError && errors[error.code].status < 500
}

/** The principal as it is now. @throws BrokerError PRINCIPAL_INACTIVE when it is gone */
export async function currentPrincipal(core: Pick<Core, 'identity'>, id: string): Promise<Principal> {
  const principal = await core.identity.principal(id)
  if (!principal) throw new BrokerError('PRINCIPAL_INACTIVE', 'this identity is no longer in the directory')
  return principal
}

export type ReadPrincipal = (id: string) => Promise<Principal | undefined>

/** Reads each principal once: for one pass over many rows. Unknown ones are left out. */
export function principalReader(core: { readonly identity: Pick<Core['identity'], 'principal'> }): ReadPrincipal {
  const read = new Map<string, Promise<Principal | undefined>>()
  return (id) => {
    const known = read.get(id) ?? core.identity.principal(id)
    read.set(id, known)
    return known
  }
}

export async function readAll(ids: Iterable<string>, read: ReadPrincipal): Promise<Map<string, Principal>> {
  const found = new Map<string, Principal>()
  for (const id of new Set(ids)) {
    const principal = await read(id)
    if (principal) found.set(id, principal)
  }
  return found
}
