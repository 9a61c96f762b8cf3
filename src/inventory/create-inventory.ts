import type { Access } from '../access/access.ts'
import type { AuditLog, AuditRecord } from '../audit/audit.ts'
import type { Aws } from '../aws/aws.ts'
import { createRegionReader } from '../aws/estate/regions.ts'
import type { OrganizationCalls } from '../aws/organization/organization-calls.ts'
import { readNode } from '../aws/organization/read-one.ts'
import { readOrganization } from '../aws/organization/read-organization.ts'
import { Paced } from '../aws/paced.ts'
import type { Config } from '../config/config.ts'
import type { Leadership } from '../daemons/leadership.ts'
import type { Keyring } from '../store/keyring.ts'
import { type Db, transactOn } from '../store/store.ts'
import { createBackground } from '../telemetry/background.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Discovery, Place } from './discovery.ts'
import { createAccountStore } from './engine/account-store.ts'
import { estateAccounts } from './estate-accounts.ts'
import { createEventFollower } from './events/create-event-follower.ts'
import { createEventNotes } from './events/event-notes.ts'
import { createEventProbe } from './events/probe-events.ts'
import { Inventory } from './inventory.ts'
import { createInventoryStore } from './inventory-store.ts'
import { organizationDiscovery } from './organization-discovery.ts'
import { createScopes } from './scopes.ts'
import { Sync } from './sync.ts'

interface Deps {
  readonly access: Access
  readonly audit: AuditLog
  readonly aws: Aws
  readonly clock: Clock
  readonly config: Config
  readonly db: Db
  /** Of the kinds. */
  readonly discoveries: readonly Discovery[]
  readonly keyring: Keyring
  readonly leader: Leadership
  readonly logger: Logger
  readonly metrics: Metrics
  readonly organizations: OrganizationCalls
}

/** STS bears more; sessions of people need it too. */
const spokePace = { perSecond: 50, burst: 50, atOnce: 16 } as const

/** A region that is on in every account. */
const askedRegions: Readonly<Record<string, string>> = { 'aws-cn': 'cn-north-1', 'aws-us-gov': 'us-gov-west-1' }

/** What is discovered of AWS: read from the store before the rules are loaded, which go by it. */
export async function createInventory(deps: Deps) {
  const { access, aws, clock, config, db, discoveries, keyring, leader, logger, metrics, organizations } = deps
  const background = createBackground(logger)
  const store = createInventoryStore(db, keyring)
  const accountStore = createAccountStore(db)
  const inventory = new Inventory({ store, background, access })
  await inventory.load()
  const readRegions = createRegionReader({ aws, config: config.aws, metrics })
  const paced = new Paced(spokePace)
  const regionsInUse = config.aws.regions
  const sync = new Sync(
    {
      ...deps,
      store,
      accountStore,
      transact: transactOn(db),
      discoveries: [
        organizationDiscovery(
          (options) => readOrganization(organizations, options),
          (id, signal) => readNode(organizations, id, signal),
          clock,
        ),
        ...discoveries,
      ],
      hub: hubOf(config),
      regionsInUse,
      accounts: () => estateAccounts(config.aws, sync.settings, inventory),
      enter: async (place, signal) => void (await paced.run(signal, () => aws.spoke(place))),
      regions: async ({ partition, account }, signal) => {
        const [inUse = 'us-east-1'] = regionsInUse
        return await readRegions({ partition, account, region: askedRegions[partition] ?? inUse }, signal)
      },
    },
    config.inventory,
  )
  const notes = createEventNotes({ db, clock, keyring })
  const events = createEventFollower({
    ...deps,
    hint: (hint) => sync.hint(hint),
    onState: (problem) => notes.queueIs(problem),
    onProbe: (id, mac) => notes.probeCame(id, mac),
  })
  const shownEvents = async () => (events.follower.settings === null ? [] : [await notes.scope()])
  const scopes = createScopes({ events: shownEvents, store, accountStore, inventory, sync, clock, regionsInUse })
  return {
    store,
    sync,
    probeEvents: createEventProbe({
      settings: () => events.follower.settings,
      queueOf: events.queueOf,
      notes,
      clock,
    }),
    scopes,
    apply: (record: AuditRecord) => inventory.apply(record),
    /** After a reload. */
    use: (settings: Config['inventory']) => {
      sync.use(settings)
      events.follower.use(settings.events ?? null)
    },
    idle: async () => {
      await events.follower.close()
      await background.idle()
    },
    chores: [
      {
        what: 'sync of the inventory',
        everyMs: 1000,
        per: 'installation',
        run: (signal: AbortSignal) => sync.run(signal),
      },
      {
        what: 'reading of the inventory',
        everyMs: 1000,
        per: 'daemon',
        run: async () => {
          sync.tick()
          await inventory.refresh()
        },
      },
      ...events.chores,
      { what: 'age of the inventory', everyMs: 15_000, per: 'daemon', run: () => showAge() },
    ] as const,
  }

  async function showAge(): Promise<void> {
    const found = leader.isLeader ? await scopes.goodAt() : new Map<string, number | null>()
    metrics.inventoryAgeSeconds.reset()
    for (const [scope, goodAt] of found)
      if (goodAt !== null) metrics.inventoryAgeSeconds.set({ scope }, Math.max(0, clock.now() - goodAt) / 1000)
  }
}

/** Where the organization is read. */
function hubOf({ aws: { hubRoleArn } }: Config): Place {
  const [, partition = 'aws', , , account = ''] = hubRoleArn?.split(':') ?? []
  return { partition, account, region: null }
}
