import type { AuditLog } from '../audit/audit.ts'
import type { Config } from '../config/config.ts'
import type { Changes } from '../store/changes.ts'
import type { Keyring } from '../store/keyring.ts'
import type { Db } from '../store/store.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Prober } from './logins/logins.ts'
import type { TokenGrants } from './tokens/token-grants.ts'

/** What identity needs from the other parts. */
export interface IdentityDeps {
  readonly db: Db
  readonly keyring: Pick<Keyring, 'mac' | 'checkMac' | 'derive' | 'seal' | 'unseal'>
  readonly audit: Pick<AuditLog, 'append' | 'appendRemoval' | 'spooled' | 'search' | 'catchUp'>
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'loginsTotal'>
  readonly changes: Changes
  readonly config: Config['oidc']
  /** Access needs identity, and connect tokens need access; asked for when the first is issued. */
  access(): TokenGrants
  /** Omitted: refresh tokens are stored, but not probed. */
  readonly prober?: Prober
}
