import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { Server as TlsServer } from 'node:tls'
import { isDeepStrictEqual } from 'node:util'
import { listenTcp } from '../proxy/ports/listener.ts'
import { servePort, serveWebsocket } from '../proxy/postgres/serve.ts'
import { createPostgresEngine } from '../proxy/relay/session.ts'
import { BrokerError, type ClientOrigin, type ErrorCode } from '../proxy/session.ts'
import { websocketDuplex } from '../proxy/streams/websocket-stream.ts'
import { createAccess } from './access/create-access.ts'
import { checkAccessMacs } from './access/rows/access-macs.ts'
import { rulesCheck } from './access/rules/load-rules.ts'
import { rulesRefused } from './access/rules/rules-in-force.ts'
import { createAuditLog } from './audit/create-audit.ts'
import type { AuditReport } from './audit/verify/report.ts'
import { createBoundary } from './aws/boundary.ts'
import { createAws } from './aws/create-aws.ts'
import { featuresFor, type Kinds, kindOf } from './catalog/kind.ts'
import type { Config, ListenerConfig, LoadedConfig } from './config/config.ts'
import { listenerEndpoint } from './config/listener-endpoint.ts'
import { type Env, loadConfig } from './config/load.ts'
import { formatProblems } from './config/problems.ts'
import { allRoutes } from './http/all-routes.ts'
import { type App, buildApp } from './http/app.ts'
import { serveMetrics } from './http/metrics-server.ts'
import { WatchedCertificate } from './http/tls-files.ts'
import { createIdentity } from './identity/create-identity.ts'
import { createOidc } from './identity/oidc/oidc.ts'
import { checkIdentityMacs } from './identity/signed-rows.ts'
import { createAccountCheck } from './inventory/account-check.ts'
import { checkDestination, consoleDestination, consoleLink } from './kinds/iam-role/console.ts'
import { createCredentialStore } from './kinds/iam-role/credential-store.ts'
import { iamRole } from './kinds/iam-role/kind.ts'
import { createMint } from './kinds/iam-role/mint.ts'
import { Revoker } from './kinds/iam-role/revoker.ts'
import { RoleSessions } from './kinds/iam-role/role-sessions.ts'
import type { AwsRoutesDeps } from './kinds/iam-role/routes.ts'
import { createRdsPostgresDial } from './kinds/rds/dial.ts'
import { rdsPostgres } from './kinds/rds-postgres/kind.ts'
import { kinds } from './kinds/registry.ts'
import { openRecordings } from './recordings/open-recordings.ts'
import { checkRecordingFile } from './recordings/recording-check.ts'
import { LiveSessions } from './sessions/live-sessions.ts'
import { createSessionStore } from './sessions/session-store.ts'
import { Sessions } from './sessions/sessions.ts'
import { createChanges } from './store/changes.ts'
import { newId, newTokenId } from './store/ids.ts'
import { openKeyring } from './store/keyring.ts'
import { settledValue } from './store/settings.ts'
import { openStore } from './store/store.ts'
import { pingStore, watchStore } from './store/store-watch.ts'
import { systemClock } from './telemetry/clock.ts'
import { createLogger, type Logger } from './telemetry/logger.ts'
import { createMetrics } from './telemetry/metrics.ts'
import { repeat } from './telemetry/repeat.ts'

export interface DaemonOptions {
  readonly configFile: string
  readonly env: Env
  /** JSON lines on stdout unless told. */
  readonly logger?: Logger
}

export interface Daemon {
  readonly routes: App['routeTable']
  /** Puts the rules of the file as it is now into force. A broken file is refused with every problem, and the old rules stay. */
  reload(): Promise<void>
  /** Nothing new opens; what is open runs on for `drainMs` (`server.drain` unless told), is cut then, and the books are closed. */
  stop(options?: { drainMs?: number }): Promise<void>
  /** Resolves when all is closed. */
  readonly stopped: Promise<void>
}

/**
 * Starts the daemon. Problems of the configuration are printed, all of them.
 * @returns undefined when the configuration is broken
 * @throws BrokerError STORE_UNAVAILABLE, AUDIT_UNAVAILABLE …; what was opened has been closed again
 */
export async function startDaemon(options: DaemonOptions): Promise<Daemon | undefined> {
  const load = () => loadConfig(options.configFile, { env: options.env, kinds, checks: [rulesCheck(kinds)] })
  const loaded = await load()
  if (!loaded.ok) {
    process.stderr.write(formatProblems(options.configFile, loaded.problems))
    return undefined
  }
  const closing = new AsyncDisposableStack()
  try {
    const house = await buildHouse(loaded.config, kinds, options.logger ?? createLogger(), closing)
    for (const warning of loaded.warnings) house.logger.warn(warning, 'configuration')
    const app = await openDoors(house, closing)
    house.logger.info({ url: house.config.server.publicUrl, config: house.config.file }, 'ready')
    return { routes: app.routeTable, reload: () => reload(house, load), ...stopping(house, closing) }
  } catch (error) {
    await closing.disposeAsync()
    throw error
  }
}

type House = Awaited<ReturnType<typeof buildHouse>>

/** Every part, in the order in which they need each other; nothing listens yet. */
async function buildHouse(config: Config, kinds: Kinds, logger: Logger, closing: AsyncDisposableStack) {
  const clock = systemClock
  const metrics = createMetrics()
  const keyring = openKeyring(config.keysDir)
  const db = await openStore(config.store.url)
  closing.defer(() => db.destroy())
  const installation = await settledValue(db, 'installation', () => newId('ins'))
  const externalId =
    config.aws.externalId ?? (await settledValue(db, 'external_id', () => `sallyport-${newTokenId()}${newTokenId()}`))
  const shared = { db, keyring, clock, logger, metrics, changes: createChanges() }

  const recordings = await openRecordings({ ...shared, config: config.recordings, keyId: keyring.signingKeyId })
  closing.defer(() => recordings.close())
  const audit = await createAuditLog({
    ...shared,
    installation,
    config: config.audit,
    spoolPath: join(config.keysDir, 'audit.spool'),
    heads: recordings.heads,
  })
  closing.defer(() => audit.stop())

  const oidc = createOidc({ ...shared, config: config.oidc, publicUrl: config.server.publicUrl })
  const identity = await createIdentity({
    ...shared,
    audit,
    config: config.oidc,
    prober: oidc.prober,
    access: () => access,
  })
  const access = await createAccess({ ...shared, audit, identity, kinds })
  closing.defer(() => access.close())

  const live = new LiveSessions(clock)
  const sessionStore = createSessionStore(db)
  const daemonId = newId('dmn')
  const sessions = new Sessions({
    ...shared,
    access,
    identity,
    audit,
    recordings,
    store: sessionStore,
    live,
    limits: config.limits,
    daemonId,
  })
  closing.defer(access.onExtended((grantId, endsAt) => extendSessions(sessions, grantId, endsAt, logger)))
  const aws = createAws({ ...shared, config: config.aws, externalId })
  const credentialStore = createCredentialStore(db)
  const revoker = new Revoker({
    ...shared,
    access,
    audit,
    store: credentialStore,
    boundary: createBoundary({ ...shared, config: config.aws, aws }),
  })
  closing.defer(() => revoker.idle())
  const roles = new RoleSessions({
    ...shared,
    access,
    audit,
    doorman: sessions,
    store: credentialStore,
    kind: iamRole,
    answerOf: (permit) => sessions.answerOf(permit),
    ...createMint({ ...shared, aws, config: config.aws, idToken: identity.idToken }),
  })
  const dial = createRdsPostgresDial({
    ...shared,
    aws,
    kind: rdsPostgres,
    answerOf: (permit) => sessions.answerOf(permit),
  })
  const engine = createPostgresEngine({
    doorman: sessions,
    dial,
    onError: (error, session) => logger.error({ err: error, session }, 'a session could not be ended in order'),
  })
  const storeWatch = watchStore({
    ping: () => pingStore(db),
    graceMs: config.store.graceMs,
    logger,
    onLost: () => {
      const text = 'the broker lost its store, so nothing proves that access still holds'
      const count = sessions.cutAll({ reason: 'store-lost', text, decidedAt: clock.now() })
      logger.error({ count }, 'sessions cut: the store was unreachable for longer than store.grace')
    },
  })
  return {
    ...shared,
    config,
    audit,
    recordings,
    oidc,
    identity,
    access,
    sessions,
    sessionStore,
    engine,
    roles,
    revoker,
    storeWatch,
    validate: createAccountCheck({
      audit,
      aws,
      config: config.aws,
      kinds,
      resources: () => access.resourcesKnown(),
      idToken: identity.idToken,
    }),
    externalId,
  }
}

function extendSessions(sessions: Sessions, grantId: string, endsAt: number, logger: Logger): void {
  sessions.extend(grantId, endsAt).catch((error: unknown) => logger.error({ err: error, grant: grantId }, 'extend'))
}

/** Closes the books of an earlier life, puts the rules into force, and only then listens. */
async function openDoors(house: House, closing: AsyncDisposableStack): Promise<App> {
  const { config, logger, audit, access, sessions } = house
  const reloaded = await access.reload(config)
  if (!reloaded.ok) throw new BrokerError('CONFIG_INVALID', reloaded.problems.map(({ message }) => message).join('; '))
  const lost = await sessions.recoverLost()
  if (lost > 0) logger.warn({ count: lost }, 'sessions of an earlier life of this daemon were closed as daemon-lost')
  await audit.start()
  await house.revoker.recover()
  await audit.append({ type: 'daemon.started', actor: 'system', fields: { rules: reloaded.digest, lost } })

  const metricsServer = await serveMetrics(house.metrics.registry, config.server.metricsListen)
  closing.defer(() => new Promise<void>((resolve) => metricsServer.close(() => resolve())))
  const certificates: WatchedCertificate[] = []
  for (const listener of config.listeners.postgres ?? []) closing.use(await openPort(house, listener, certificates))
  const app = await openHttp(house, certificates)
  closing.defer(() => app.close())
  for (const [what, everyMs, work] of chores(house, certificates)) closing.defer(repeat(what, everyMs, work, logger))
  return app
}

function chores(house: House, certificates: readonly WatchedCertificate[]): [string, number, () => Promise<unknown>][] {
  return [
    ['sweep of sessions', 1000, () => house.sessions.sweep()],
    ['look at the store', 1000, () => house.storeWatch.look()],
    ['sweep of access', 15_000, () => house.access.sweep()],
    ['sweep of credentials', 5000, () => house.revoker.sweep()],
    ['sweep of identity', 15_000, () => house.identity.sweep()],
    ['look for new certificates', 10_000, async () => refresh(certificates)],
  ]
}

function refresh(certificates: readonly WatchedCertificate[]): void {
  for (const certificate of certificates) certificate.refresh()
}

async function openPort(house: House, { listen, tls, resource }: ListenerConfig, certificates: WatchedCertificate[]) {
  const { logger, sessions, engine } = house
  const certificate = new WatchedCertificate(tls, logger)
  certificates.push(certificate)
  const port = await listenTcp({
    ...listen,
    onConnection: (socket, client, signedIn) =>
      void servePort(engine, socket, client, {
        doorman: sessions,
        onRefused: onRefused(logger),
        secureContext: () => certificate.context,
        signedIn,
        ...(resource === null ? {} : { resourceId: resource }),
      }),
    onTurnedAway: () => sessions.strangerFailed('RATE_LIMITED'),
    onError: (error) => logger.error({ err: error, ...listen }, 'a connection could not be accepted'),
  })
  return {
    [Symbol.dispose]: () => {
      port.close()
      port.drop()
    },
  }
}

async function openHttp(house: House, certificates: WatchedCertificate[]): Promise<App> {
  const { config, logger } = house
  const { tls, publicUrl, trustedProxies, listen } = config.server
  const certificate = tls && new WatchedCertificate(tls, logger)
  const app = await buildApp({
    ...house,
    publicUrl,
    trustedProxies,
    routes: routesOf(house),
    ...(certificate ? { https: certificate.pem } : {}),
  })
  if (certificate) {
    certificates.push(certificate)
    certificate.onRenewed((pem) => (app.server as unknown as TlsServer).setSecureContext(pem))
  }
  await app.listen({ host: listen.host, port: listen.port })
  return app
}

function routesOf(house: House) {
  const { access, config, engine, identity, logger, sessions, sessionStore } = house
  const { publicUrl } = config.server
  const downstream = { doorman: sessions, onRefused: onRefused(logger) }
  return allRoutes({
    health: { unready: async () => unready(house) },
    login: { ...house, logins: identity.logins, publicUrl },
    identity: { identity, publicUrl, endpointOf: (id) => listenerEndpoint(config, kindOf(kinds, id)?.protocol, id) },
    access: { access },
    sessions: { sessions, store: sessionStore, mayEnd: access.mayEnd },
    connect: {
      ...house,
      toStream: websocketDuplex,
      servePostgres: (stream, ask) => serveWebsocket(engine, stream, ask, downstream),
    },
    aws: {
      roles: house.roles,
      publicUrl,
      region: config.aws.regions[0],
      installation: {
        ...config.aws,
        externalId: house.externalId,
        issuer: config.oidc.issuer,
        clientId: config.oidc.clientId,
      },
      features: () => featuresFor(kinds, access.resourcesKnown()),
      validate: (login, account) => house.validate(login, account),
      checkDestination,
      consoleDestination,
      consoleLink: (ask) => consoleLink(config.aws, ask),
      onConsole: (opened) => auditConsole(house, opened),
    },
    audit: { audit: house.audit, verifyAudit: () => verifyAll(house) },
    recordings: { ...house, store: sessionStore },
  })
}

async function auditConsole({ audit }: House, opened: Parameters<AwsRoutesDeps['onConsole']>[0]): Promise<void> {
  const { sessionId: session, grantId: grant, principalId: actor, destination } = opened
  await audit.append({ type: 'console.opened', actor, fields: { session, grant }, text: { destination } })
}

/** Log, anchors and recordings, and the MAC of every row that lends authority. */
function verifyAll({ audit, config, db, keyring }: House): Promise<AuditReport> {
  return audit.verify({
    checkRecording: (end) => checkRecordingFile(config.recordings.dir, end),
    extraChecks: [() => checkAccessMacs(db, keyring), () => checkIdentityMacs(db, keyring)],
  })
}

function unready({ sessions, storeWatch }: House): string[] {
  return [
    ...(sessions.isDraining ? ['the daemon is draining'] : []),
    ...(storeWatch.isReachable ? [] : ['the store cannot be reached']),
  ]
}

/** A stranger who fails is only counted: the log must not be theirs to fill. */
function onRefused(logger: Logger) {
  const ours: readonly ErrorCode[] = ['INTERNAL', 'STORE_UNAVAILABLE', 'AUDIT_UNAVAILABLE']
  return (error: BrokerError, client: ClientOrigin) => {
    const level = ours.includes(error.code) ? 'error' : 'debug'
    logger[level]({ err: error, code: error.code, address: client.address }, 'a client was refused')
  }
}

async function reload(house: House, load: () => Promise<LoadedConfig>): Promise<void> {
  const { access, audit, config, logger, metrics } = house
  const loaded = await load()
  if (!loaded.ok) {
    metrics.rulesDigestMismatch.set(1)
    for (const problem of loaded.problems) logger.error(problem, 'configuration refused; the old rules stay')
    await audit.appendRemoval(rulesRefused(loaded.problems))
    return
  }
  for (const section of needRestart)
    if (!isDeepStrictEqual(loaded.config[section], config[section]))
      logger.warn({ section }, 'changed in the file, and comes into force at the next start')
  try {
    const reloaded = await access.reload(loaded.config)
    if (reloaded.ok) logger.info({ digest: reloaded.digest }, 'rules reloaded')
  } catch (error) {
    metrics.rulesDigestMismatch.set(1)
    logger.error({ err: error }, 'the rules could not be reloaded; the old ones stay')
  }
}

const needRestart = ['server', 'store', 'keysDir', 'oidc', 'aws', 'listeners', 'recordings', 'audit', 'limits'] as const

/** How long cut sessions may take to say farewell. */
const farewellMs = 5000

function stopping(house: House, closing: AsyncDisposableStack): Pick<Daemon, 'stop' | 'stopped'> {
  const { sessions, roles, audit, clock, logger, config } = house
  const { promise: stopped, resolve, reject } = Promise.withResolvers<void>()
  let hurry: (() => void) | undefined
  const run = async (drainMs: number) => {
    sessions.drain()
    logger.info({ open: sessions.openCount, drainMs }, 'draining')
    const hurried = new Promise<void>((wake) => {
      hurry = wake
    })
    // Nothing flows through sessions of roles: they end when nothing else is left.
    await Promise.race([emptied(() => sessions.openCount - roles.openCount, drainMs), hurried])
    const cut = sessions.cutAll({
      reason: 'drain',
      text: 'the broker is shutting down; connect again',
      decidedAt: clock.now(),
    })
    await emptied(() => sessions.openCount, farewellMs)
    await audit.appendRemoval({ type: 'daemon.stopped', actor: 'system', fields: { cut } })
    await closing.disposeAsync()
    logger.info({ cut }, 'stopped')
  }
  return {
    stopped,
    stop: ({ drainMs = config.server.drainMs } = {}) => {
      if (hurry) hurry()
      else run(drainMs).then(resolve, reject)
      return stopped
    },
  }
}

async function emptied(openCount: () => number, withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs
  while (openCount() > 0 && performance.now() < deadline) await setTimeout(20)
}
