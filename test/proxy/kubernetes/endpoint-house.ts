/** The endpoint for clients of Kubernetes, between a client and an API server that a test has say anything. */
import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, connect, type Server, type Socket } from 'node:net'
import type { Test } from 'tap'
import { KubernetesEndpoint } from '../../../proxy/kubernetes/endpoint.ts'
import type { KubernetesRules } from '../../../proxy/kubernetes/session-rules.ts'
import type { EarlyConnection } from '../../../proxy/ports/early-connection.ts'
import { direct } from '../../../proxy/reach/direct.ts'
import { Trust } from '../../../proxy/reach/trust.ts'
import { BrokerError, type EngineFacts, type FailedLease, type Lease } from '../../../proxy/session.ts'
import { TlsSessions } from '../../../proxy/streams/tls-sessions.ts'
import { defaultDeadlines } from '../../../src/http/connection-guard.ts'
import { serveEarly } from '../../../src/http/early-connections.ts'
import { createAuthority } from '../../sandbox/certificates.ts'
import { identity, origin, scriptedDoorman } from '../relay/scripted-doorman.ts'

/** Tests set it, so that a suite runs once more with requests that read past Node's parser. */
const isEarly = process.env.SALLYPORT_TEST_READS === 'early'
const kind = 'eks-cluster'
export const prefix = '/k8s/111122223333/eu-west-1/web'
const resourceId = `${kind}/111122223333/eu-west-1/web`
export const serverName = '0123456789abcdef0123456789abcdef.gr7.eu-west-1.eks.amazonaws.com'
export const authority = createAuthority('kubernetes')

const everything: KubernetesRules = {
  rules: [{ verbs: ['*'], groups: ['*'], resources: ['*'], namespaces: ['*'], names: null }],
  idleTimeoutMs: 0,
  recordsInput: false,
  detail: { role: 'arn:aws:iam::111122223333:role/web-view' },
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** Requests as the cluster got them. */
export interface Seen {
  readonly method: string
  readonly url: string
  readonly token: string
  readonly headers: IncomingMessage['headers']
}

export interface HouseOptions {
  /** What the cluster answers. */
  readonly answer?: Handler
  /** What the doorman gives; by default `token-1`, and another for each that failed. */
  readonly lease?: (failed?: FailedLease) => Promise<Lease>
  readonly engine?: Partial<EngineFacts>
  /** Requests that read are kept from Node's parser. */
  readonly isEarly?: boolean
}

export async function startHouse(t: Pick<Test, 'teardown'>, options: HouseOptions = {}) {
  const seen: Seen[] = []
  const cluster = { answer: options.answer ?? ((_, response) => void response.end('{}')) } as { answer: Handler }
  const tls = createTlsServer(authority.issue([serverName]), (asked, response) => {
    const { method = '', url = '', headers } = asked
    seen.push({ method, url, headers, token: headers.authorization?.replace('Bearer ', '') ?? '' })
    cluster.answer(asked, response)
  })
  const targets = new Set<Socket>()
  let connections = 0
  tls.on('secureConnection', (socket: Socket) => {
    connections += 1
    targets.add(socket.on('error', () => {}))
    socket.once('close', () => targets.delete(socket))
  })
  const port = await listen(t, tls, targets)

  const asks: (FailedLease | undefined)[] = []
  let made = 0
  const lease = async (failed?: FailedLease): Promise<Lease> => {
    asks.push(failed)
    if (options.lease) return await options.lease(failed)
    made += 1
    return { user: 'role', secret: `token-${made}`, expiresAt: Date.now() + 600_000, ca: authority.cert }
  }
  const scripted = scriptedDoorman({
    kind,
    engine: () => ({
      address: { host: '127.0.0.1', port },
      serverName,
      ca: null,
      rules: everything,
      ...options.engine,
    }),
    lease,
    identify: async () => ({ ...identity, bound: { grantId: 'grt_1', resourceId, level: 'readonly' } }),
  })
  const endpoint = new KubernetesEndpoint({
    host: scripted.host,
    reach: direct,
    trust: new Trust(),
    tlsSessions: new TlsSessions(() => Date.now()),
    kind,
    now: () => Date.now(),
    originOf: () => ({ ...origin, via: 'api' }),
    onError: (error) => void scripted.errors.push(error),
  })
  const clients = new Set<Socket>()
  const front = createServer((asked, response) => void endpoint.http(asked, response, () => {}))
  /** Connections that Node's parser has got. */
  let parsed = 0
  front.prependListener('connection', () => {
    parsed += 1
  })
  if (isEarly || options.isEarly) {
    const connection = (early: EarlyConnection) => endpoint.connection(early)
    const close = serveEarly(front, [{ path: '/k8s', connection }], defaultDeadlines, () => {})
    t.teardown(close)
  }
  front.on('connection', (socket: Socket) => {
    clients.add(socket.on('error', () => {}))
    socket.once('close', () => clients.delete(socket))
  })
  const frontPort = await listen(t, front, clients)
  t.teardown(() => void scripted.cut({ reason: 'client-closed', text: 'the test is over' }))

  return {
    ...scripted,
    cluster,
    /** As the cluster got them. */
    asked: seen,
    /** What the doorman was asked for leases. */
    leases: asks,
    connections: () => connections,
    parsed: () => parsed,
    /** The broker's ends of those of clients. */
    clients,
    port: frontPort,
    /** Those to the cluster that are open. */
    targets,
    ask: (path: string, asked: AskOptions = {}) => ask(frontPort, path, asked),
    open: (path: string, asked: AskOptions = {}) => open(frontPort, path, asked),
    /** With what names the cluster. */
    openAt: (path: string) => openAt(frontPort, path),
    raw: (text: string) => sendRaw(frontPort, text),
  }
}

export interface AskOptions {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
}

export interface Answered {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: string
  /** Of a `Status`. */
  readonly message: string
}

/** Without it Node's client asks for the connection to be closed, which no client of Kubernetes does. */
const agent = new Agent({ keepAlive: true })

function open(port: number, path: string, options: AskOptions) {
  return openAt(port, `${prefix}${path}`, options)
}

function openAt(port: number, path: string, { method = 'GET', headers = {}, body }: AskOptions = {}) {
  const sent = request({
    host: '127.0.0.1',
    port,
    path,
    method,
    headers: { authorization: 'Bearer spt_token', ...headers },
    agent: isEarly ? agent : false,
  })
  if (body !== undefined) sent.end(body)
  else if (method === 'GET' || method === 'HEAD' || headers['content-length'] === '0') sent.end()
  return sent
}

/** @throws Error when the answer was cut off */
async function ask(port: number, path: string, options: AskOptions): Promise<Answered> {
  const sent = open(port, path, options)
  if (!sent.writableEnded) sent.end()
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  return await readAnswer(answer)
}

export async function readAnswer(answer: IncomingMessage): Promise<Answered> {
  const parts: Buffer[] = []
  for await (const chunk of answer as AsyncIterable<Buffer>) parts.push(chunk)
  const body = Buffer.concat(parts).toString()
  const isJson = answer.headers['content-type'] === 'application/json' && body.startsWith('{')
  const message = isJson ? String((JSON.parse(body) as { message?: unknown }).message ?? '') : body
  return { status: answer.statusCode ?? 0, headers: answer.headers, body, message }
}

/** @returns all that comes back until the broker closes */
async function sendRaw(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  let got = ''
  socket.on('data', (chunk: Buffer) => {
    got += chunk.toString('latin1')
  })
  socket.write(text, 'latin1')
  socket.end()
  await once(socket, 'close')
  return got
}

async function listen(t: Pick<Test, 'teardown'>, server: Server, sockets: ReadonlySet<Socket>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return (server.address() as AddressInfo).port
}

export function unreachable(detail: string): BrokerError {
  return new BrokerError('TARGET_UNREACHABLE', detail)
}
