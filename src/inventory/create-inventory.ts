import type { Access } from '../access/access.ts'
import type { AuditLog, AuditRecord } from '../audit/audit.ts'
import type { Aws } from '../aws/aws.ts'
import { createOrganizationCalls } from '../aws/organization/organization-calls.ts'
import { readOrganization } from '../aws/organization/read-organization.ts'
import type { Config } from '../config/config.ts'
import type { Leadership } from '../daemons/leadership.ts'
import type { Keyring } from '../store/keyring.ts'
import { type Db, transactOn } from '../store/store.ts'
import { createBackground } from '../telemetry/background.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { Inventory } from './inventory.ts'
import { createInventoryStore } from './inventory-store.ts'
import { createScopes } from './scopes.ts'
import { organizationScope, Sync } from './sync.ts'

interface Deps {
  readonly access: Access
  readonly audit: AuditLog
  readonly aws: Aws
  readonly clock: Clock
  readonly config: Config
  readonly db: Db
  readonly keyring: Keyring
  readonly leader: Leadership
  readonly logger: Logger
  readonly metrics: Metrics
}

/** What is discovered of AWS: read from the store before the rules are loaded, which go by it. */
export async function createInventory(deps: Deps) {
  const { access, aws, clock, config, db, keyring, logger, metrics } = deps
  const background = createBackground(logger)
  const store = createInventoryStore(db, keyring)
  const inventory = new Inventory({ store, background, access })
  await inventory.load()
  const calls = createOrganizationCalls({ aws, config: config.aws, metrics })
  const read = (options: Parameters<typeof readOrganization>[1]) => readOrganization(calls, options)
  const sync = new Sync({ ...deps, store, transact: transactOn(db), read }, config.inventory)
  const scopes = createScopes({ store, inventory, sync, clock })
  return {
    store,
    sync,
    scopes,
    apply: (record: AuditRecord) => inventory.apply(record),
    idle: () => background.idle(),
    chores: [
      {
        what: 'sync of the inventory',
        everyMs: 2000,
        per: 'installation',
        run: (signal: AbortSignal) => sync.run(signal),
      },
      { what: 'reading of the inventory', everyMs: 1000, per: 'daemon', run: () => inventory.refresh() },
      { what: 'age of the inventory', everyMs: 15_000, per: 'daemon', run: () => showAge() },
    ] as const,
  }

  async function showAge(): Promise<void> {
    const goodAt = await scopes.goodAt()
    if (goodAt === null) metrics.inventoryAgeSeconds.remove(organizationScope)
    else metrics.inventoryAgeSeconds.set({ scope: organizationScope }, Math.max(0, clock.now() - goodAt) / 1000)
  }
}
