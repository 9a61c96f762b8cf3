import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Duplex } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import { addressesOf } from '../../../proxy/ports/address-range.ts'
import { Connections } from '../../../proxy/ports/connections.ts'
import type { EndNotice } from '../../../proxy/session.ts'
import { websocketDuplex } from '../../../proxy/streams/websocket-stream.ts'
import { startFrontServer } from '../../http/fronts/front-server.ts'
import { WatchedCertificate } from '../../http/tls-files.ts'
import { kinds } from '../../kinds/registry.ts'
import { createRecorders } from '../../recordings/recorders.ts'
import { RecordingBuffers } from '../../recordings/recording-buffers.ts'
import { systemClock } from '../../telemetry/clock.ts'
import { createLogger } from '../../telemetry/logger.ts'
import { startCarriers } from '../carriers.ts'
import { headersFrom, openPort, watchCertificates } from '../ports.ts'
import { controlsHandlers, doormanBy } from './crossing.ts'
import { FrontQuota } from './front-quota.ts'
import { type Handlers, Rpc } from './rpc.ts'
import { beatMs, type FrontReport, type FrontSettings } from './settings.ts'

/** How long sessions may take to end when control is gone. */
const farewellMs = 2000
/** How long answers that are under way may take when the front ends. */
const answersMs = 1500

/**
 * Carries sessions for the control process at the other end; without it, nothing.
 * @returns the exit code: 0 when control asked it to end
 */
export async function serveFront(stream: Duplex): Promise<number> {
  const { promise: over, resolve: end } = Promise.withResolvers<number>()
  const handlers: Record<string, Handlers[string]> = {}
  const rpc = new Rpc({ stream, handlers, onOver: () => end(1) })
  let front: FrontProcess | undefined
  let beatAt = performance.now()
  let graceMs = Number.POSITIVE_INFINITY
  Object.assign(handlers, {
    begin: async (settings: FrontSettings) => {
      front = await startFront(rpc, settings, handlers)
      graceMs = settings.graceMs
      beatAt = performance.now()
    },
    beat: () => {
      beatAt = performance.now()
    },
    close: async () => {
      await front?.stopAccepting()
      setImmediate(end, 0) // after the answer
    },
  })
  const watch = setInterval(() => {
    front?.report()
    if (performance.now() - beatAt > graceMs) end(1)
  }, beatMs)
  const code = await over
  clearInterval(watch)
  if (code !== 0) await Promise.all([front?.stopAccepting(), front?.cutAll()])
  return code
}

type FrontProcess = Awaited<ReturnType<typeof startFront>>

async function startFront(rpc: Rpc, settings: FrontSettings, handlers: Record<string, Handlers[string]>) {
  const { connections: limits, http, isDraining, place, ports, protocols, recordings, trustedProxies } = settings
  const logger = createLogger({ base: { front: place.front } })
  const quota = new FrontQuota({ ...recordings, clock: systemClock })
  await quota.diskProblem() // what is free is known from then on
  const lag = { bytes: 0 }
  const setLag = (bytes: number) => {
    lag.bytes = bytes
  }
  const buffers = new RecordingBuffers({ recordingLagBytes: { set: setLag } })
  const recorders = createRecorders({ dir: recordings.dir, quota, buffers })
  const doorman = doormanBy(rpc, place)
  const carriers = await startCarriers({
    config: { server: { trustedProxies } },
    clock: systemClock,
    kindModules: kinds,
    protocolNames: protocols,
    logger,
    recorders,
    doormanFor: () => doorman,
  })
  const { host } = carriers
  // Before anything listens: what opens can be cut.
  Object.assign(handlers, controlsHandlers(host))
  if (isDraining) host.drain()
  const connections = new Connections({
    limits,
    isProxy: addressesOf(trustedProxies),
    onTurnedAway: (_, address) =>
      doorman.unidentifiedClientFailed('RATE_LIMITED', { address, port: 0, via: 'listener' }),
  })
  const certificates: Parameters<typeof openPort>[3]['certificates'] = []
  const opened: Awaited<ReturnType<typeof openPort>>[] = []
  for (const port of ports) {
    const protocol = carriers.protocols.find(({ name }) => name === port.protocol)
    if (protocol) opened.push(await openPort({ logger }, protocol, port, { certificates, connections }))
  }
  const certificate = http.tls && new WatchedCertificate(http.tls, logger)
  if (certificate) certificates.push(certificate)
  const server = await startFrontServer({
    ...{ fd: http.fd, control: http.control, certificate, connections, trustedProxies, logger },
    headers: headersFrom({ logger }, http.proxyProtocol, http.listen.port),
    carriers: { ...carriers, toStream: websocketDuplex },
  })
  watchCertificates(certificates, logger)
  const delay = monitorEventLoopDelay({ resolution: 10 })
  delay.enable()
  return {
    host,
    /** Resolves when what was asked before has been answered. */
    stopAccepting: async () => {
      for (const port of opened) port.close()
      await Promise.race([server.close(), wait(answersMs)])
    },
    report: () => rpc.push('front', reportOf(delay, quota, lag.bytes)),
    /** Nobody decides any more: sessions end, and their recordings are sealed. */
    cutAll: async () => {
      const text = 'the broker lost the process that decides'
      const notice: EndNotice = { reason: 'store-lost', text, decidedAt: Date.now() }
      const count = host.cutAll(notice)
      logger.error({ count }, 'sessions cut: control is gone')
      const deadline = performance.now() + farewellMs
      while (host.hostedCount > 0 && performance.now() < deadline) await wait(20)
    },
  }
}

const nanoseconds = 1e9

function reportOf(delay: ReturnType<typeof monitorEventLoopDelay>, quota: FrontQuota, lagBytes: number): FrontReport {
  const seconds = (value: number) => value / nanoseconds
  const { user, system } = process.cpuUsage()
  const report = {
    recorded: quota.takeRecorded(),
    lagBytes,
    loopDelay: {
      p50: seconds(delay.percentile(50)),
      p99: seconds(delay.percentile(99)),
      max: seconds(delay.max),
    },
    residentBytes: process.memoryUsage.rss(),
    cpuSeconds: (user + system) / 1e6,
  }
  delay.reset()
  return report
}
