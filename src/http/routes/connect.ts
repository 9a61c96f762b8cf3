import type { Duplex } from 'node:stream'
import type { WebSocket } from '@fastify/websocket'
import type { FastifyPluginAsync } from 'fastify'
import type { StreamTo } from '../../../proxy/doorman.ts'
import type { KnownClient, Protocol, StreamProtocol, TerminalProtocol } from '../../../proxy/relay/protocol.ts'
import { BrokerError, isCut, sessionCutCode } from '../../../proxy/session.ts'
import type { AuditLog } from '../../audit/audit.ts'
import type { Login } from '../../identity/principal.ts'
import { toIdentity } from '../../identity/require-login.ts'
import { type Call, websocketRoute } from '../../identity/route.ts'

export interface ConnectRoutesDeps {
  readonly audit: Pick<AuditLog, 'append'>
  /** From proxy/streams/websocket-stream.ts. */
  toStream(socket: WebSocket): Duplex
  readonly protocols: readonly Protocol[]
  readonly terminals: readonly TerminalProtocol[]
  readonly streams: readonly StreamProtocol[]
}

/** Close code of RFC 6455 for "this server cannot". */
const unavailableCode = 1011

const connect = 'GET /api/v1/connect/:protocol'
const shell = 'GET /api/v1/connect/shell'
const tcp = 'GET /api/v1/connect/tcp'
const ssh = 'GET /api/v1/connect/ssh'
const copy = 'GET /api/v1/connect/copy'

type AnyCall = Call<typeof connect> | Call<typeof shell> | Call<typeof tcp> | Call<typeof ssh> | Call<typeof copy>

/** Websockets of the local proxy: the bytes of one client each, already signed in. */
export const connectRoutes =
  (deps: ConnectRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    websocketRoute(app, connect, (socket, call) => serveSocket(deps, socket, call))
    websocketRoute(app, shell, (socket, call) => serveShell(deps, socket, call))
    websocketRoute(app, tcp, (socket, call) => {
      const { host, port } = call.query
      return serveStream(deps, socket, knownClient(call), { host, port })
    })
    websocketRoute(app, ssh, (socket, call) => serveStream(deps, socket, knownClient(call), { sshKey: call.query.key }))
    websocketRoute(app, copy, (socket, call) => {
      const { direction } = call.query
      return serveStream(deps, socket, knownClient(call), { copy: direction })
    })
  }

async function serveSocket(
  deps: ConnectRoutesDeps,
  socket: WebSocket,
  { params, query, login, request }: Omit<Call<typeof connect>, 'reply'>,
): Promise<void> {
  const protocol = deps.protocols.find(({ name }) => name === params.protocol)
  if (!protocol) return socket.close(unavailableCode, 'UNSUPPORTED')
  const stream = deps.toStream(socket)
  if (query.no_password === '1' && !(await auditOpenPort(deps, login, query.resource)))
    return socket.close(unavailableCode, 'AUDIT_UNAVAILABLE')
  const reason = await protocol.serveStream(stream, knownClient({ query, login, request }))
  if (reason !== undefined && isCut(reason)) socket.close(sessionCutCode, reason)
  else socket.close(1000)
}

/** A terminal, one whose client was lost, or a command: its engine closes the websocket. */
async function serveShell(
  { terminals }: ConnectRoutesDeps,
  socket: WebSocket,
  call: Omit<Call<typeof shell>, 'reply'>,
): Promise<void> {
  const terminal = terminals.find(({ name }) => name === 'shell')
  if (!terminal) return socket.close(unavailableCode, 'UNSUPPORTED')
  const { cols, rows, command, resumable, resumed } = call.query
  if (command === '1') await terminal.serveCommand(socket, knownClient(call))
  else if (resumed === '1') await terminal.resumeTerminal(socket, knownClient(call))
  else await terminal.serveTerminal(socket, knownClient(call), { cols, rows }, resumable === '1')
}

/** Its engine closes the websocket, too. */
async function serveStream(
  { streams }: ConnectRoutesDeps,
  socket: WebSocket,
  known: KnownClient,
  to: StreamTo,
): Promise<void> {
  const engine = streams.find(({ name }) => name === ('copy' in to ? 'copy' : 'tcp'))
  if (!engine) return socket.close(unavailableCode, 'UNSUPPORTED')
  await engine.serveSocket(socket, { ...known, to })
}

function knownClient({
  query: { resource: resourceId, level, tool },
  login,
  request,
}: Pick<AnyCall, 'query' | 'login' | 'request'>): KnownClient {
  return {
    identity: toIdentity(login),
    resourceId,
    ...(level === undefined ? {} : { level }),
    ...(tool === undefined ? {} : { tool }),
    client: { address: request.ip, port: request.socket.remotePort ?? 0, via: 'websocket' },
  }
}

/** @returns false when it could not be audited: then the port must not work */
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
