import { BrokerError } from '../../proxy/session.ts'
import type { Access } from '../access/access.ts'
import type { AuditLog } from '../audit/audit.ts'
import type { Config } from '../config/config.ts'
import type { Changes } from '../store/changes.ts'
import type { Keyring } from '../store/keyring.ts'
import type { Db } from '../store/store.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Directory } from './directory.ts'
import type { Prober } from './logins.ts'
import type { Memory } from './memory.ts'
import type { Login, Principal } from './principal.ts'
import type { Turns } from './turns.ts'

export interface IdentityDeps {
  readonly db: Db
  readonly keyring: Pick<Keyring, 'mac' | 'checkMac' | 'seal' | 'unseal'>
  readonly audit: Pick<AuditLog, 'append' | 'appendRemoval' | 'spooled' | 'search'>
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'loginsTotal'>
  readonly changes: Changes
  readonly config: Config['oidc']
  /** Access needs identity, and connect tokens need access; asked for when the first is issued. */
  access(): Pick<Access, 'check' | 'connectTokenPolicy'>
  /** Omitted: refresh tokens are kept, but not tried. */
  readonly prober?: Prober
}

/** What the parts of identity share. */
export interface Core extends IdentityDeps {
  readonly memory: Memory
  readonly directory: Directory
  /** One change of one principal at a time. */
  readonly turns: Turns
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
