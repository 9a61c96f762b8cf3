import { readFile } from 'node:fs/promises'
import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import manifest from '../../package.json' with { type: 'json' }
import { BrokerError } from '../../proxy/session.ts'
import { websocketDuplex } from '../../proxy/streams/websocket-stream.ts'
import { checkAccessMacs } from '../access/rows/access-macs.ts'
import type { RecordingEnd } from '../audit/recording-ledger.ts'
import type { AuditReport } from '../audit/verify/report.ts'
import { policyValuesFor } from '../catalog/kind.ts'
import type { CatalogEntry } from '../catalog/resource.ts'
import type { LoadedConfig } from '../config/config.ts'
import { authorityIn } from '../config/listener-authority.ts'
import { listenerEndpoint, listenerFor } from '../config/listener-endpoint.ts'
import type { Installation } from '../contract/aws.ts'
import { featureRoutes } from '../http/feature-routes.ts'
import { createLists } from '../http/lists.ts'
import { LiveNews } from '../http/live/live-news.ts'
import { checkIdentityMacs } from '../identity/signed-rows.ts'
import { neededFeatures } from '../inventory/needed-features.ts'
import { createPreparation } from '../inventory/preparation.ts'
import { createTargetCheck } from '../inventory/target-check.ts'
import type { Recordings } from '../recordings/recordings.ts'
import { checkSessionRows } from '../sessions/session-macs.ts'
import { createGrantSessions, createGrantUse } from '../sessions/session-usage.ts'
import type { Carriers } from './carriers.ts'
import type { Parts } from './parts.ts'
import { peerHandlers } from './peer-calls.ts'
import { createReloadPlan } from './reload/plan-reload.ts'
import type { Life } from './stopping.ts'

/** Every route of the daemon: those of the features, and those that kinds bring. */
export function allRoutes(
  parts: Parts,
  carriers: Carriers,
  life: Pick<Life, 'isStopping'>,
  load: () => Promise<LoadedConfig>,
): FastifyPluginAsync[] {
  const { access, config, identity, kinds, sessionStore } = parts
  const { publicUrl } = config.server
  const lists = createLists({ identity, access })
  const useOf = createGrantUse(parts.db)
  const endpointOf = (id: string) => listenerEndpoint(config, protocolOf(parts, id), id)
  const features = featureRoutes({
    health: { unready: () => unready(parts, life), warnings: () => parts.daemons.warnings() },
    login: { ...parts, logins: identity.logins, publicUrl },
    identity: {
      identity,
      lists,
      publicUrl,
      endpointOf,
    },
    me: { access, identity, clock: parts.clock, version: manifest.version },
    access: {
      access,
      lists,
      openSessions: (principalId, resourceId) => sessionStore.count({ open: true, principalId, resourceId }, 1000),
    },
    requestUse: { ...parts, sessionsOf: createGrantSessions(parts.db), now: () => parts.clock.now() },
    configuration: { planReload: createReloadPlan({ access, config, load, useOf }) },
    usage: {
      access,
      lists,
      now: () => parts.clock.now(),
      useOf,
      usesOf: (kind) => kinds.usesOf(kind),
      servicesOf: (kind) => kinds.servicesOf(kind),
      session: (id) => parts.sessions.find(id),
    },
    sessions: { ...parts, store: sessionStore, lists, mayEnd: access.mayEnd },
    connectOptions: {
      access,
      kinds: parts.kindModules,
      publicUrl,
      endpointOf,
      authorityOf: (id) => authorityOf(parts, id),
    },
    connect: { ...parts, ...carriers, toStream: websocketDuplex },
    accounts: {
      installation: () => installationOf(parts),
      checkAccounts: parts.checkAccounts,
      checkTarget: createTargetCheck({
        ...parts,
        validatorOf: (kind) => kinds.validatorOf(kind),
        keep: (report) => parts.validations.keep(report),
      }),
      preparationOf: createPreparation({ access, config, kinds: parts.kindModules }),
    },
    inventory: parts.inventory,
    validations: parts.validations,
    pushes: parts,
    audit: { audit: parts.audit, lists, verifyAudit: () => verifyAll(parts), now: () => parts.clock.now() },
    recordings: { ...parts, store: sessionStore, lists },
    live: { ...parts, news: new LiveNews({ ...parts, audienceOf: access.audienceOf }) },
    peers: { ...parts, daemonId: parts.daemons.id, handlers: peerHandlers({ ...parts, stops: parts.sessions.stops }) },
  })
  return [leaveWhileStopping(life), ...features, ...kinds.running.flatMap(({ api }) => api ?? [])]
}

/** Clients that keep a connection come back through the balancer, to a daemon that stays. */
function leaveWhileStopping(life: Pick<Life, 'isStopping'>): FastifyPluginAsync {
  return fp(async (app) => {
    app.addHook('onSend', async (_request, reply) => {
      if (life.isStopping) reply.header('connection', 'close')
    })
  })
}

function installationOf({ access, config, externalId, inventory, kindModules }: Parts): Installation {
  const { aws, oidc } = config
  const resources = access.resourcesKnown()
  const { settings } = inventory.sync
  const hasLevels = (entry: CatalogEntry) => access.levelsOf(entry).size > 0
  const features = neededFeatures({ resources, kinds: kindModules, settings, hasLevels })
  const values = policyValuesFor(kindModules, resources, (resource) => access.levelsOf(resource).values())
  return { ...aws, externalId, issuer: oidc.issuer, clientId: oidc.clientId, features, values }
}

function protocolOf({ access, kinds }: Parts, resourceId: string): string | undefined {
  const resource = access.resource(resourceId)
  return resource && kinds.protocolOf(resource.kind)
}

/** Read anew each time: certificates are renewed without a restart. */
async function authorityOf(parts: Parts, resourceId: string): Promise<string | null> {
  const listener = listenerFor(parts.config.listeners, protocolOf(parts, resourceId), resourceId)
  const pem = listener && (await readFile(listener.tls.cert, 'utf8').catch(() => undefined))
  return pem === undefined ? null : authorityIn(pem)
}

/** Verifies log, anchors and recordings, and the MAC of every row that gives authority. */
function verifyAll({
  audit,
  db,
  inventory,
  keyring,
  kinds,
  pushing,
  recordings,
  sessionStore,
}: Parts): Promise<AuditReport> {
  return audit.verify({
    checkRecording: (end) => checkOne(recordings, end),
    extraChecks: [
      () => checkAccessMacs(db, keyring),
      () => checkIdentityMacs(db, keyring),
      () => checkSessionRows(audit, sessionStore, keyring),
      () => inventory.store.checkRows(),
      () => pushing.checkRows(),
      ...kinds.running.flatMap(({ checkRows }) => checkRows ?? []),
    ],
  })
}

/** One that another daemon keeps, which does not answer, is not checked: that is no sign of damage. */
async function checkOne(recordings: Recordings, { session, digest, heads }: RecordingEnd) {
  try {
    return (await recordings.verify(session, digest, heads)).problem ?? null
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error
    return error.code === 'PEER_UNREACHABLE' ? { unchecked: error.message } : error.message
  }
}

async function unready(
  { audit, daemons, recordings, storeWatch }: Parts,
  { isStopping }: Pick<Life, 'isStopping'>,
): Promise<string[]> {
  const full = await recordings.problem()
  return [
    ...audit.problems(),
    ...(isStopping ? ['the daemon is draining'] : []),
    ...(storeWatch.isReachable ? [] : ['the store cannot be reached']),
    ...daemons.problems(),
    ...(full === undefined ? [] : [full]),
  ]
}
