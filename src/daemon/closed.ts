import type { Doorman } from '../../proxy/doorman.ts'
import type { BrokerError } from '../../proxy/session.ts'
import type { Config } from '../config/config.ts'
import { healthRoutes } from '../http/routes/health.ts'
import type { IdentityService } from '../identity/identity.ts'
import type { KindModules } from '../kinds/module.ts'
import { StartedKinds } from '../kinds/started-kinds.ts'
import { systemClock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import { createMetrics } from '../telemetry/metrics.ts'
import { startCarriers } from './carriers.ts'
import { type Distrust, restoreUnconfirmed, whatToDo } from './distrust.ts'
import { openPorts } from './ports.ts'
import type { Stage } from './stage.ts'

/** Serves only refusals: the store is not the one that this machine left. Nothing is written to it. */
export async function startClosed(
  config: Config,
  distrust: Distrust,
  kindModules: KindModules,
  logger: Logger,
  closing: AsyncDisposableStack,
): Promise<Stage> {
  const problems = whatToDo(distrust, config.file)
  const refusal = restoreUnconfirmed(distrust.why)
  const carriers = await startCarriers({
    clock: systemClock,
    config,
    kindModules: [],
    protocolNames: new StartedKinds(kindModules).protocols,
    logger,
    recorders: { resume: () => Promise.reject(refusal) },
    doormanFor: () => refusingDoorman(refusal),
  })
  const app = await openPorts(
    {
      config,
      logger,
      metrics: createMetrics(),
      identity: refusingIdentity(refusal),
      routes: [healthRoutes({ unready: async () => problems })],
      refusal,
      onTurnedAway: () => {},
    },
    carriers,
    closing,
  )
  logger.error({ problems }, 'closed: the store is not trusted')
  const { promise: stopped, resolve, reject } = Promise.withResolvers<void>()
  let isStopping = false
  return {
    routes: app.routeTable,
    beginsAnew: () => false,
    reload: async () => logger.warn('closed: a configuration takes effect after a restart'),
    stop: () => {
      if (!isStopping) closing.disposeAsync().then(resolve, reject)
      isStopping = true
      return stopped
    },
    stopped,
  }
}

function refusingIdentity(refusal: BrokerError): IdentityService {
  const refuse = () => Promise.reject(refusal)
  return {
    authenticate: refuse,
    principal: refuse,
    findPrincipal: refuse,
    loginName: refuse,
    tagClaims: refuse,
    credential: refuse,
    tokenKeys: refuse,
    identify: refuse,
    sweep: refuse,
  }
}

function refusingDoorman(refusal: BrokerError): Doorman {
  const refuse = () => Promise.reject(refusal)
  return {
    place: { daemon: 0, front: 0 },
    tokenKeys: refuse,
    identify: refuse,
    open: refuse,
    lease: refuse,
    leaseToEnd: refuse,
    openTunnel: refuse,
    tunnelTicket: refuse,
    endTunnel: refuse,
    channelTicket: refuse,
    channelKey: refuse,
    endChannel: refuse,
    resumeKey: refuse,
    resume: refuse,
    started: refuse,
    end: refuse,
    mayCancel: async () => false,
    cancel: async () => false,
    stop: refuse,
    cancelled: () => {},
    refused: () => {},
    unidentifiedClientFailed: () => {},
    phase: () => {},
    report: () => {},
  }
}
