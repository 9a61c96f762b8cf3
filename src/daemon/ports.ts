import type { Server as TlsServer } from 'node:tls'
import { addressesOf } from '../../proxy/ports/address-range.ts'
import { Connections, limitsFor } from '../../proxy/ports/connections.ts'
import { listenTcp } from '../../proxy/ports/listener.ts'
import { mostOpenFiles } from '../../proxy/ports/open-files.ts'
import { ProxyHeaders } from '../../proxy/ports/proxy-header.ts'
import type { Protocol } from '../../proxy/relay/protocol.ts'
import type { Config, ListenerConfig } from '../config/config.ts'
import { type App, type AppOptions, buildApp } from '../http/app.ts'
import { serveMetrics } from '../http/metrics-server.ts'
import { WatchedCertificate } from '../http/tls-files.ts'
import type { Logger } from '../telemetry/logger.ts'
import { repeat } from '../telemetry/repeat.ts'
import type { Carriers } from './carriers.ts'

export interface PortsDeps
  extends Pick<AppOptions, 'counts' | 'identity' | 'logger' | 'metrics' | 'peers' | 'routes' | 'refusal'> {
  readonly config: Config
  /** Where fronts pass on what they do not carry; left out: this process has the ports. */
  readonly frontsAt?: { readonly path: string; readonly secret: string }
  /** A client that had to leave before it said anything, since too many wait. */
  onTurnedAway(): void
}

/** Opens every port of the configuration, and looks for renewed certificates of theirs. */
export async function openPorts(deps: PortsDeps, carriers: Carriers, closing: AsyncDisposableStack): Promise<App> {
  const { config, logger, metrics } = deps
  const connections = placesFor(deps)
  const certificates: WatchedCertificate[] = []
  const metricsServer = await serveMetrics(metrics.registry, config.server.metricsListen, (err) =>
    logger.error({ err }, 'a connection for metrics could not be accepted'),
  )
  closing.defer(() => new Promise<void>((resolve) => metricsServer.close(() => resolve())))
  if (!deps.frontsAt)
    for (const protocol of carriers.protocols)
      for (const listener of config.listeners[protocol.name] ?? [])
        closing.use(await openPort(deps, protocol, listener, { certificates, connections }))
  const app = await openHttp(deps, carriers, { certificates, connections })
  closing.defer(() => app.close())
  closing.defer(watchCertificates(certificates, logger))
  return app
}

/** @returns ends it */
export function watchCertificates(certificates: readonly WatchedCertificate[], logger: Logger): () => Promise<void> {
  const refresh = async () => {
    for (const certificate of certificates) certificate.refresh()
  }
  return repeat('look for new certificates', 10_000, refresh, logger)
}

/** What all ports of a process share. */
interface Shared {
  readonly certificates: WatchedCertificate[]
  readonly connections: Connections
}

/** The places of all public ports: what the limit of open files allows, and no more. */
function placesFor({ config, logger, onTurnedAway }: PortsDeps): Connections {
  const files = mostOpenFiles()
  const wanted = config.limits.sessions
  const limits = limitsFor(wanted, files)
  if (limits.total - limits.waiting < wanted)
    logger.warn({ files, wanted, connections: limits.total }, 'the limit of open files is too low for limits.sessions')
  return new Connections({
    limits,
    isProxy: addressesOf(config.server.trustedProxies),
    onTurnedAway,
  })
}

const faultEveryMs = 60_000

/** A balancer that was not told to send headers says nothing itself: what it does is logged, once a minute. */
export function headersFrom(
  { logger }: Pick<PortsDeps, 'logger'>,
  from: readonly string[],
  port: number,
): ProxyHeaders {
  let since = Number.NEGATIVE_INFINITY
  return new ProxyHeaders(addressesOf(from), (what, address) => {
    if (performance.now() - since < faultEveryMs) return
    since = performance.now()
    logger.warn({ address, port }, `a connection from a balancer was closed: ${what}`)
  })
}

/** @param listener `fd` of a socket that is bound there already @returns `close` accepts no more, and leaves what is open */
export async function openPort(
  deps: Pick<PortsDeps, 'logger'>,
  protocol: Protocol,
  { listen, tls, resource, proxyProtocol, fd }: ListenerConfig & { readonly fd?: number },
  { certificates, connections }: Shared,
): Promise<Disposable & { close(): void }> {
  const { logger } = deps
  const certificate = new WatchedCertificate(tls, logger)
  certificates.push(certificate)
  const port = await listenTcp({
    ...listen,
    ...(fd === undefined ? {} : { fd }),
    connections,
    headers: headersFrom(deps, proxyProtocol, listen.port),
    onConnection: (socket, client, signedIn) =>
      void protocol.servePort(socket, client, {
        secureContext: () => certificate.context,
        signedIn,
        ...(resource === null ? {} : { resourceId: resource }),
      }),
    onError: (error) => logger.error({ err: error, ...listen }, 'a connection could not be accepted'),
  })
  return {
    close: () => port.close(),
    [Symbol.dispose]: () => {
      port.close()
      port.drop()
    },
  }
}

async function openHttp(deps: PortsDeps, carriers: Carriers, { certificates, connections }: Shared): Promise<App> {
  const { config, frontsAt, logger } = deps
  if (frontsAt) {
    const { publicUrl, trustedProxies } = config.server
    const app = await buildApp({ ...deps, publicUrl, trustedProxies, fronts: frontsAt })
    await app.listen({ path: frontsAt.path })
    return app
  }
  const { tls, publicUrl, trustedProxies, listen, proxyProtocol } = config.server
  const certificate = tls && new WatchedCertificate(tls, logger)
  const app = await buildApp({
    ...deps,
    publicUrl,
    trustedProxies,
    connections,
    headers: headersFrom(deps, proxyProtocol, listen.port),
    ownPaths: carriers.own,
    ...(certificate ? { https: certificate.pem } : {}),
  })
  if (certificate) {
    certificates.push(certificate)
    certificate.onRenewed((pem) => (app.server as unknown as TlsServer).setSecureContext(pem))
  }
  await app.listen({ host: listen.host, port: listen.port })
  return app
}
