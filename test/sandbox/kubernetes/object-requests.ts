import type { IncomingMessage, ServerResponse } from 'node:http'
import { asksTable, sendJson, sendStatus, toList, toTable } from './answers.ts'
import { attributesOf, type RequestAttributes } from './attributes.ts'
import { applyChange, Refused } from './object-changes.ts'
import {
  type KubernetesObject,
  type ObjectStore,
  type ResourceType,
  resourceTypes,
  type WatchEvent,
} from './objects.ts'
import type { RunningPod } from './pods.ts'
import { isSelected } from './selectors.ts'

/** A request of objects, after it was let in. */
interface Asked {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly query: URLSearchParams
  readonly of: ResourceType
  readonly attributes: RequestAttributes
}

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
    const found = attributesOf(request.method ?? '', request.url ?? '')
    const of = resourceTypes.find((one) => one.group === found?.group && one.resource === found.resource)
    if (!found || !of || found.version !== of.version) {
      sendStatus(response, 404, 'NotFound', 'the server could not find the requested resource')
      return
    }
    const attributes = of.isNamespaced ? found : { ...found, namespace: '' }
    const query = new URLSearchParams((request.url ?? '').split('?')[1])
    const asked = { request, response, query, of, attributes }
    try {
      if (attributes.subresource === 'log') this.#readLog(asked)
      else if (attributes.verb === 'watch') this.#watch(asked)
      else if (attributes.verb === 'list') this.#list(asked)
      else if (attributes.verb === 'get') this.#get(asked)
      else {
        const contentType = (request.headers['content-type'] ?? '').split(';')[0] ?? ''
        const { code, body: answer } = applyChange(this.#objects, { of, attributes, query, contentType, body })
        sendJson(response, code, answer)
      }
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      sendStatus(response, error.code, error.reason, error.message)
    }
  }

  #get({ request, response, attributes }: Asked): void {
    const { resource, namespace, name } = attributes
    const known = this.#objects.get(resource, namespace, name)
    if (!known) throw new Refused(404, 'NotFound', `${resource} "${name}" not found`)
    sendJson(response, 200, asksTable(request) ? toTable([known], this.#objects.version) : known)
  }

  #list({ request, response, query, of, attributes }: Asked): void {
    const objects = this.#objects.list(of.resource, attributes.namespace).filter((one) => isSelected(one, query))
    const { version } = this.#objects
    sendJson(response, 200, asksTable(request) ? toTable(objects, version) : toList(of, objects, version))
  }

  #watch({ request, response, query, of, attributes: { namespace } }: Asked): void {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.flushHeaders()
    const send = (type: string, object: object) => void response.write(`${JSON.stringify({ type, object })}\n`)
    const shown = (object: KubernetesObject) => (asksTable(request) ? toTable([object], this.#objects.version) : object)
    const tell = ({ type, resource, object }: WatchEvent) => {
      if (resource !== of.resource || (namespace !== '' && object.metadata.namespace !== namespace)) return
      if (isSelected(object, query)) send(type, shown(object))
    }
    const sendsInitial = query.get('sendInitialEvents') === 'true'
    const since = Number(query.get('resourceVersion') ?? 0)
    if (sendsInitial || since === 0)
      for (const object of this.#objects.list(of.resource, namespace))
        tell({ type: 'ADDED', resource: of.resource, object })
    if (sendsInitial) send('BOOKMARK', initialEnd(of, this.#objects.version))
    this.#keep(response, this.#objects.watch(tell, sendsInitial || since === 0 ? undefined : since))
  }

  #readLog({ response, query, attributes: { namespace, name } }: Asked): void {
    if (!this.#objects.get('pods', namespace, name)) throw new Refused(404, 'NotFound', `pods "${name}" not found`)
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

/** Behind the events that stand for a list. */
function initialEnd({ kind, group, version }: ResourceType, resourceVersion: string): object {
  const annotations = { 'k8s.io/initial-events-end': 'true' }
  return {
    kind,
    apiVersion: group === '' ? version : `${group}/${version}`,
    metadata: { resourceVersion, annotations },
  }
}
