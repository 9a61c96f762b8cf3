import type { Duplex } from 'node:stream'
import type { WebSocket } from '@fastify/websocket'
import type { FastifyPluginAsync } from 'fastify'
import type { KnownClient, Protocol, StreamProtocol, TerminalProtocol } from '../../../proxy/relay/protocol.ts'
import { BrokerError, type ErrorCode, isCut, sessionCutCode } from '../../../proxy/session.ts'
import type { TerminalSize } from '../../../proxy/ssm/terminal.ts'
import type { AuditLog } from '../../audit/audit.ts'
import type { RouteKey } from '../../contract/routes.ts'
import type { Login } from '../../identity/principal.ts'
import { toIdentity } from '../../identity/require-login.ts'
import { type Call, websocketRoute } from '../../identity/route.ts'

export interface ConnectRoutesDeps extends ConnectCarriers {
  readonly audit: Pick<AuditLog, 'append'>
}

/** What carries sessions that come by websocket. */
export interface ConnectCarriers {
  /** From proxy/streams/websocket-stream.ts. */
  toStream(socket: WebSocket): Duplex
  readonly protocols: readonly Protocol[]
  readonly terminals: readonly TerminalProtocol[]
  readonly streams: readonly StreamProtocol[]
}

/** A websocket that may be opened, and what it is for. Plain data: another process may carry it. */
export type AcceptedWebsocket =
  | { readonly what: 'protocol'; readonly name: string; readonly known: KnownClient }
  | {
      readonly what: 'terminal'
      readonly known: KnownClient
      readonly as: 'terminal' | 'resumed' | 'command'
      readonly size: TerminalSize
      readonly isResumable: boolean
    }
  | { readonly what: 'stream'; readonly name: 'tcp' | 'copy'; readonly known: KnownClient }
  /** It is opened, and closed with this code. */
  | { readonly what: 'refused'; readonly code: ErrorCode }

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
    const carried = <K extends RouteKey>(
      key: K,
      accept: (call: Omit<Call<K>, 'reply'>) => Promise<AcceptedWebsocket>,
    ) => websocketRoute(app, key, (socket, call) => serve(deps, socket, accept(call)), accept)
    carried(connect, (call) => acceptProtocol(deps, call))
    carried(shell, async (call) => acceptTerminal(call))
    carried(tcp, async (call) => {
      const { host, port } = call.query
      return { what: 'stream', name: 'tcp', known: { ...knownClient(call), to: { host, port } } }
    })
    carried(ssh, async (call) => ({
      what: 'stream',
      name: 'tcp',
      known: { ...knownClient(call), to: { sshKey: call.query.key } },
    }))
    carried(copy, async (call) => ({
      what: 'stream',
      name: 'copy',
      known: { ...knownClient(call), to: { copy: call.query.direction } },
    }))
  }

/** What the client sends meanwhile waits. */
async function serve(deps: ConnectCarriers, socket: WebSocket, accepting: Promise<AcceptedWebsocket>): Promise<void> {
  socket.pause()
  const accepted = await accepting
  socket.resume()
  await serveAccepted(deps, socket, accepted)
}

async function acceptProtocol(
  deps: Pick<ConnectRoutesDeps, 'audit'>,
  { params, query, login, request }: Omit<Call<typeof connect>, 'reply'>,
): Promise<AcceptedWebsocket> {
  if (query.no_password === '1' && !(await auditOpenPort(deps, login, query.resource)))
    return { what: 'refused', code: 'AUDIT_UNAVAILABLE' }
  return { what: 'protocol', name: params.protocol, known: knownClient({ query, login, request }) }
}

function acceptTerminal(call: Omit<Call<typeof shell>, 'reply'>): AcceptedWebsocket {
  const { cols, rows, command, resumable, resumed } = call.query
  return {
    what: 'terminal',
    known: knownClient(call),
    as: command === '1' ? 'command' : resumed === '1' ? 'resumed' : 'terminal',
    size: { cols, rows },
    isResumable: resumable === '1',
  }
}

/** Serves a websocket that was accepted, and closes it. */
export async function serveAccepted(
  { protocols, streams, terminals, toStream }: ConnectCarriers,
  socket: WebSocket,
  accepted: AcceptedWebsocket,
): Promise<void> {
  if (accepted.what === 'refused') return socket.close(unavailableCode, accepted.code)
  const { known } = accepted
  if (accepted.what === 'protocol') {
    const protocol = protocols.find(({ name }) => name === accepted.name)
    if (!protocol) return socket.close(unavailableCode, 'UNSUPPORTED')
    const reason = await protocol.serveStream(toStream(socket), known)
    if (reason !== undefined && isCut(reason)) socket.close(sessionCutCode, reason)
    else socket.close(1000)
  } else if (accepted.what === 'terminal') {
    const terminal = terminals.find(({ name }) => name === 'shell')
    if (!terminal) return socket.close(unavailableCode, 'UNSUPPORTED')
    if (accepted.as === 'command') await terminal.serveCommand(socket, known)
    else if (accepted.as === 'resumed') await terminal.resumeTerminal(socket, known)
    else await terminal.serveTerminal(socket, known, accepted.size, accepted.isResumable)
  } else {
    const engine = streams.find(({ name }) => name === accepted.name)
    if (!engine) return socket.close(unavailableCode, 'UNSUPPORTED')
    await engine.serveSocket(socket, known)
  }
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
async function auditOpenPort(deps: Pick<ConnectRoutesDeps, 'audit'>, login: Login, resource: string): Promise<boolean> {
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
