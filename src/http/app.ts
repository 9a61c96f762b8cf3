import type { IncomingMessage } from 'node:http'
import cookie from '@fastify/cookie'
import helmet from '@fastify/helmet'
import swagger from '@fastify/swagger'
import websocket from '@fastify/websocket'
import Fastify, { type FastifyInstance, type FastifyPluginAsync, LogController } from 'fastify'
import { Connections } from '../../proxy/ports/connections.ts'
import type { ProxyHeaders } from '../../proxy/ports/proxy-header.ts'
import type { BrokerError } from '../../proxy/session.ts'
import type { IdentityService } from '../identity/identity.ts'
import { route } from '../identity/route.ts'
import type { PeerGuard } from '../peers/peer-guard.ts'
import { type Counts, countsHere } from '../store/counts/counter.ts'
import { systemClock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { type Deadlines, defaultDeadlines, guardConnections, trustConnections } from './connection-guard.ts'
import { serveEarly } from './early-connections.ts'
import { behindFronts, trustFront } from './fronts/behind-fronts.ts'
import { isUpgrade, type OwnPath, serveOwnPaths } from './own-paths.ts'
import { authentication } from './plugins/authentication.ts'
import { ajvOptions, compiledOnUse } from './plugins/compiled-on-use.ts'
import { forwardedFor } from './plugins/forwarded-for.ts'
import { problems } from './plugins/problems.ts'
import { requestLimits } from './plugins/request-limits.ts'
import { collectRoutes, type RouteEntry } from './plugins/route-table.ts'
import { wellFormedText } from './plugins/well-formed-text.ts'

export interface AppOptions {
  readonly identity: IdentityService
  readonly logger: Logger
  readonly metrics: Metrics
  /** Origin of `server.public_url`. */
  readonly publicUrl: string
  readonly trustedProxies: readonly string[]
  /** Who lets in other daemons of the installation. By default there are none. */
  readonly peers?: Pick<PeerGuard, 'admit'>
  readonly https?: { cert: string; key: string }
  /** One plugin per feature; each route declares who may call it (`config.access`). */
  readonly routes: readonly FastifyPluginAsync[]
  /** What every request is answered with, except those for the health of the daemon. */
  readonly refusal?: BrokerError
  /** Served ahead of all this. */
  readonly ownPaths?: readonly OwnPath[]
  /** Requests per minute of one person at one address, or of one address that is not signed in; default 600. */
  readonly rateLimit?: number
  /** Of requests; by default of this daemon alone. */
  readonly counts?: Counts
  /** Places for connections, shared with other ports. */
  readonly connections?: Connections
  /** Balancers that say who the client is. By default there are none. */
  readonly headers?: ProxyHeaders
  /** Every request is passed on by a front of this daemon, over a Unix socket. By default clients come themselves. */
  readonly fronts?: { readonly secret: string }
  /** Default: those of connection-guard.ts. */
  readonly deadlines?: Partial<Deadlines>
}

/** A websocket whose client is lost without a word would stay open: its session may be busy and say nothing for hours. */
const keepAlive = { keepAlive: true, keepAliveInitialDelay: 60_000 } as const

/** Close code of websockets, "service restart" (IANA registry of close codes): clients may connect again. */
const restartCode = 1012

/** How long clients may take to leave once the server closes. */
const farewellMs = 2000

export type App = FastifyInstance & { readonly routeTable: readonly RouteEntry[] }

/** Also what is no route: a client must not take a closed broker for one that lacks something. */
function refuseAll(app: FastifyInstance, refusal: BrokerError): void {
  app.addHook('onRequest', async (request) => {
    if (!['/healthz', '/readyz'].includes(request.routeOptions.url ?? '')) throw refusal
  })
}

/** The HTTP side of the daemon. Denies by default: a route without `config.access` does not register. */
export async function buildApp(options: AppOptions): Promise<App> {
  const ownPaths = options.ownPaths ?? []
  const shouldUpgradeCallback = (request: IncomingMessage) => isUpgrade(request, ownPaths)
  const deadlines = { ...defaultDeadlines, ...options.deadlines }
  const served = { ...keepAlive, ...deadlines, shouldUpgradeCallback }
  const app = Fastify({
    loggerInstance: options.logger.child({ part: 'http' }),
    logController: new LogController({ disableRequestLogging: true }),
    trustProxy: options.fronts ? trustFront : options.trustedProxies.length > 0 ? [...options.trustedProxies] : false,
    bodyLimit: 256 * 1024,
    requestTimeout: deadlines.requestTimeout,
    keepAliveTimeout: deadlines.keepAliveTimeout,
    return503OnClosing: false, // what comes by a connection that is open is answered; the store closes after this server
    schemaController: compiledOnUse,
    ajv: ajvOptions,
    ...(options.https ? { https: { ...options.https, ...served } } : { http: served }),
  } as object) as unknown as FastifyInstance

  const routeTable = collectRoutes(app)
  await app.register(forwardedFor)
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Sallyport', version: '1', description: 'Access broker for AWS' },
      servers: [{ url: options.publicUrl }],
    },
    refResolver: { buildLocalReference: ({ $id }) => String($id) },
  })
  await app.register(helmet, {
    contentSecurityPolicy: {
      directives: {
        defaultSrc: ["'none'"],
        styleSrc: ["'self'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
        baseUri: ["'none'"],
      },
    },
    referrerPolicy: { policy: 'no-referrer' },
  })
  await app.register(cookie)
  app.addHook('preClose', async () => {
    for (const client of app.websocketServer.clients) client.close(restartCode)
  })
  await app.register(websocket, { options: { maxPayload: 1024 * 1024, perMessageDeflate: false } })
  await app.register(problems)
  if (options.fronts) await app.register(behindFronts, options.fronts)
  await app.register(wellFormedText)
  const closeEarly = serveEarly(app.server, ownPaths, deadlines, (socket) => guarded.signedIn(socket))
  const guarded = options.fronts
    ? trustConnections(app.server)
    : guardConnections(app.server, options.connections ?? new Connections(), options.headers)
  const { rateLimit = 600, counts = countsHere(systemClock) } = options
  await app.register(requestLimits, { perMinute: rateLimit, counts })
  if (options.refusal) refuseAll(app, options.refusal)
  await app.register(authentication, {
    identity: options.identity,
    publicUrl: options.publicUrl,
    ...(options.peers ? { peers: options.peers } : {}),
    onSignedIn: ({ raw }) => guarded.signedIn(raw.socket),
  })
  app.addHook('onResponse', async (request, reply) => {
    const url = request.routeOptions.url ?? 'unknown'
    options.metrics.httpSeconds.observe(
      { method: request.method, route: url, status: String(reply.statusCode) },
      reply.elapsedTime / 1000,
    )
  })
  route(app, 'GET /api/v1/openapi.json', async ({ reply }) =>
    reply.type('application/json').send(JSON.stringify(app.swagger())),
  )
  for (const plugin of options.routes) await app.register(plugin)
  let dropTaken: () => void = () => {}
  app.addHook('preClose', async () => {
    dropTaken()
    closeEarly()
    // Unanswered requests, streams that are being followed, websockets whose client doesn't answer the close, silence.
    setTimeout(() => guarded.drop(), farewellMs).unref()
  })
  await app.ready()
  dropTaken = serveOwnPaths(app.server, ownPaths, guarded.signedIn, (error) =>
    app.log.error({ err: error }, 'a handler of a kind failed'),
  )
  return Object.assign(app, { routeTable }) as App
}
