import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { AwsFault } from '../aws/aws-fault.ts'
import type { Caller } from '../aws/callers.ts'
import type { Cluster } from '../aws/world.ts'
import type { Leaf } from '../certificates.ts'
import { discovery, sendJson, sendStatus, toList, toTable } from './answers.ts'
import { type KubernetesObject, ObjectStore, type ResourceType, resourceTypes, type WatchEvent } from './objects.ts'
import type { EksTokenJudge } from './token-judge.ts'

/**
 * The API server of an EKS cluster (`specs/kubernetes-proxy.md`): TLS under the name of its endpoint, a token that must be valid, the role of an
 * access entry, and as much of the API as kubectl needs to get, list, watch, apply, delete, and read logs. Left out: RBAC (each mapped role
 * may do everything), admission, other groups.
 */
export interface ApiServer {
  /** On 127.0.0.1. */
  readonly port: number
  readonly objects: ObjectStore
  /** What its audit log says, oldest first. */
  readonly audit: readonly AuditedRequest[]
  /** Connections so far. */
  readonly connections: number
  /** Answers that are still streamed. */
  readonly streaming: number
  /** Writes a line to those who follow the log of the pod. */
  say(pod: string, line: string): void
  /** Answers the next request with this, whatever it is. */
  answerNext(answer: (request: IncomingMessage, response: ServerResponse) => void): void
  close(): Promise<void>
}

export interface AuditedRequest {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  /** ARN of who was believed to ask; null: the token was refused. */
  readonly user: string | null
  /** Why it was refused. */
  readonly reason: string
  readonly body: string
}

export interface ApiServerOptions {
  readonly cluster: Cluster
  readonly certificate: Leaf
  readonly tokens: EksTokenJudge
}

const maxBodyBytes = 3 * 1024 * 1024

export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const server = new Server(options)
  await server.listen()
  return server
}

class Server implements ApiServer {
  readonly objects = new ObjectStore()
  readonly audit: AuditedRequest[] = []
  readonly #options: ApiServerOptions
  readonly #server
  readonly #sockets = new Set<Socket>()
  readonly #followers = new Map<string, Set<ServerResponse>>()
  readonly #answers: ((request: IncomingMessage, response: ServerResponse) => void)[] = []
  connections = 0
  streaming = 0

  constructor(options: ApiServerOptions) {
    this.#options = options
    const { cert, key } = options.certificate
    this.#server = createServer({ cert, key, minVersion: 'TLSv1.2' }, (request, response) => {
      this.#serve(request, response).catch((error: Error) => response.destroy(error))
    })
    this.#server.on('secureConnection', (socket: TLSSocket) => {
      this.connections += 1
      this.#sockets.add(socket)
      socket.on('error', () => {})
      socket.once('close', () => this.#sockets.delete(socket))
    })
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  say(pod: string, line: string): void {
    for (const response of this.#followers.get(pod) ?? []) response.write(`${line}\n`)
  }

  answerNext(answer: (request: IncomingMessage, response: ServerResponse) => void): void {
    this.#answers.push(answer)
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request)
    const { method = '', url = '', headers } = request
    const audited = { method, url, headers, body: body.toString('latin1') }
    let caller: Caller
    try {
      caller = this.#authenticate(headers.authorization)
    } catch (error) {
      if (!(error instanceof AwsFault)) throw error
      this.audit.push({ ...audited, user: null, reason: error.reason })
      sendStatus(response, 401, 'Unauthorized', 'Unauthorized')
      return
    }
    this.audit.push({ ...audited, user: caller.arn, reason: '' })
    response.setHeader('audit-id', `audit-${this.audit.length}`)
    const given = this.#answers.shift()
    if (given) given(request, response)
    else this.#answer(request, response, body)
  }

  /** @throws AwsFault */
  #authenticate(authorization = ''): Caller {
    const { cluster, tokens } = this.#options
    const token = /^Bearer (.+)$/.exec(authorization)?.[1] ?? ''
    const caller = tokens.check(token, cluster)
    if (!cluster.accessEntries.some(({ principalArn }) => principalArn === caller.principalArn))
      throw new AwsFault('AccessDenied', 401, 'Unauthorized', `no access entry maps ${caller.principalArn}`)
    return caller
  }

  #answer(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
    const url = new URL(request.url ?? '', 'https://cluster')
    const known = discovery(url.pathname)
    if (url.pathname === '/version') sendJson(response, 200, { major: '1', minor: '33', gitVersion: 'v1.33.0' })
    else if (known) sendJson(response, 200, known)
    else this.#answerObjects(request, response, url, body)
  }

  #answerObjects(request: IncomingMessage, response: ServerResponse, url: URL, body: Buffer): void {
    const path = /^\/(?:api\/v1|apis\/([^/]+)\/v1)(?:\/namespaces\/([^/]+)(?=\/.))?\/([^/]+)(?:\/([^/]+))?(?:\/(.+))?$/
    const [, group = '', namespace = '', resource = '', name = '', subresource = ''] = path.exec(url.pathname) ?? []
    const of = resourceTypes.find((one) => one.group === group && one.resource === resource)
    if (!of) {
      sendStatus(response, 404, 'NotFound', 'the server could not find the requested resource')
      return
    }
    if (subresource === 'log') this.#log(response, url, namespace, name)
    else if (request.method === 'GET' && isWatch(url)) this.#watch(request, response, url, of, namespace)
    else if (request.method === 'GET' && name === '') this.#list(request, response, url, of, namespace)
    else this.#one(request, response, of, { namespace, name, body })
  }

  #list(request: IncomingMessage, response: ServerResponse, url: URL, of: ResourceType, namespace: string): void {
    const objects = this.#selected(url, this.objects.list(of.resource, namespace))
    const { version } = this.objects
    sendJson(response, 200, asksTable(request) ? toTable(objects, version) : toList(of, objects, version))
  }

  #watch(request: IncomingMessage, response: ServerResponse, url: URL, of: ResourceType, namespace: string): void {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.flushHeaders()
    this.streaming += 1
    const tell = ({ type, resource, object }: WatchEvent) => {
      if (resource !== of.resource || (namespace !== '' && object.metadata.namespace !== namespace)) return
      if (this.#selected(url, [object]).length === 0) return
      const shown = asksTable(request) ? toTable([object], this.objects.version) : object
      response.write(`${JSON.stringify({ type, object: shown })}\n`)
    }
    if (!url.searchParams.has('resourceVersion'))
      for (const object of this.objects.list(of.resource, namespace))
        tell({ type: 'ADDED', resource: of.resource, object })
    const stop = this.objects.watch(tell)
    response.once('close', () => {
      this.streaming -= 1
      stop()
    })
  }

  #one(
    request: IncomingMessage,
    response: ServerResponse,
    of: ResourceType,
    { namespace, name, body }: { namespace: string; name: string; body: Buffer },
  ): void {
    const { method = '' } = request
    const known = this.objects.get(of.resource, namespace, name)
    if (
      !known &&
      method !== 'POST' &&
      !(method === 'PATCH' && /apply-patch/.test(request.headers['content-type'] ?? ''))
    ) {
      sendStatus(response, 404, 'NotFound', `${of.resource} "${name}" not found`)
      return
    }
    if (method === 'GET') {
      sendJson(
        response,
        200,
        asksTable(request) ? toTable([known as KubernetesObject], this.objects.version) : (known as object),
      )
      return
    }
    if (method === 'DELETE') {
      this.objects.delete(of, namespace, name)
      sendJson(response, 200, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' })
      return
    }
    const given = readObject(body)
    if (!given) {
      sendStatus(response, 415, 'UnsupportedMediaType', 'only JSON is here')
      return
    }
    const named = name === '' ? String((given.metadata as { name?: unknown } | undefined)?.name) : name
    const merged = method === 'PATCH' ? { ...known, ...given } : given
    sendJson(response, method === 'POST' ? 201 : 200, this.objects.put(of, namespace, named, merged))
  }

  #log(response: ServerResponse, url: URL, namespace: string, name: string): void {
    const pod = this.objects.get('pods', namespace, name)
    if (!pod) {
      sendStatus(response, 404, 'NotFound', `pods "${name}" not found`)
      return
    }
    response.writeHead(200, { 'content-type': 'text/plain' })
    response.write(`${name} has started\n`)
    if (url.searchParams.get('follow') !== 'true') {
      response.end()
      return
    }
    this.streaming += 1
    const followers = this.#followers.get(name) ?? new Set()
    this.#followers.set(name, followers.add(response))
    response.once('close', () => {
      this.streaming -= 1
      followers.delete(response)
    })
  }

  #selected(url: URL, objects: readonly KubernetesObject[]): readonly KubernetesObject[] {
    const name = /(?:^|,)metadata\.name=([^,]+)/.exec(url.searchParams.get('fieldSelector') ?? '')?.[1]
    return name === undefined ? objects : objects.filter(({ metadata }) => metadata.name === name)
  }
}

function isWatch(url: URL): boolean {
  const value = url.searchParams.get('watch')
  return value !== null && value !== 'false' && value !== '0'
}

function asksTable({ headers }: IncomingMessage): boolean {
  return /as=Table/.test(headers.accept ?? '')
}

function readObject(body: Buffer): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(body.toString())
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maxBodyBytes) throw new Error('the body is too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
