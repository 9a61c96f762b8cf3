import type { WebSocket } from '@fastify/websocket'
import type { FastifyPluginAsync } from 'fastify'
import type { Identity } from '../../../identity/create-identity.ts'
import type { Login } from '../../../identity/principal.ts'
import { websocketRoute } from '../../../identity/route.ts'
import { type Change, type Changes, concerns, isRemoval } from '../../../store/changes.ts'
import type { Clock } from '../../../telemetry/clock.ts'
import type { LiveNews, NewsReader, Topic } from '../../live/live-news.ts'

export interface LiveRoutesDeps {
  readonly news: Pick<LiveNews, 'add' | 'close'>
  readonly changes: Pick<Changes, 'subscribe'>
  readonly identity: Pick<Identity, 'loginNow'>
  readonly clock: Clock
  /** Between two pings, ms; default 25 s. */
  readonly pingMs?: number
}

/** Of one login. */
const mostSockets = 20
/** Not taken by the network: some hundred messages. */
const mostWaitingBytes = 16 * 1024

const longestTimerMs = 2_000_000_000

/** Close codes: of RFC 6455 and its registry, and of our own from 4000 on. */
const codes = { later: 1013, violated: 1008, signedOut: 4401 } as const

/** Tells open pages what has changed. They say nothing themselves. */
export const liveRoutes =
  (deps: LiveRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    const open = new Map<string, Set<LiveSocket>>()
    app.addHook('preClose', async () => deps.news.close())
    websocketRoute(app, 'GET /api/v1/live', async (socket, { login }) => {
      const sockets = open.get(login.id) ?? new Set()
      if (sockets.size >= mostSockets) return socket.close(codes.later, 'RATE_LIMITED')
      open.set(login.id, sockets)
      const live = new LiveSocket(deps, socket, login)
      sockets.add(live)
      socket.once('close', () => {
        live.end()
        sockets.delete(live)
        if (sockets.size === 0) open.delete(login.id)
      })
    })
  }

class LiveSocket implements NewsReader {
  readonly #deps: LiveRoutesDeps
  readonly #socket: WebSocket
  #login: Login
  #isAlive = true
  readonly #ends: readonly (() => void)[]

  constructor(deps: LiveRoutesDeps, socket: WebSocket, login: Login) {
    this.#deps = deps
    this.#socket = socket
    this.#login = login
    const timer = setInterval(() => this.#ping(), deps.pingMs ?? 25_000).unref()
    const leftMs = Math.min(Math.max(login.expiresAt - deps.clock.now(), 0), longestTimerMs)
    const expiry = setTimeout(() => void this.#recheck(), leftMs + 1).unref()
    this.#ends = [
      () => clearInterval(timer),
      () => clearTimeout(expiry),
      deps.changes.subscribe((change) => this.#onChange(change)),
      deps.news.add(this),
    ]
    socket.on('error', () => {}) // followed by `close`
    socket.on('pong', () => {
      this.#isAlive = true
    })
    socket.on('message', () => this.close(codes.violated))
  }

  get login(): Login {
    return this.#login
  }

  tell(topic: Topic): void {
    const socket = this.#socket
    if (socket.bufferedAmount > mostWaitingBytes) socket.terminate()
    else if (socket.readyState === socket.OPEN) socket.send(JSON.stringify({ topic }))
  }

  close(code: number): void {
    this.end()
    this.#socket.close(code)
  }

  /** Nothing is told any more. */
  end(): void {
    for (const end of this.#ends) end()
  }

  #ping(): void {
    if (!this.#isAlive) {
      this.#socket.terminate()
      return
    }
    this.#isAlive = false
    this.#socket.ping()
    void this.#recheck()
  }

  #onChange(change: Change): void {
    const { id, principal } = this.#login
    const held = { sessionId: '', grantId: '', resourceId: '', principalId: principal.id, credentialId: id }
    if (isRemoval(change)) {
      if (concerns(change, held)) this.close(codes.signedOut)
    } else if (change.what === 'directory' && change.id === principal.id) void this.#recheck()
  }

  /** With the roles and groups that the person has now. Never rejects: while the store cannot be read, it stays as it is. */
  async #recheck(): Promise<void> {
    try {
      const now = await this.#deps.identity.loginNow(this.#login)
      if (!now || now.expiresAt <= this.#deps.clock.now()) this.close(codes.signedOut)
      else this.#login = now
    } catch {}
  }
}
