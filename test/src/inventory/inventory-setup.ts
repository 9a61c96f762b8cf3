import type { Test } from 'tap'
import { BrokerError } from '../../../proxy/session.ts'
import type { AuditEvent, Beside } from '../../../src/audit/audit.ts'
import type { AccountSeen, OrganizationPicture, UnitSeen } from '../../../src/aws/organization/picture.ts'
import type { Kinds } from '../../../src/catalog/kind.ts'
import { soleLeader } from '../../../src/daemons/leadership.ts'
import { createAccountStore } from '../../../src/inventory/engine/account-store.ts'
import { Inventory } from '../../../src/inventory/inventory.ts'
import { createInventoryStore } from '../../../src/inventory/inventory-store.ts'
import { organizationDiscovery } from '../../../src/inventory/organization-discovery.ts'
import { createScopes } from '../../../src/inventory/scopes.ts'
import { Sync, type SyncDeps } from '../../../src/inventory/sync.ts'
import { account } from '../../../src/kinds/account/kind.ts'
import { organizationalUnit } from '../../../src/kinds/organizational-unit/kind.ts'
import type { Keyring } from '../../../src/store/keyring.ts'
import { transactOn } from '../../../src/store/store.ts'
import { createBackground } from '../../../src/telemetry/background.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { kinds, openAccess, type SetupOptions } from '../access/access-setup.ts'

export const production = 'ou-ab12-11111111'
export const payments = 'ou-ab12-22222222'
export const sandbox = 'ou-ab12-33333333'
export const root = 'r-ab12'
/** Of the resources of access-setup.ts. */
export const dataAccount = '111122223333'

export const every = 900_000
export const isOn = { organization: true, import: null, everyMs: every }

export const allKinds: Kinds = [...kinds, account, organizationalUnit]

export const keys: Pick<Keyring, 'mac' | 'checkMac'> = {
  mac: (purpose, text) => Buffer.from(`${purpose}:${text}`).toString('base64url'),
  checkMac: (purpose, text, mac) => mac === Buffer.from(`${purpose}:${text}`).toString('base64url'),
}

export function accountSeen(id: string, more: Partial<AccountSeen> = {}): AccountSeen {
  return {
    id,
    arn: `arn:aws:organizations::999900001111:account/o-exampleorgid/${id}`,
    name: `account-${id}`,
    email: `aws+${id}@example.com`,
    state: 'ACTIVE',
    joinedAt: 1,
    parent: payments,
    tags: {},
    ...more,
  }
}

export function unitSeen(id: string, parent: string, more: Partial<UnitSeen> = {}): UnitSeen {
  const arn = `arn:aws:organizations::999900001111:ou/o-exampleorgid/${id}`
  return { id, arn, name: `unit-${id.slice(-1)}`, parent, tags: {}, ...more }
}

/** root: production: payments: the account of the databases; sandbox. */
export function picture(more: Partial<OrganizationPicture> = {}): OrganizationPicture {
  return {
    id: 'o-exampleorgid',
    managementAccount: '999900001111',
    root,
    accounts: [accountSeen(dataAccount, { tags: { env: 'prod' } }), accountSeen('999900001111', { parent: root })],
    units: [unitSeen(production, root), unitSeen(payments, production), unitSeen(sandbox, root)],
    ...more,
  }
}

/** Access, and an inventory that a made-up AWS fills. */
export async function openInventory(t: Test, options: SetupOptions = {}, deps: Partial<SyncDeps> = {}) {
  const rules = { inventory: isOn, ...options.rules }
  const setup = await openAccess(t, { kinds: allKinds, ...options, rules })
  const { access, audit, db, clock, metrics } = setup
  const background = createBackground(createLogger({ level: 'silent' }))
  const store = createInventoryStore(db, keys)
  const inventory = new Inventory({ store, background, access })
  await inventory.load()
  /** What AWS shows, or throws. */
  const aws: { shows: OrganizationPicture | BrokerError; reads: number } = { shows: picture(), reads: 0 }
  const read = async () => {
    aws.reads += 1
    if (aws.shows instanceof BrokerError) throw aws.shows
    return aws.shows
  }
  const accountStore = createAccountStore(db)
  const { discoveries: _, ...others } = deps
  const syncDeps: SyncDeps = {
    store,
    transact: transactOn(db),
    leader: soleLeader(db),
    clock,
    logger: createLogger({ level: 'silent' }),
    metrics,
    accountStore,
    discoveries: [
      organizationDiscovery(read, async () => ({ accounts: [], units: [] }), clock),
      ...(deps.discoveries ?? []),
    ],
    hub: { partition: 'aws', account: '999900001111', region: null },
    regionsInUse: [],
    accounts: () => [],
    enter: async () => {},
    regions: async () => [],
    audit: {
      append: async (event: AuditEvent, beside?: Beside) => {
        const record = await audit.append(event, beside)
        inventory.apply(record)
        return record
      },
    },
    ...others,
  }
  const sync = new Sync(syncDeps, isOn)
  /** One pass that shows this. */
  const pass = async (shows: OrganizationPicture | BrokerError = aws.shows) => {
    aws.shows = shows
    clock.advance(every)
    await sync.run(new AbortController().signal)
    await background.idle()
  }
  const rows = () => db.selectFrom('discovered').selectAll().orderBy('id').execute()
  return {
    ...setup,
    /** The daemon that leads next. */
    another: () => new Sync(syncDeps, sync.settings),
    ...{ store, accountStore, inventory, sync, aws, pass, rows, background },
    scopes: createScopes({ store, accountStore, inventory, sync, clock, regionsInUse: [] }),
  }
}
