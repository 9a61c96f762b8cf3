/** The endpoint behind a plain HTTP server, with a doorman that lets every token in, before an API server that a test scripts byte by byte. */
import { once } from 'node:events'
import { createServer as createHttp, STATUS_CODES } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { createServer as createTls } from 'node:tls'
import type { Test } from 'tap'
import { KubernetesEndpoint } from '../../../../proxy/kubernetes/endpoint.ts'
import type { KubernetesRule } from '../../../../proxy/kubernetes/rules.ts'
import type { KubernetesRules } from '../../../../proxy/kubernetes/session-rules.ts'
import { Trust } from '../../../../proxy/reach/trust.ts'
import type { EngineFacts } from '../../../../proxy/session.ts'
import { TlsSessions } from '../../../../proxy/streams/tls-sessions.ts'
import { createAuthority } from '../../../sandbox/certificates.ts'
import { waitUntil } from '../../../wait-until.ts'
import { identity, origin, scriptedDoorman } from '../../relay/scripted-doorman.ts'

export const host = 'abc.gr7.eu-west-1.eks.amazonaws.com'
const place = '/k8s/111122223333/eu-west-1/web'
export const pod = '/api/v1/namespaces/shop/pods/web-1'

const all: KubernetesRule = {
  verbs: ['get', 'list', 'exec', 'attach', 'portforward'],
  groups: [''],
  resources: ['*'],
  namespaces: ['*'],
  names: null,
}

export const websocketKey = 'dGhlIHNhbXBsZSBub25jZQ=='
const offers = {
  websocket: (protocol: string) => [
    ...['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', `Sec-WebSocket-Key: ${websocketKey}`],
    `Sec-WebSocket-Protocol: ${protocol}`,
  ],
  'SPDY/3.1': (protocol: string) => [
    ...['Connection: Upgrade', 'Upgrade: SPDY/3.1', 'Content-Length: 0', `X-Stream-Protocol-Version: ${protocol}`],
  ],
}

/** What the API server says to one that it lets in. */
export const switched = {
  websocket: (protocol = 'v5.channel.k8s.io') =>
    answer(101, [
      ...['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo='],
      `Sec-WebSocket-Protocol: ${protocol}`,
    ]),
  'SPDY/3.1': (protocol = 'v4.channel.k8s.io') =>
    answer(101, ['Connection: Upgrade', 'Upgrade: SPDY/3.1', `X-Stream-Protocol-Version: ${protocol}`]),
}

export function answer(status: number, lines: readonly string[], body = ''): string {
  const length = status === 101 ? [] : [`Content-Length: ${body.length}`]
  return `HTTP/1.1 ${[`${status} ${STATUS_CODES[status]}`, ...lines, ...length].join('\r\n')}\r\n\r\n${body}`
}

export interface EndpointOptions {
  readonly rules?: Partial<KubernetesRules>
  readonly engine?: Partial<EngineFacts>
}

const authority = createAuthority()

/** One connection to the API server, with all that came by it. */
export interface AtServer {
  readonly socket: Socket
  text(): string
  /** What was agreed on; false: nothing. */
  readonly alpn: string | false | null
}

export async function startEndpoint(t: Test, options: EndpointOptions = {}) {
  const accepted: AtServer[] = []
  const { cert, key } = authority.issue([host])
  const server = createTls({ cert, key, ALPNProtocols: ['h2', 'http/1.1'] }, (socket) => {
    let text = ''
    accepted.push({ socket, text: () => text, alpn: socket.alpnProtocol })
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const { socket } of accepted) socket.destroy()
    server.close()
  })
  const address = { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
  const rules = { rules: [all], idleTimeoutMs: 0, recordsInput: false, detail: { role: 'View' }, ...options.rules }
  let leases = 0
  const scripted = scriptedDoorman({
    kind: 'eks-cluster',
    opensMany: true,
    engine: () => ({ address, serverName: host, ca: authority.cert, ...options.engine, rules }),
    lease: async () => {
      leases += 1
      return { user: 'View', secret: `signed-${leases}`, expiresAt: Date.now() + 60_000 }
    },
    identify: async () => identity,
  })
  const endpoint = new KubernetesEndpoint({
    host: scripted.host,
    kind: 'eks-cluster',
    reach: {
      open: async () => {
        const stream = connect(address)
        await once(stream, 'connect')
        return { stream, address, again: () => Promise.reject(new Error('unused')), reset: () => void stream.destroy() }
      },
    },
    trust: new Trust(),
    tlsSessions: new TlsSessions(() => Date.now()),
    now: () => Date.now(),
    originOf: () => origin,
    onError: (error) => scripted.errors.push(error),
  })
  const front = createHttp((request, response) => void endpoint.http(request, response, () => {}))
  front.on('upgrade', (request, socket, head) => void endpoint.upgrade(request, socket, head, () => {}))
  front.listen(0, '127.0.0.1')
  await once(front, 'listening')
  t.teardown(() => {
    front.closeAllConnections()
    front.close()
  })
  const { port } = front.address() as AddressInfo
  return {
    ...scripted,
    accepted,
    ask: (path: string, ask: Ask = {}) => client(t, port, path, ask),
    /** The nth connection, once it has asked. */
    asked: async (n: number): Promise<AtServer> => {
      await waitUntil(() => accepted[n]?.text().includes('\r\n\r\n') ?? false, `connection ${n} asks`)
      return accepted[n] as AtServer
    },
  }
}

export interface Ask {
  readonly upgrade?: keyof typeof offers
  readonly protocol?: string
  readonly method?: string
  readonly lines?: readonly string[]
}

async function client(t: Test, port: number, path: string, ask: Ask) {
  const { upgrade = 'websocket', lines = [] } = ask
  const isWebsocket = upgrade === 'websocket'
  const { protocol = isWebsocket ? 'v5.channel.k8s.io' : 'v4.channel.k8s.io', method = isWebsocket ? 'GET' : 'POST' } =
    ask
  const socket = connect(port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  const chunks: Buffer[] = []
  let isClosed = false
  socket.on('data', (chunk) => void chunks.push(chunk)).on('error', () => {})
  socket.on('end', () => {
    isClosed = true
    socket.end()
  })
  socket.on('close', () => {
    isClosed = true
  })
  const head = [`${method} ${place}${path} HTTP/1.1`, 'Host: broker', 'Authorization: Bearer token']
  socket.write(`${[...head, ...offers[upgrade](protocol), ...lines].join('\r\n')}\r\n\r\n`)
  const text = () => Buffer.concat(chunks).toString('latin1')
  return {
    socket,
    text,
    gets: (part: string) =>
      waitUntil(
        () => text().includes(part),
        () => `${part} in ${text()}`,
      ),
    closes: async () => {
      await waitUntil(
        () => isClosed,
        () => `closed after ${text()}`,
      )
      return text()
    },
  }
}
