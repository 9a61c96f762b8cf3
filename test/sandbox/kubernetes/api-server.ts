import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { AwsFault } from '../aws/aws-fault.ts'
import type { Caller } from '../aws/callers.ts'
import type { Cluster } from '../aws/world.ts'
import type { Leaf } from '../certificates.ts'
import { sendJson, sendStatus } from './answers.ts'
import { attributesOf, type RequestAttributes } from './attributes.ts'
import { discovery } from './discovery.ts'
import { ObjectRequests } from './object-requests.ts'
import { type KubernetesObject, ObjectStore } from './objects.ts'
import { openApi, openApiV2 } from './openapi.ts'
import { type Pod, RunningPod } from './pods.ts'
import { mapCaller, reviewSelf } from './self-reviews.ts'
import { noFaults, type StreamFaults } from './streams/faults.ts'
import { newRecord, type StreamRecord } from './streams/record.ts'
import { refuseWithStatus, serveUpgrade } from './streams/upgrades.ts'
import type { EksTokenJudge } from './token-judge.ts'

/**
 * The API server of an EKS cluster (`specs/kubernetes-proxy.md`): TLS under the name of its endpoint, a token that must be valid, the role of an
 * access entry, and as much of the API as kubectl needs to get, list, watch, apply, delete, read logs, exec, attach, cp and port-forward.
 * And what helm needs. Left out: RBAC (each mapped role may do everything that is not in `denied`), admission, who owns which field,
 * validation of objects, protobuf, other groups.
 *
 * Streams, in a test:
 *
 *     const pod = cluster.pod('web-1')          // its programs are processes here, in the folder pod.root
 *     pod.ports.set(8080, port)                 // port-forward to 8080 leads to 127.0.0.1:port
 *     pod.start(['sh', '-c', '…'])              // what attach attaches to
 *     cluster.faults.webSocket = 403            // kubectl goes back to SPDY
 *     cluster.streams.at(-1)?.protocol          // what became of the last upgrade: protocol, exit code, sizes, violations
 *     cluster.denied.add('create pods/exec')    // RBAC
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
  /** Of exec, attach and port-forward: each that was asked for, oldest first. */
  readonly streams: readonly StreamRecord[]
  readonly faults: StreamFaults
  /** Verb and resource, with its subresource, that nobody may: `create pods/exec`. */
  readonly denied: Set<string>
  /** What runs in a pod of the namespace `shop`, or another. */
  pod(name: string, namespace?: string): Pod
  /** Writes a line to those who follow the log of the pod, or are attached to it. */
  say(pod: string, line: string): void
  /** Answers the next request with this, whatever it is. */
  answerNext(answer: (request: IncomingMessage, response: ServerResponse) => void): void
  close(): Promise<void>
}

export interface AuditedRequest {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  /** null: it is of no resource, as discovery is */
  readonly attributes: RequestAttributes | null
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
  readonly streams: StreamRecord[] = []
  readonly faults = noFaults()
  readonly denied = new Set<string>()
  readonly #options: ApiServerOptions
  readonly #server
  readonly #sockets = new Set<Socket>()
  readonly #requests = new ObjectRequests(this.objects, (name, namespace) => this.pod(name, namespace))
  readonly #pods = new Map<string, RunningPod>()
  readonly #answers: ((request: IncomingMessage, response: ServerResponse) => void)[] = []
  connections = 0

  constructor(options: ApiServerOptions) {
    this.#options = options
    const { cert, key } = options.certificate
    const shouldUpgradeCallback = (request: IncomingMessage) => streamsOf(request) !== null
    this.#server = createServer({ cert, key, minVersion: 'TLSv1.2', shouldUpgradeCallback }, (request, response) => {
      this.#serve(request, response).catch((error: Error) => response.destroy(error))
    })
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.#upgrade(request, socket, head).catch((error: Error) => socket.destroy(error))
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

  get streaming(): number {
    return this.#requests.streaming
  }

  pod(name: string, namespace = 'shop'): RunningPod {
    const key = `${namespace}/${name}`
    const pod = this.#pods.get(key) ?? new RunningPod(namespace, name)
    this.#pods.set(key, pod)
    return pod
  }

  say(pod: string, line: string): void {
    for (const one of this.#pods.values()) if (one.name === pod) one.print(Buffer.from(`${line}\n`))
  }

  answerNext(answer: (request: IncomingMessage, response: ServerResponse) => void): void {
    this.#answers.push(answer)
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    for (const pod of this.#pods.values()) pod.close()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request)
    const judged = this.#judge(request, body.toString('latin1'))
    response.setHeader('audit-id', `audit-${this.audit.length}`)
    if (judged) {
      sendStatus(response, judged.code, judged.reason, judged.message)
      return
    }
    const given = this.#answers.shift()
    if (given) given(request, response)
    else if (streamsOf(request)) sendStatus(response, 400, 'BadRequest', 'Upgrade request required')
    else this.#answer(request, response, body)
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const judged = this.#judge(request, '')
    if (judged) {
      refuseWithStatus(socket, judged.code, judged.reason, judged.message)
      return
    }
    const { kind, namespace, name } = streamsOf(request) as StreamsAsked
    if (request.method !== 'GET' && request.method !== 'POST') {
      const message = 'the server does not allow this method on the requested resource'
      refuseWithStatus(socket, 405, 'MethodNotAllowed', message)
      return
    }
    const object = this.objects.get('pods', namespace, name)
    if (!object) {
      refuseWithStatus(socket, 404, 'NotFound', `pods "${name}" not found`)
      return
    }
    const query = new URLSearchParams((request.url ?? '').split('?')[1])
    const container = query.get('container')
    if (container !== null && !containersOf(object).includes(container)) {
      refuseWithStatus(socket, 400, 'BadRequest', `container ${container} is not valid for pod ${name}`)
      return
    }
    const record = newRecord(kind, `${namespace}/${name}`, query)
    this.streams.push(record)
    await serveUpgrade({
      request,
      socket,
      head,
      query,
      record,
      pod: this.pod(name, namespace),
      faults: { ...this.faults },
    })
  }

  /** Writes the audit log. @returns why it is refused; null: it is not */
  #judge(request: IncomingMessage, body: string): { code: number; reason: string; message: string } | null {
    const { method = '', url = '' } = request
    const headers = { ...request.headers }
    const attributes = attributesOf(method, url)
    const audited = { method, url, headers, body, attributes }
    let caller: Caller
    try {
      caller = this.#authenticate(headers.authorization)
    } catch (error) {
      if (!(error instanceof AwsFault)) throw error
      this.audit.push({ ...audited, user: null, reason: error.reason })
      return { code: 401, reason: 'Unauthorized', message: 'Unauthorized' }
    }
    this.audit.push({ ...audited, user: caller.arn, reason: '' })
    if (!attributes) return null
    const { verb, group, resource, subresource, namespace, name } = attributes
    const what = subresource === '' ? resource : `${resource}/${subresource}`
    // From 1.35 on a WebSocket, which is a GET, needs the verb of SPDY's POST besides.
    const needed = streamsOf(request) && isAtLeast(this.#options.cluster.version, 35) ? [verb, 'create'] : [verb]
    const denied = needed.find((one) => this.denied.has(`${one} ${what}`))
    if (denied === undefined) return null
    const message =
      `${resource} "${name}" is forbidden: User "${caller.arn}" cannot ${denied} resource "${what}" in API group "${group}" ` +
      `in the namespace "${namespace}"`
    return { code: 403, reason: 'Forbidden', message }
  }

  /** @throws AwsFault */
  #authenticate(authorization = ''): Caller {
    const { cluster, tokens } = this.#options
    const token = /^Bearer (.+)$/.exec(authorization)?.[1] ?? ''
    const caller = tokens.check(token, cluster)
    mapCaller(cluster, caller)
    return caller
  }

  #answer(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
    const path = (request.url ?? '').split('?')[0] ?? ''
    const accept = request.headers.accept ?? ''
    const known = discovery(path, accept)
    const schema = openApi(path)
    const { cluster } = this.#options
    const review = reviewSelf(cluster, this.#authenticate(request.headers.authorization), request, body)
    if (review) sendJson(response, 201, review)
    else if (path === '/version') sendJson(response, 200, versionOf(cluster.version))
    else if (known) sendJson(response, 200, known.body, known.type)
    else if (schema) sendJson(response, 200, schema)
    else if (path === '/openapi/v2' && accept.includes('protobuf')) {
      response.setHeader('content-type', 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf')
      response.end(openApiV2)
    } else this.#requests.answer(request, response, body)
  }
}

/** @param version `1.33` */
function versionOf(version: string): object {
  const [major = '', minor = ''] = version.split('.')
  return { major, minor, gitVersion: `v${version}.0-eks-0123456`, platform: 'linux/amd64' }
}

interface StreamsAsked {
  readonly kind: StreamRecord['kind']
  readonly namespace: string
  readonly name: string
}

/** null: it is none of exec, attach, port-forward. */
function streamsOf({ method = '', url = '' }: IncomingMessage): StreamsAsked | null {
  const { group, resource, namespace = '', name = '', subresource } = attributesOf(method, url) ?? {}
  if (group !== '' || resource !== 'pods') return null
  if (subresource !== 'exec' && subresource !== 'attach' && subresource !== 'portforward') return null
  return { kind: subresource, namespace, name }
}

function containersOf(pod: KubernetesObject): string[] {
  const { containers = [] } = (pod.spec ?? {}) as { containers?: { name: string }[] }
  return containers.map(({ name }) => name)
}

/** @param version `1.33` */
function isAtLeast(version: string, minor: number): boolean {
  return Number(version.split('.')[1]) >= minor
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
