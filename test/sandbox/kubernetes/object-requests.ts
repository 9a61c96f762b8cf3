import type { IncomingMessage, ServerResponse } from 'node:http'
import { asksTable, sendJson, sendStatus, toList, toTable } from './answers.ts'
import { attributesOf, type RequestAttributes } from './attributes.ts'
import {
  type KubernetesObject,
  type ObjectStore,
  type ResourceType,
  resourceTypes,
  type WatchEvent,
} from './objects.ts'
import type { RunningPod } from './pods.ts'

/** Requests of objects, after they were let in. */
export class ObjectRequests {
  /** Answers that are still streamed. */
  streaming = 0
  readonly #objects: ObjectStore
  readonly #pod: (name: string, namespace: string) => RunningPod

  constructor(objects: ObjectStore, pod: (name: string, namespace: string) => RunningPod) {
    this.#objects = objects
    this.#pod = pod
  }

  answer(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
    const attributes = attributesOf(request.method ?? '', request.url ?? '')
    const of = resourceTypes.find((one) => one.group === attributes?.group && one.resource === attributes.resource)
    if (!attributes || !of || attributes.version !== of.version) {
      sendStatus(response, 404, 'NotFound', 'the server could not find the requested resource')
      return
    }
    const query = new URLSearchParams((request.url ?? '').split('?')[1])
    if (attributes.subresource === 'log') this.#readLog(response, query, attributes)
    else if (attributes.verb === 'watch') this.#watch(request, response, query, of, attributes)
    else if (attributes.verb === 'list') this.#list(request, response, query, of, attributes)
    else this.#one(request, response, of, attributes, body)
  }

  #list(
    request: IncomingMessage,
    response: ServerResponse,
    query: URLSearchParams,
    of: ResourceType,
    { namespace }: RequestAttributes,
  ): void {
    const objects = selected(query, this.#objects.list(of.resource, namespace))
    const { version } = this.#objects
    sendJson(response, 200, asksTable(request) ? toTable(objects, version) : toList(of, objects, version))
  }

  #watch(
    request: IncomingMessage,
    response: ServerResponse,
    query: URLSearchParams,
    of: ResourceType,
    { namespace }: RequestAttributes,
  ): void {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.flushHeaders()
    const tell = ({ type, resource, object }: WatchEvent) => {
      if (resource !== of.resource || (namespace !== '' && object.metadata.namespace !== namespace)) return
      if (selected(query, [object]).length === 0) return
      const shown = asksTable(request) ? toTable([object], this.#objects.version) : object
      response.write(`${JSON.stringify({ type, object: shown })}\n`)
    }
    if (!query.has('resourceVersion'))
      for (const object of this.#objects.list(of.resource, namespace))
        tell({ type: 'ADDED', resource: of.resource, object })
    this.#keep(response, this.#objects.watch(tell))
  }

  #one(
    request: IncomingMessage,
    response: ServerResponse,
    of: ResourceType,
    { namespace, name }: RequestAttributes,
    body: Buffer,
  ): void {
    const { method = '' } = request
    const known = this.#objects.get(of.resource, namespace, name)
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
        asksTable(request) ? toTable([known as KubernetesObject], this.#objects.version) : (known as object),
      )
      return
    }
    if (method === 'DELETE') {
      this.#objects.delete(of, namespace, name)
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
    sendJson(response, method === 'POST' ? 201 : 200, this.#objects.put(of, namespace, named, merged))
  }

  #readLog(response: ServerResponse, query: URLSearchParams, { namespace, name }: RequestAttributes): void {
    if (!this.#objects.get('pods', namespace, name)) {
      sendStatus(response, 404, 'NotFound', `pods "${name}" not found`)
      return
    }
    response.writeHead(200, { 'content-type': 'text/plain' })
    response.write(`${name} has started\n`)
    if (query.get('follow') !== 'true') {
      response.end()
      return
    }
    const pod = this.#pod(name, namespace)
    const { stop } = pod.listen({ output: (data) => void response.write(data), end: () => response.end() })
    this.#keep(response, stop)
  }

  #keep(response: ServerResponse, stop: () => void): void {
    this.streaming += 1
    response.once('close', () => {
      this.streaming -= 1
      stop()
    })
  }
}

function selected(query: URLSearchParams, objects: readonly KubernetesObject[]): readonly KubernetesObject[] {
  const name = /(?:^|,)metadata\.name=([^,]+)/.exec(query.get('fieldSelector') ?? '')?.[1]
  return name === undefined ? objects : objects.filter(({ metadata }) => metadata.name === name)
}

function readObject(body: Buffer): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(body.toString())
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}
