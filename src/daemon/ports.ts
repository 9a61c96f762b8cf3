import type { Server as TlsServer } from 'node:tls'
import { listenTcp } from '../../proxy/ports/listener.ts'
import type { Protocol } from '../../proxy/relay/protocol.ts'
import type { Config } from '../config/config.ts'
import { type App, buildApp } from '../http/app.ts'
import { serveMetrics } from '../http/metrics-server.ts'
import { WatchedCertificate } from '../http/tls-files.ts'
import type { Carriers } from './carriers.ts'
import type { Parts } from './parts.ts'
import { allRoutes } from './routes.ts'

/** Opens every port of the configuration. @param certificates collects those to check for renewal */
export async function openPorts(
  parts: Parts,
  carriers: Carriers,
  certificates: WatchedCertificate[],
  closing: AsyncDisposableStack,
): Promise<App> {
  const { config, logger, metrics } = parts
  const metricsServer = await serveMetrics(metrics.registry, config.server.metricsListen, (err) =>
    logger.error({ err }, 'a connection for metrics could not be accepted'),
  )
  closing.defer(() => new Promise<void>((resolve) => metricsServer.close(() => resolve())))
  for (const protocol of carriers.protocols)
    for (const listener of config.listeners[protocol.name] ?? [])
      closing.use(await openPort(parts, protocol, listener, certificates))
  const app = await openHttp(parts, carriers, certificates)
  closing.defer(() => app.close())
  return app
}

async function openPort(
  { logger, sessions }: Parts,
  protocol: Protocol,
  { listen, tls, resource }: NonNullable<Config['listeners'][string]>[number],
  certificates: WatchedCertificate[],
): Promise<Disposable> {
  const certificate = new WatchedCertificate(tls, logger)
  certificates.push(certificate)
  const port = await listenTcp({
    ...listen,
    onConnection: (socket, client, signedIn) =>
      void protocol.servePort(socket, client, {
        secureContext: () => certificate.context,
        signedIn,
        ...(resource === null ? {} : { resourceId: resource }),
      }),
    onTurnedAway: () => sessions.unidentifiedClientFailed('RATE_LIMITED'),
    onError: (error) => logger.error({ err: error, ...listen }, 'a connection could not be accepted'),
  })
  return {
    [Symbol.dispose]: () => {
      port.close()
      port.drop()
    },
  }
}

async function openHttp(parts: Parts, carriers: Carriers, certificates: WatchedCertificate[]): Promise<App> {
  const { config, logger } = parts
  const { tls, publicUrl, trustedProxies, listen } = config.server
  const certificate = tls && new WatchedCertificate(tls, logger)
  const app = await buildApp({
    ...parts,
    publicUrl,
    trustedProxies,
    routes: allRoutes(parts, carriers.protocols),
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
