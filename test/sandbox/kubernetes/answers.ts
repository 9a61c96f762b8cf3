import type { IncomingMessage, ServerResponse } from 'node:http'
import type { KubernetesObject, ResourceType } from './objects.ts'

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
