import { BrokerError } from '../proxy/session.ts'
import { rulesCheck } from './access/rules/load-rules.ts'
import { type Env, loadConfig } from './config/load.ts'
import { formatProblems } from './config/problems.ts'
import { startCarriers } from './daemon/carriers.ts'
import { startChores } from './daemon/chores.ts'
import { buildParts, type Parts } from './daemon/parts.ts'
import { openPorts } from './daemon/ports.ts'
import { reload } from './daemon/reload.ts'
import { type Stopping, stopping } from './daemon/stopping.ts'
import type { App } from './http/app.ts'
import type { WatchedCertificate } from './http/tls-files.ts'
import type { KindModules } from './kinds/module.ts'
import { kinds as allKinds } from './kinds/registry.ts'
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
  const closing = new AsyncDisposableStack()
  try {
    const parts = await buildParts(loaded.config, kinds, options.logger ?? createLogger(), closing)
    for (const warning of loaded.warnings) parts.logger.warn(warning, 'configuration')
    await recover(parts)
    const certificates: WatchedCertificate[] = []
    const app = await openPorts(parts, await startCarriers(parts), certificates, closing)
    startChores(parts, certificates, closing)
    parts.logger.info({ url: parts.config.server.publicUrl, config: parts.config.file }, 'ready')
    return { routes: app.routeTable, reload: () => reload(parts, load), ...stopping(parts, closing) }
  } catch (error) {
    await closing.disposeAsync()
    throw error
  }
}

/** Activates the rules and closes the sessions that a previous run left open; only then may anything listen. */
async function recover({ access, audit, config, kinds, logger, sessions }: Parts): Promise<void> {
  const reloaded = await access.reload(config)
  if (!reloaded.ok) throw new BrokerError('CONFIG_INVALID', reloaded.problems.map(({ message }) => message).join('; '))
  const lost = await sessions.recoverLost()
  if (lost > 0) logger.warn({ count: lost }, 'sessions left open by a previous run were closed as daemon-lost')
  await audit.start()
  await kinds.recover()
  await audit.append({ type: 'daemon.started', actor: 'system', fields: { rules: reloaded.digest, lost } })
}
