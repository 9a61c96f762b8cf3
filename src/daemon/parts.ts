import { createAccess } from '../access/create-access.ts'
import type { AuditListener, AuditLog } from '../audit/audit.ts'
import { createAuditLog } from '../audit/create-audit.ts'
import { createAws } from '../aws/create-aws.ts'
import { createDataKeys } from '../aws/data-keys.ts'
import { createOrganizationCalls } from '../aws/organization/organization-calls.ts'
import { createSessionManagers } from '../aws/session-manager.ts'
import { Tunnels } from '../aws/tunnels.ts'
import type { Config } from '../config/config.ts'
import { createIdentity } from '../identity/create-identity.ts'
import { createOidc } from '../identity/oidc/oidc.ts'
import { createAccountCheck } from '../inventory/account-check.ts'
import { createInventory } from '../inventory/create-inventory.ts'
import { neededFeatures } from '../inventory/needed-features.ts'
import { createIdentityCenterAt } from '../kinds/identity-center/at-home.ts'
import type { KindModules } from '../kinds/module.ts'
import { StartedKinds } from '../kinds/started-kinds.ts'
import { PeerGuard } from '../peers/peer-guard.ts'
import { Peers } from '../peers/peers.ts'
import { Pushing, pushDefaults } from '../pushed/create-pushing.ts'
import { digestKeys } from '../recordings/digest-keys.ts'
import { openRecordings } from '../recordings/open-recordings.ts'
import { LiveSessions } from '../sessions/live-sessions.ts'
import { createLocalSessions } from '../sessions/local-sessions.ts'
import { createPreflights } from '../sessions/preflights.ts'
import { createSessionStore } from '../sessions/session-store.ts'
import { Sessions } from '../sessions/sessions.ts'
import { WatchedSessions } from '../sessions/watched-session.ts'
import { createChanges } from '../store/changes.ts'
import { SharedCounts } from '../store/counts/shared-counts.ts'
import { newTokenId } from '../store/ids.ts'
import { settledValue } from '../store/settings.ts'
import { pingStore } from '../store/store.ts'
import { watchStore } from '../store/store-watch.ts'
import { systemClock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import { createMetrics } from '../telemetry/metrics.ts'
import { steadyClock } from '../telemetry/steady-clock.ts'
import { createValidations } from '../validations/create-validations.ts'
import { joinDaemons } from './join-daemons.ts'
import { openMark, type TrustedStore } from './judged-store.ts'
import { cancelAt, recordingsElsewhere, stopElsewhere, tellElsewhere } from './peer-calls.ts'
import { takeSpool } from './take-spool.ts'

export type Parts = Awaited<ReturnType<typeof buildParts>>

/**
 * Every part of the deciding side, in the order in which they need each other; nothing listens yet.
 * @param trusted its store is closed by its owner, after these parts
 * @param closing collects what must be closed, also when a later part can't be built
 */
export async function buildParts(
  config: Config,
  trusted: TrustedStore,
  kindModules: KindModules,
  logger: Logger,
  closing: AsyncDisposableStack,
) {
  const clock = systemClock
  const steady = steadyClock(clock, () => performance.now())
  const { db, keyring, installation, judgement } = trusted
  const { fork } = judgement.found
  const externalId =
    config.aws.externalId ?? (await settledValue(db, 'external_id', () => `sallyport-${newTokenId()}${newTokenId()}`))
  const metrics = createMetrics()
  const daemons = await joinDaemons(config, { db, keyring, clock, steadyClock: steady, logger, metrics }, closing)
  // Not before: while another process has this state.dir, nothing in it is touched.
  const mark = await openMark(config, trusted, closing)
  const { leader } = daemons
  const counts = new SharedCounts({ db, keyring, clock, daemonId: daemons.id })
  const shared = { config, db, keyring, clock, logger, daemons, leader, metrics, counts, changes: createChanges() }

  const recordings = await openRecordings({
    ...shared,
    config: config.recordings,
    keyId: keyring.signingKeyId,
    digestKeys: digestKeys(keyring),
    elsewhere: (...of) => elsewhere(...of),
  })
  closing.defer(() => recordings.close())
  const audit = await createAuditLog({
    ...shared,
    installation,
    config: config.audit,
    spoolPath: takeSpool(config),
    known: judgement.found.head,
    mark,
    fork,
    heads: () => sessions.heads(),
  })
  closing.defer(() => audit.stop())
  const heard = keepUntilAsked(audit)

  const oidc = createOidc({ ...shared, config: config.oidc, publicUrl: config.server.publicUrl })
  const identity = await createIdentity({
    ...shared,
    audit,
    config: config.oidc,
    prober: oidc.prober,
    access: () => access,
  })
  closing.defer(() => identity.idle())
  const access = await createAccess({
    ...shared,
    audit,
    identity,
    kinds: kindModules,
    steadyClock: steady,
    requireClock: () => daemons.requireClock(),
    pushed: {
      refuse: (...of) => pushing.refuse(...of),
      stateOf: (grant, isLive) => pushing.stateOf(grant, isLive),
    },
  })
  closing.defer(() => access.close())

  const kinds = new StartedKinds(kindModules)
  const aws = createAws({ ...shared, config: config.aws, externalId })
  const organizations = createOrganizationCalls({ aws, config: config.aws, metrics })
  const identityCenterRegion = () =>
    inventory.sync.settings.identityCenter?.region ?? config.aws.regions[0] ?? 'us-east-1'
  const identityCenterAt = createIdentityCenterAt({
    ...shared,
    aws,
    portalUrl: () => inventory.sync.settings.identityCenter?.push?.portalUrl ?? null,
  })
  const isOwnAccount = (account: string) => access.resource(`account/${account}`) !== undefined
  const discoveryParts = { ...shared, aws, config: config.aws, organizations, isOwnAccount }
  const discoveries = (await Promise.all(kindModules.map((kind) => kind.discoveries?.(discoveryParts)))).flatMap(
    (found = []) => found,
  )
  const inventory = await createInventory({ ...shared, access, audit, aws, discoveries, organizations })
  closing.defer(() => inventory.idle())
  const sessionManagers = createSessionManagers({ ...shared, config: config.aws })
  const dataKeys = createDataKeys({ ...shared, config: config.aws })
  const tunnels = new Tunnels({ ...shared, config: config.aws, aws, sessionManagers, identity })
  closing.defer(() => tunnels.close())
  const sessionStore = createSessionStore(db, keyring)
  const peers = new Peers({ keyring, clock, publicUrl: config.server.publicUrl })
  const elsewhere = recordingsElsewhere({ peers, daemons, audit, sessions: sessionStore })
  const sessions = new Sessions({
    ...shared,
    access,
    identity,
    audit,
    recordings,
    kinds,
    store: sessionStore,
    tunnels,
    peers: { cancel: cancelAt(peers, daemons), stop: stopElsewhere(peers, daemons) },
    live: new LiveSessions(clock),
    limits: config.limits,
  })
  const watched = new WatchedSessions({
    ...shared,
    ...{ sessions, recordings, audit, identity, access },
    store: sessionStore,
    tellElsewhere: tellElsewhere(peers, daemons),
  })
  const checkAccounts = createAccountCheck({
    audit,
    aws,
    config: config.aws,
    kinds: kindModules,
    resources: () => access.resourcesKnown(),
    levelsOf: (entry) => access.levelsOf(entry),
    idToken: identity.idToken,
  })
  await kinds.start({
    ...shared,
    access,
    audit,
    aws,
    dataKeys,
    identityCenterAt,
    identityCenterRegion,
    sessionManagers,
    identity,
    sessions: createLocalSessions({ ...shared, sessions, recordings }),
  })
  closing.defer(() => kinds.settled())
  const pushing = new Pushing({
    ...shared,
    access,
    audit,
    identity,
    directory: () => identityCenterAt(identityCenterRegion()).directory,
    center: () => (inventory.sync.settings.identityCenter ? identityCenterAt(identityCenterRegion()).center : null),
    pusherOf: (kind) => kinds.pusherOf(kind),
    kinds: () => kinds.pushed,
    settings: () => inventory.sync.settings.identityCenter?.push ?? pushDefaults,
  })
  const { validations, chores: validationChores } = createValidations({
    ...shared,
    ...{ access, audit, aws, identity, kindModules },
    checkerOf: (kind) => kinds.checkerOf(kind),
    identityCenterRegion: () => inventory.sync.settings.identityCenter?.region ?? null,
    features: () =>
      neededFeatures({
        ...{ resources: access.resourcesKnown(), kinds: kindModules, settings: inventory.sync.settings },
        hasLevels: (entry) => access.levelsOf(entry).size > 0,
      }),
  })
  const restored = Promise.withResolvers<void>()
  heard.tellTo((record, from) => {
    identity.apply(record, from)
    inventory.apply(record)
    void pushing.note(record)
    if (from === 'here') return
    if (record.type === 'audit.forked') restored.resolve()
    access.apply(record)
    sessions.apply(record)
  })
  const storeWatch = watchStore({
    ...(daemons.isShared
      ? {
          // What others have revoked counts, and that this daemon can be seen to live; both are asked for often anyway.
          ping: async () => {
            audit.requireFresh()
            daemons.requireBeaten()
          },
          ageMs: () => Math.max(audit.ageMs, daemons.ageMs),
        }
      : { ping: () => pingStore(db) }),
    graceMs: config.store.graceMs,
    logger,
    onLost: () => {
      const text = 'the broker lost its store and can no longer check access'
      const count = sessions.cutAll({ reason: 'store-lost', text, decidedAt: clock.now() })
      logger.error({ count }, 'sessions cut: the store was unreachable for longer than store.grace')
    },
  })
  return {
    ...shared,
    /** Lets other daemons in. */
    peers: new PeerGuard({ keyring, clock, daemonId: daemons.id }),
    audit,
    mark,
    /** Events up to this one are verified while the daemon runs. */
    unverified: judgement.unverified,
    /** Resolves when a restore is confirmed at another daemon. */
    restoredElsewhere: restored.promise,
    recordings,
    oidc,
    identity,
    access,
    externalId,
    checkAccounts,
    inventory,
    validations,
    validationChores,
    pushing,
    preflights: createPreflights({ ...shared, access, identity, sessions, recordings }),
    kinds,
    kindModules,
    sessions,
    sessionStore,
    tunnels,
    watched,
    storeWatch,
  }
}

/** What the log tells before the parts are there that must know of it. */
function keepUntilAsked(audit: Pick<AuditLog, 'subscribe'>) {
  const early: Parameters<AuditListener>[] = []
  let tell: AuditListener = (...event) => void early.push(event)
  audit.subscribe((...event) => tell(...event))
  return {
    tellTo: (listener: AuditListener) => {
      tell = listener
      for (const event of early.splice(0)) listener(...event)
    },
  }
}
