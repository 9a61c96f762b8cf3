import { parse } from 'yaml'
import type { RequestAttributes } from './attributes.ts'
import { jsonPatch, mergePatch, strategicMerge } from './merge.ts'
import type { KubernetesObject, ObjectStore, ResourceType } from './objects.ts'
import { readProtobuf } from './protobuf.ts'
import { isSelected } from './selectors.ts'

/** A request that changes objects. */
export interface Change {
  readonly of: ResourceType
  readonly attributes: RequestAttributes
  readonly query: URLSearchParams
  readonly contentType: string
  readonly body: Buffer
}

export interface Answered {
  readonly code: number
  readonly body: object
}

/** Why it is not done, as a `Status` tells it. */
export class Refused extends Error {
  readonly code: number
  readonly reason: string

  constructor(code: number, reason: string, message: string) {
    super(message)
    this.code = code
    this.reason = reason
  }
}

/** @throws Refused */
export function applyChange(objects: ObjectStore, change: Change): Answered {
  const { verb } = change.attributes
  if (verb === 'create') return create(objects, change)
  if (verb === 'update') return update(objects, change)
  if (verb === 'patch') return patch(objects, change)
  if (verb === 'delete') return remove(objects, change)
  if (verb === 'deletecollection') return removeAll(objects, change)
  throw new Refused(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource')
}

function create(objects: ObjectStore, change: Change): Answered {
  const { of, attributes, query } = change
  const { namespace, resource } = attributes
  const given = readGiven(change)
  const metadata = (given.metadata ?? {}) as { name?: string; generateName?: string }
  const name = metadata.name ?? `${metadata.generateName ?? ''}x${objects.version}`
  if (objects.get(resource, namespace, name))
    throw new Refused(409, 'AlreadyExists', `${resource} "${name}" already exists`)
  if (of.isNamespaced && !objects.get('namespaces', '', namespace))
    throw new Refused(404, 'NotFound', `namespaces "${namespace}" not found`)
  return { code: 201, body: keep(objects, of, namespace, name, given, query) }
}

function update(objects: ObjectStore, change: Change): Answered {
  const { of, attributes, query } = change
  const given = readGiven(change)
  const known = existing(objects, attributes)
  const version = (given.metadata as { resourceVersion?: string } | undefined)?.resourceVersion ?? ''
  if (version !== '' && version !== known.metadata.resourceVersion)
    throw new Refused(
      409,
      'Conflict',
      `Operation cannot be fulfilled on ${attributes.resource} "${attributes.name}": the object has been modified; ` +
        'please apply your changes to the latest version and try again',
    )
  return { code: 200, body: keep(objects, of, attributes.namespace, attributes.name, given, query) }
}

function patch(objects: ObjectStore, change: Change): Answered {
  const { of, attributes, query, contentType } = change
  const { resource, namespace, name } = attributes
  const given = readPatch(change)
  const known = objects.get(resource, namespace, name)
  const isApply = contentType.startsWith('application/apply-patch')
  if (isApply && !query.get('fieldManager'))
    throw new Refused(422, 'Invalid', 'fieldManager: Required value: is required for apply patch')
  const target = isApply ? known : existing(objects, attributes)
  const merged = isApply || contentType === 'application/strategic-merge-patch+json' ? strategicMerge : mergePatch
  const patched = Array.isArray(given) ? jsonPatch(target, given) : merged(target, given)
  return { code: known ? 200 : 201, body: keep(objects, of, namespace, name, patched as Given, query) }
}

function remove(objects: ObjectStore, { of, attributes, query }: Change): Answered {
  const { metadata } = existing(objects, attributes)
  if (!isDry(query)) objects.delete(of, attributes.namespace, attributes.name)
  const details = { name: attributes.name, kind: attributes.resource, uid: metadata.uid }
  return { code: 200, body: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details } }
}

function removeAll(objects: ObjectStore, { of, attributes, query }: Change): Answered {
  const selected = objects.list(of.resource, attributes.namespace).filter((one) => isSelected(one, query))
  for (const { metadata } of isDry(query) ? [] : selected) objects.delete(of, metadata.namespace ?? '', metadata.name)
  return { code: 200, body: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' } }
}

type Given = Readonly<Record<string, unknown>>

function keep(
  objects: ObjectStore,
  of: ResourceType,
  namespace: string,
  name: string,
  given: Given,
  query: URLSearchParams,
): KubernetesObject {
  return objects.put(of, namespace, name, of.resource === 'deployments' ? rolledOut(given) : given, isDry(query))
}

/** Nothing runs its pods: they are said to be ready. */
function rolledOut(given: Given): Given {
  const { replicas = 1 } = (given.spec ?? {}) as { replicas?: number }
  const counts = { replicas, readyReplicas: replicas, updatedReplicas: replicas, availableReplicas: replicas }
  return { ...given, status: { observedGeneration: 1_000_000, ...counts } }
}

function isDry(query: URLSearchParams): boolean {
  return query.get('dryRun') === 'All'
}

function existing(objects: ObjectStore, { resource, namespace, name }: RequestAttributes): KubernetesObject {
  const known = objects.get(resource, namespace, name)
  if (!known) throw new Refused(404, 'NotFound', `${resource} "${name}" not found`)
  return known
}

/** @throws Refused */
function readGiven({ contentType, body }: Change): Given {
  if (contentType === 'application/vnd.kubernetes.protobuf') {
    const given = readProtobuf(body)
    if (given) return given
  } else if (contentType === 'application/json' || contentType === '') return objectOf(body)
  throw new Refused(415, 'UnsupportedMediaType', 'only JSON is here, and a few kinds in protobuf')
}

function readPatch({ contentType, body }: Change): Given | { op: string; path: string }[] {
  if (contentType === 'application/json-patch+json')
    return JSON.parse(body.toString()) as { op: string; path: string }[]
  const known = ['merge-patch+json', 'strategic-merge-patch+json', 'apply-patch+yaml']
  if (!known.some((one) => contentType === `application/${one}`))
    throw new Refused(415, 'UnsupportedMediaType', `the body of the request was in an unknown format: ${contentType}`)
  return objectOf(body)
}

/** YAML, of which JSON is a part. */
function objectOf(body: Buffer): Given {
  let value: unknown
  try {
    value = parse(body.toString())
  } catch {
    throw new Refused(400, 'BadRequest', 'the object provided is unrecognized')
  }
  if (typeof value !== 'object' || value === null) throw new Refused(400, 'BadRequest', 'the body is no object')
  return value as Given
}
