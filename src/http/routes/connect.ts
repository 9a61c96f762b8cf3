import type { Duplex } from 'node:stream'
import type { WebSocket } from '@fastify/websocket'
import type { FastifyPluginAsync } from 'fastify'
import { BrokerError, type ClientOrigin, type EndReason, type Identity } from '../../../proxy/session.ts'
import type { AuditLog } from '../../audit/audit.ts'
import type { Login } from '../../identity/principal.ts'
import { toIdentity } from '../../identity/require-login.ts'
import { websocketRoute } from '../../identity/route.ts'
import { isCut } from '../../sessions/live-sessions.ts'

/** A client's byte stream that comes over a websocket, and whose it is. */
export interface StreamAsk {
  readonly identity: Identity
  readonly resourceId: string
  readonly level?: string
  readonly client: ClientOrigin
  readonly tool?: string
}

export interface ConnectRoutesDeps {
  readonly audit: Pick<AuditLog, 'append'>
  /** From proxy/streams/websocket-stream.ts. */
  toStream(socket: WebSocket): Duplex
  /** Serves one PostgreSQL client; resolves when it is gone, with why its session ended (undefined: it never had one). */
  servePostgres(stream: Duplex, ask: StreamAsk): Promise<EndReason | undefined>
}

/** Close code of a websocket whose session was cut; the reason text is the {@link EndReason}. */
export const sessionCutCode = 4001

/** Close code of RFC 6455 for "this server cannot". */
const unavailableCode = 1011

/** Websockets of the local proxy: the bytes of one database client each, already signed in. */
export const connectRoutes =
  (deps: ConnectRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    websocketRoute(app, 'GET /api/v1/connect/postgres', async (socket, { login, query, request }) => {
      const stream = deps.toStream(socket)
      if (query.no_password === '1' && !(await auditOpenPort(deps, login, query.resource)))
        return socket.close(unavailableCode, 'AUDIT_UNAVAILABLE')
      const reason = await deps.servePostgres(stream, {
        identity: toIdentity(login),
        resourceId: query.resource,
        ...(query.level === undefined ? {} : { level: query.level }),
        ...(query.tool === undefined ? {} : { tool: query.tool }),
        client: { address: request.ip, port: request.socket.remotePort ?? 0, via: 'websocket' },
      })
      if (reason !== undefined && isCut(reason)) socket.close(sessionCutCode, reason)
      else socket.close(1000)
    })
  }

/** @returns false when it could not be written down: then the port must not work */
async function auditOpenPort(deps: ConnectRoutesDeps, login: Login, resource: string): Promise<boolean> {
  const { id, name } = login.principal
  const fields = { resource, login: login.id }
  try {
    await deps.audit.append({ type: 'local.no-password', actor: id, fields, text: { name } })
    return true
  } catch (error) {
    if (error instanceof BrokerError && error.code === 'AUDIT_UNAVAILABLE') return false
    throw error
  }
}
