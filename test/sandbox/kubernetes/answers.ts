import type { IncomingMessage, ServerResponse } from 'node:http'
import { type KubernetesObject, type ResourceType, resourceTypes } from './objects.ts'

/** Answers with JSON. */
export function sendJson(response: ServerResponse, status: number, value: object, type = 'application/json'): void {
  const body = JSON.stringify(value)
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) })
  response.end(body)
}

export function sendStatus(response: ServerResponse, code: number, reason: string, message: string): void {
  sendJson(response, code, failure(code, reason, message))
}

/** A `Status` that tells of a failure. */
export function failure(code: number, reason: string, message: string): object {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code }
}

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']

/** Discovery in its old form, which every kubectl takes; null: no such path. */
export function discovery(path: string): object | null {
  if (path === '/api') return { kind: 'APIVersions', versions: ['v1'] }
  if (path === '/apis') return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups().map(groupOf) }
  if (path === '/api/v1') return resourceList('')
  const [, group, version] = /^\/apis\/([^/]+)\/([^/]+)$/.exec(path) ?? []
  if (group !== undefined && version === 'v1' && groups().includes(group)) return resourceList(group)
  return null
}

function groups(): string[] {
  return [...new Set(resourceTypes.map(({ group }) => group))].filter((group) => group !== '')
}

function groupOf(name: string): object {
  const version = { groupVersion: `${name}/v1`, version: 'v1' }
  return { name, versions: [version], preferredVersion: version }
}

function resourceList(group: string): object {
  const resources = resourceTypes
    .filter((one) => one.group === group)
    .flatMap((one) => [
      entryOf(one),
      ...one.subresources.map((subresource) => ({
        ...entryOf(one),
        name: `${one.resource}/${subresource}`,
        singularName: '',
        verbs: ['get', 'create', 'update', 'patch'],
      })),
    ])
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: group === '' ? 'v1' : `${group}/v1`,
    resources,
  }
}

function entryOf({ resource, kind, isNamespaced, shortNames }: ResourceType): object {
  return { name: resource, singularName: kind.toLowerCase(), namespaced: isNamespaced, kind, verbs, shortNames }
}

export function asksTable({ headers }: IncomingMessage): boolean {
  return /as=Table/.test(headers.accept ?? '')
}

/** As `kubectl get` asks for it. */
export function toTable(objects: readonly KubernetesObject[], resourceVersion: string): object {
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: { resourceVersion },
    columnDefinitions: [
      { name: 'Name', type: 'string', format: 'name', description: '', priority: 0 },
      { name: 'Status', type: 'string', format: '', description: '', priority: 0 },
    ],
    rows: objects.map((object) => ({
      cells: [object.metadata.name, (object.status as { phase?: string } | undefined)?.phase ?? 'Active'],
      object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata },
    })),
  }
}

export function toList(of: ResourceType, objects: readonly KubernetesObject[], resourceVersion: string): object {
  const apiVersion = of.group === '' ? of.version : `${of.group}/${of.version}`
  return { kind: `${of.kind}List`, apiVersion, metadata: { resourceVersion }, items: objects }
}
