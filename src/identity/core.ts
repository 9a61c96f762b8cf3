import { BrokerError } from '../../proxy/session.ts'
import type { Background } from '../telemetry/background.ts'
import type { KeyedMutex } from '../telemetry/keyed-mutex.ts'
import type { Directory } from './directory/directory.ts'
import type { IdentityDeps } from './identity-deps.ts'
import type { Login, Principal, Standing } from './principal.ts'
import type { Removals } from './removals.ts'

/** What the parts of identity share. */
export interface Core extends IdentityDeps {
  readonly removals: Removals
  readonly directory: Directory
  /** One change of one principal at a time. */
  readonly mutex: KeyedMutex
  readonly background: Background
}

/** Whether this identity may act now. */
export function stands<S extends Pick<Standing, 'active' | 'lockedAt'>>(principal: S | undefined): principal is S {
  return principal?.active === true && principal.lockedAt === null
}

/** @throws BrokerError PRINCIPAL_LOCKED, PRINCIPAL_INACTIVE */
export function checkStanding(principal: Principal | undefined): Principal {
  if (principal?.lockedAt != null) throw new BrokerError('PRINCIPAL_LOCKED')
  if (!principal?.active) throw new BrokerError('PRINCIPAL_INACTIVE')
  return principal
}

/** One's own, or an admin; an API token reaches others' only with the scope `admin`, without which it has no such role. */
export function mayManage(login: Login, principal: Pick<Principal, 'id' | 'ownerId'>): boolean {
  const { id } = login.principal
  return principal.id === id || principal.ownerId === id || login.roles.includes('admin')
}

export function actorOf(login: Login): { actor: string; name: string } {
  return { actor: login.principal.id, name: login.principal.name }
}
