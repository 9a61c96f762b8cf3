import { hostname } from 'node:os'
import { BrokerError } from '../proxy/session.ts'
import { rulesCheck } from './access/rules/load-rules.ts'
import type { AuditEvent } from './audit/audit.ts'
import type { Config, LoadedConfig } from './config/config.ts'
import { type Env, loadConfig } from './config/load.ts'
import { formatProblems } from './config/problems.ts'
import { serveBackups } from './daemon/backup-socket.ts'
import { carriedElsewhere, startCarriers } from './daemon/carriers.ts'
import { startChores } from './daemon/chores.ts'
import { startClosed } from './daemon/closed.ts'
import { endWhenDamaged, endWhenRestored } from './daemon/damaged.ts'
import { endWhenFenced, replaced } from './daemon/fenced.ts'
import { controlSocket, startFronts } from './daemon/fronts/start-fronts.ts'
import { distrustOf, openJudgedStore, type TrustedStore } from './daemon/judged-store.ts'
import { endWorkOf } from './daemon/lost-daemons.ts'
import { buildParts, type Parts } from './daemon/parts.ts'
import { openPorts } from './daemon/ports.ts'
import { reload } from './daemon/reload/reload.ts'
import { allRoutes } from './daemon/routes.ts'
import type { Stage } from './daemon/stage.ts'
import { type Stopping, stopping } from './daemon/stopping.ts'
import type { App } from './http/app.ts'
import type { KindModules } from './kinds/module.ts'
import { kinds as allKinds } from './kinds/registry.ts'
import type { LostSession } from './sessions/recover-sessions.ts'
import { createLogger, type Logger } from './telemetry/logger.ts'

export interface DaemonOptions {
  readonly configFile: string
  readonly env: Env
  /** JSON lines on stdout by default. */
  readonly logger?: Logger
  /** By default all kinds of this build. */
  readonly kinds?: KindModules
}

export interface Daemon extends Stopping {
  readonly routes: App['routeTable']
  /** Reloads the rules from the file. An invalid file is refused with every problem, and the old rules stay active. */
  reload(): Promise<void>
}

/**
 * Starts the daemon. Problems of the configuration are printed, all of them.
 * @returns undefined when the configuration is invalid
 * @throws BrokerError STORE_UNAVAILABLE, AUDIT_UNAVAILABLE …; everything opened has been closed again
 */
export async function startDaemon(options: DaemonOptions): Promise<Daemon | undefined> {
  const { kinds = allKinds } = options
  const load = () => loadConfig(options.configFile, { env: options.env, kinds, checks: [rulesCheck(kinds)] })
  const loaded = await load()
  if (!loaded.ok) {
    process.stderr.write(formatProblems(options.configFile, loaded.problems))
    return undefined
  }
  const { config, warnings } = loaded
  const logger = options.logger ?? createLogger()
  for (const warning of warnings) logger.warn(warning, 'configuration')
  const begin = () => startStage(config, kinds, logger, load)
  let stage = await begin()
  let isStopping = false
  const end = (how?: { drainMs?: number }) => void stage.stop(how).catch(() => undefined) // `stopped` rejects with it
  const run = async () => {
    for (;;) {
      await stage.stopped
      const failure = stage.failure?.()
      if (failure) throw failure
      if (isStopping || !stage.beginsAnew()) return
      stage = await begin()
      if (isStopping) end({ drainMs: 0 }) // asked for meanwhile, of the one before
    }
  }
  const stopped = run()
  return {
    routes: stage.routes,
    reload: () => stage.reload(),
    stop: (how) => {
      isStopping = true
      end(how)
      return stopped
    },
    stopped,
  }
}

/** Judges the store, and opens what it allows. */
async function startStage(
  config: Config,
  kinds: KindModules,
  logger: Logger,
  load: () => Promise<LoadedConfig>,
): Promise<Stage> {
  const closing = new AsyncDisposableStack()
  try {
    const judged = await openJudgedStore(config, logger, closing)
    const { judgement } = judged
    return judgement.isOpen
      ? await startOpen(config, { ...judged, judgement }, kinds, logger, load, closing)
      : await startClosed(config, distrustOf(judged.db, judgement), kinds, logger, closing)
  } catch (error) {
    await closing.disposeAsync()
    throw error
  }
}

async function startOpen(
  config: Config,
  trusted: TrustedStore,
  kindModules: KindModules,
  logger: Logger,
  load: () => Promise<LoadedConfig>,
  closing: AsyncDisposableStack,
): Promise<Stage> {
  const parts = await buildParts(config, trusted, kindModules, logger, closing)
  const lost = await recover(parts)
  const { kinds, recordings, sessions } = parts
  const frontsAt = config.server.workers > 0 ? controlSocket(closing) : undefined
  const carriers = frontsAt
    ? carriedElsewhere
    : await startCarriers({
        ...parts,
        protocolNames: kinds.protocols,
        recorders: recordings,
        doormanFor: (controls) => sessions.serve(controls),
      })
  const onTurnedAway = () => sessions.unidentifiedClientFailed('RATE_LIMITED')
  const life = stopping(parts, closing)
  const routes = allRoutes(parts, carriers, life, load)
  const ports = { ...parts, routes, onTurnedAway, ...(frontsAt ? { frontsAt } : {}) }
  const app = await openPorts(ports, carriers, closing)
  if (frontsAt) await startFronts(parts, frontsAt, closing)
  void endWorkOf(parts, lost)
  startChores(parts, closing)
  await serveBackups(parts, closing)
  endWhenDamaged(parts, life)
  endWhenFenced(parts, life)
  const isRestored = endWhenRestored(parts, life)
  const beginsAnew = () => isRestored() || parts.audit.damage !== undefined || parts.daemons.fenced === 'lost'
  logger.info({ url: config.server.publicUrl, config: config.file }, 'ready')
  return {
    routes: app.routeTable,
    reload: () => reload(parts, load),
    beginsAnew,
    failure: () => replaced(parts),
    ...life,
  }
}

/** Activates the rules and closes the sessions that a previous run left open; only then may anything listen. @returns these */
async function recover({
  access,
  audit,
  config,
  daemons,
  kinds,
  logger,
  mark,
  pushing,
  sessions,
}: Parts): Promise<LostSession[]> {
  const reloaded = await access.reload(config)
  if (!reloaded.ok) throw new BrokerError('CONFIG_INVALID', reloaded.problems.map(({ message }) => message).join('; '))
  await daemons.rulesAre(reloaded.digest)
  const lost = await sessions.recoverLost()
  if (lost.length > 0)
    logger.warn({ count: lost.length }, 'sessions left open by a previous run were closed as daemon-lost')
  await audit.start()
  await kinds.recover()
  await pushing.load()
  // By its own id: others on the store have marks of their own.
  const { events: named } = await audit.search({ types: ['mark.created'], subject: mark.id, limit: 1 })
  const created: AuditEvent = { type: 'mark.created', actor: 'system', fields: { mark: mark.id } }
  const fields = { daemon: daemons.id, rules: reloaded.digest, lost: lost.length }
  const started: AuditEvent = { type: 'daemon.started', actor: 'system', fields, text: { name: hostname() } }
  await Promise.all((named.length > 0 ? [started] : [created, started]).map((event) => audit.append(event))) // in one commit, in this order
  return lost
}
