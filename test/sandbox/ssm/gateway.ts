/**
 * The message gateway, between the client's websocket and the agent (AWS publishes no specification: the sources of agent and plugin
 * are the reference). Relays messages, queues those for an end that is not there, and can do all that goes wrong on the way. Left out:
 * the agent's own websockets; the double of the agent sits inside.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { AwsFault } from '../aws/aws-fault.ts'
import { checkScope, checkSignature, readHeaderSignature, type SignedRequest } from '../aws/sigv4.ts'
import type { Leaf } from '../certificates.ts'
import { AgentDouble } from './agent.ts'
import { GatewaySession } from './gateway-session.ts'
import type { AgentOptions, SessionSpec } from './work.ts'

export interface AccessKey {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string
  /** Epoch milliseconds; Infinity: never. */
  expiresAt: number
}

/** The fields that StartSession and ResumeSession answer with. */
export interface StartedSession {
  readonly SessionId: string
  readonly StreamUrl: string
  /** Undefined: the session is over. */
  readonly TokenValue: string | undefined
}

/** What the API asks of the gateway that an instance's agent is at. */
export interface SessionGateway extends Pick<Gateway, 'start' | 'resume'> {
  session(sessionId: string): Pick<GatewaySession, 'overAt' | 'isAttached' | 'terminate'>
}

export interface GatewayOptions {
  /** Whether a signed upgrade may open a session; else by {@link Gateway.keys}. @throws AwsFault */
  readonly authorize?: (request: SignedRequest, sessionId: string) => void
  /** Left out: it speaks no TLS. */
  readonly certificate?: Leaf
}

export interface Gateway {
  readonly region: string
  /** What upgrades must be signed with. */
  readonly keys: AccessKey[]
  /** Upgrades that were refused, with the reason. */
  readonly refused: string[]
  /** @param owner with whose name the session's id begins */
  start(spec: SessionSpec, agent?: Partial<AgentOptions>, owner?: string): StartedSession
  resume(sessionId: string): StartedSession
  session(sessionId: string): GatewaySession
  close(): Promise<void>
}

const maxMessageBytes = 142_000
const region = 'eu-west-1'

export async function startGateway({ authorize, certificate }: GatewayOptions = {}): Promise<Gateway> {
  const sessions = new Map<string, GatewaySession>()
  const keys: AccessKey[] = []
  const refused: string[] = []
  const refuse: RequestListener = (_request, response) => void response.writeHead(404).end()
  const server = certificate ? createTlsServer({ ...certificate }, refuse) : createServer(refuse)
  const sockets = new WebSocketServer({ noServer: true, maxPayload: maxMessageBytes, perMessageDeflate: false })
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => {})
    try {
      const sessionId = readPath(request)
      const session = sessions.get(sessionId)
      if (!session) throw new AwsFault('ResourceNotFound', 404, 'there is no such session')
      const signed = signedRequest(request)
      if (authorize) authorize(signed, sessionId)
      else authenticate(signed, keys)
      sockets.handleUpgrade(request, socket, head, (opened) => session.attach(opened))
    } catch (error) {
      if (!(error instanceof AwsFault)) throw error
      refused.push(`${error.code}: ${error.message}`)
      socket.end(`HTTP/1.1 ${error.status} ${error.code}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const origin = `${certificate ? 'wss' : 'ws'}://127.0.0.1:${port}`
  const tokens = (sessionId: string): StartedSession => ({
    SessionId: sessionId,
    // The cell number is base64 and must come back as it went out.
    StreamUrl: `${origin}/v1/data-channel/${sessionId}?role=publish_subscribe&cell-number=AAEAAc%2B%2Fz%3D`,
    TokenValue: sessions.get(sessionId)?.issueToken(),
  })
  return {
    region,
    keys,
    refused,
    start: (spec, agent = {}, owner = 'sp') => {
      const sessionId = `${owner}-${randomBytes(9).toString('hex').slice(0, 17)}`
      const session = new GatewaySession(sessionId, spec, (send) => new AgentDouble(sessionId, spec, send, agent))
      sessions.set(sessionId, session)
      return tokens(sessionId)
    },
    resume: tokens,
    session: (sessionId) => {
      const session = sessions.get(sessionId)
      if (!session) throw new Error(`there is no session ${sessionId}`)
      return session
    },
    close: async () => {
      for (const session of sessions.values()) session.stop()
      server.closeAllConnections()
      await once(server.close(), 'close')
    },
  }
}

/** @returns the session id @throws AwsFault */
function readPath({ url = '' }: IncomingMessage): string {
  const { pathname, searchParams, search } = new URL(url, 'http://localhost')
  const sessionId = /^\/v1\/data-channel\/([\w+=,.@-]+)$/.exec(decodeURIComponent(pathname))?.[1]
  if (sessionId === undefined) throw new AwsFault('BadRequest', 404, `no such path ${pathname}`)
  if (searchParams.get('role') !== 'publish_subscribe' || !search.includes('cell-number=AAEAAc%2B%2Fz%3D'))
    throw new AwsFault('BadRequest', 400, 'the query is not that of the StreamUrl')
  return sessionId
}

function signedRequest({ url = '', rawHeaders }: IncomingMessage): SignedRequest {
  const headers: [string, string][] = []
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) headers.push([rawHeaders[at] ?? '', rawHeaders[at + 1] ?? ''])
  return { method: 'GET', target: url, headers, body: new Uint8Array(0) }
}

/** @throws AwsFault unless the upgrade is signed, for this service, by a key that is valid now */
function authenticate(signed: SignedRequest, keys: readonly AccessKey[]): void {
  const signature = readHeaderSignature(signed)
  const now = Date.now()
  checkScope(signature, { service: 'ssmmessages', regions: [region] }, now)
  const key = keys.find(({ accessKeyId }) => accessKeyId === signature.accessKeyId)
  if (!key || signature.token !== key.sessionToken)
    throw new AwsFault('UnrecognizedClientException', 403, 'The security token included in the request is invalid.')
  checkSignature(signed, signature, key.secretAccessKey)
  if (now >= key.expiresAt) throw new AwsFault('ExpiredTokenException', 403, 'the security token has expired')
}

/** A key pair as STS gives them. */
export function makeKey(): AccessKey {
  const [accessKeyId, secretAccessKey] = [`ASIA${randomBytes(8).toString('hex').toUpperCase()}`, randomUUID()]
  return { accessKeyId, secretAccessKey, sessionToken: randomUUID(), expiresAt: Number.POSITIVE_INFINITY }
}
