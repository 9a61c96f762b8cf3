/**
 * The page as the daemon serves it, under its own policy, with answers that a test gives: states that a real broker is in for a moment, or after
 * years. The contract checks and writes these answers as it does those of the daemon.
 */
import type { WebSocket } from '@fastify/websocket'
import type { FastifyInstance, FastifyPluginAsync, FastifyReply } from 'fastify'
import { pino } from 'pino'
import { BrokerError } from '../../proxy/session.ts'
import { type Answer, type JsonKey, type LinesKey, type RouteKey, routes } from '../../src/contract/routes.ts'
import { buildApp } from '../../src/http/app.ts'
import type { Topic } from '../../src/http/live/live-news.ts'
import { uiRoutes } from '../../src/http/routes/page/ui.ts'
import type { IdentityService } from '../../src/identity/identity.ts'
import { type Call, route, websocketRoute } from '../../src/identity/route.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { freePort } from '../sandbox/ports.ts'

type Given<T> = T | 'nothing yet' | BrokerError

/** What the API says to each call; to what is left out, that it is not there. */
export type Scene = {
  readonly [K in JsonKey]?:
    | Given<Answer<K>>
    | ((call: Pick<Call<K>, 'params' | 'query'>) => Given<Answer<K>>)
    | undefined
} & { readonly [K in LinesKey]?: Given<readonly unknown[]> | undefined }

export interface Stage {
  readonly url: string
  /** Of the browser: it signs in who sends it. */
  readonly cookie: { readonly name: string; readonly value: string; readonly url: string }
  /** From the next call on. */
  show(scene: Scene): void
  /** Puts its clock, epoch milliseconds. */
  at(now: number): void
  /** How many pages hear what changes. */
  sockets(): number
  /** Tells them that something has. */
  tell(topic: Topic): void
  /** Ends the websockets by which they hear of it. @param code of the end; by default none, as when a network is lost */
  dropSockets(code?: number): void
  close(): Promise<void>
}

/** @param startsAt by the broker's clock, epoch milliseconds; it stands still */
export async function startStage(startsAt: number): Promise<Stage> {
  let now = startsAt
  let scene: Scene = {}
  const sockets = new Set<WebSocket>()
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const identity = { authenticate: async ({ cookie }: { cookie?: string }) => (cookie ? someone : null) }
  const api: FastifyPluginAsync = async (app) => {
    app.addHook('onSend', async (_request, reply) => {
      reply.header('date', new Date(now).toUTCString())
    })
    for (const key of Object.keys(routes) as RouteKey[]) if (isCalled(key)) stageRoute(app, key, () => scene[key])
    websocketRoute(app, 'GET /api/v1/live', async (socket) => {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
    })
  }
  const app = await buildApp({
    identity: identity as unknown as IdentityService,
    logger: pino({ level: 'silent' }),
    metrics: createMetrics(),
    publicUrl: url,
    trustedProxies: [],
    rateLimit: 1_000_000,
    routes: [uiRoutes({ publicUrl: url }), api],
  })
  await app.listen({ host: '127.0.0.1', port })
  return {
    url,
    cookie: { name: 'sallyport', value: 'staged', url },
    show: (next) => {
      scene = next
    },
    at: (moment) => {
      now = moment
    },
    sockets: () => sockets.size,
    tell: (topic) => {
      for (const socket of sockets) socket.send(JSON.stringify({ topic }))
    },
    dropSockets: (code) => {
      for (const socket of sockets)
        if (code === undefined) socket.terminate()
        else socket.close(code)
    },
    close: () => app.close(),
  }
}

const someone = {
  principal: { id: 'prn_staged', active: true, lockedAt: null, groups: [] },
  roles: ['user', 'auditor', 'admin'],
  via: 'web',
  interactive: true,
  scopes: null,
  cidr: null,
  expiresAt: Number.MAX_SAFE_INTEGER,
}

type StagedKey = JsonKey | LinesKey

/** The API without websockets, and without what is for other daemons. */
function isCalled(key: RouteKey): key is StagedKey {
  const { access, answer } = routes[key]
  const isText = Object.values(answer).some((body) => typeof body === 'string' && body !== 'nothing')
  return /^(?:GET|POST) \/api\/v1\//.test(key) && access !== 'peer' && !isText
}

function stageRoute(app: FastifyInstance, key: StagedKey, given: () => unknown): void {
  const statuses = Object.keys(routes[key].answer)
  // Its types are those of each single route.
  route(app, key as 'GET /api/v1/me', async (call) => {
    const one = given()
    const answer = typeof one === 'function' ? one(call) : one
    if (answer === 'nothing yet') return await new Promise<never>(() => {})
    if (one === undefined) throw new BrokerError('NOT_FOUND')
    if (answer instanceof Error) throw answer
    if (isLines(key)) return sendLines(call.reply, answer as readonly unknown[])
    return statuses.length === 1 ? answer : { status: statuses[0], body: answer }
  })
}

function isLines(key: StagedKey): key is LinesKey {
  return Object.values(routes[key].answer).some((body) => typeof body === 'object' && 'lines' in body)
}

function sendLines(reply: FastifyReply, lines: readonly unknown[]): never {
  return reply.type('application/x-ndjson').send(lines.map((line) => `${JSON.stringify(line)}\n`).join('')) as never
}
