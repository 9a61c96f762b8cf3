import { isDeepStrictEqual } from 'node:util'

/** What a cluster holds, in the shape of its API. */
export interface KubernetesObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly uid: string
    readonly resourceVersion: string
    readonly creationTimestamp: string
    /** Of the spec. */
    readonly generation: number
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly [member: string]: unknown
}

export interface ResourceType {
  /** Empty: core. */
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly kind: string
  readonly isNamespaced: boolean
  readonly shortNames: readonly string[]
  readonly subresources: readonly string[]
}

export const resourceTypes: readonly ResourceType[] = [
  type('', 'pods', 'Pod', true, ['po'], ['log', 'exec', 'attach', 'portforward', 'status']),
  type('', 'services', 'Service', true, ['svc']),
  type('', 'configmaps', 'ConfigMap', true, ['cm']),
  type('', 'secrets', 'Secret', true),
  type('', 'events', 'Event', true, ['ev']),
  type('', 'namespaces', 'Namespace', false, ['ns']),
  type('', 'nodes', 'Node', false, ['no']),
  type('', 'serviceaccounts', 'ServiceAccount', true, ['sa']),
  type('apps', 'deployments', 'Deployment', true, ['deploy'], ['scale', 'status']),
  type('apps', 'replicasets', 'ReplicaSet', true, ['rs']),
  type('authorization.k8s.io', 'selfsubjectaccessreviews', 'SelfSubjectAccessReview', false),
]

function type(
  group: string,
  resource: string,
  kind: string,
  isNamespaced: boolean,
  shortNames: string[] = [],
  subresources: string[] = [],
): ResourceType {
  return { group, version: 'v1', resource, kind, isNamespaced, shortNames, subresources }
}

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly resource: string
  readonly object: KubernetesObject
}

type Listener = (event: WatchEvent) => void

/** The objects of one cluster, in memory. */
export class ObjectStore {
  readonly #byKey = new Map<string, { readonly resource: string; readonly object: KubernetesObject }>()
  readonly #listeners = new Set<Listener>()
  readonly #events: { readonly version: number; readonly event: WatchEvent }[] = []
  #version = 100

  get version(): string {
    return String(this.#version)
  }

  list(resource: string, namespace: string): KubernetesObject[] {
    return [...this.#byKey.values()]
      .filter((one) => one.resource === resource && (namespace === '' || one.object.metadata.namespace === namespace))
      .map(({ object }) => object)
  }

  get(resource: string, namespace: string, name: string): KubernetesObject | undefined {
    return this.#byKey.get(`${resource} ${namespace} ${name}`)?.object
  }

  /** Makes or replaces it. @param given as clients send it @param isDry nothing is kept */
  put(
    of: ResourceType,
    namespace: string,
    name: string,
    given: Readonly<Record<string, unknown>>,
    isDry = false,
  ): KubernetesObject {
    const known = this.get(of.resource, namespace, name)
    if (!isDry) this.#version += 1
    const isSame = isDeepStrictEqual(known?.spec, given.spec)
    const metadata = {
      ...((given.metadata ?? {}) as object),
      name,
      ...(of.isNamespaced ? { namespace } : {}),
      uid: known?.metadata.uid ?? `00000000-0000-4000-8000-${String(this.#version).padStart(12, '0')}`,
      resourceVersion: this.version,
      creationTimestamp: known?.metadata.creationTimestamp ?? '2026-01-15T12:00:00Z',
      generation: (known?.metadata.generation ?? 0) + (known && isSame ? 0 : 1),
    }
    const apiVersion = of.group === '' ? of.version : `${of.group}/${of.version}`
    const object: KubernetesObject = { ...given, apiVersion, kind: of.kind, metadata }
    if (isDry) return object
    this.#byKey.set(`${of.resource} ${namespace} ${name}`, { resource: of.resource, object })
    this.#tell({ type: known ? 'MODIFIED' : 'ADDED', resource: of.resource, object })
    return object
  }

  delete(of: ResourceType, namespace: string, name: string): KubernetesObject | undefined {
    const object = this.get(of.resource, namespace, name)
    if (!object) return undefined
    this.#version += 1
    this.#byKey.delete(`${of.resource} ${namespace} ${name}`)
    this.#tell({ type: 'DELETED', resource: of.resource, object })
    return object
  }

  /** @param since only what came after this version; by default what comes from now on @returns stops it */
  watch(listener: Listener, since = this.#version): () => void {
    for (const { version, event } of this.#events) if (version > since) listener(event)
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  #tell(event: WatchEvent): void {
    this.#events.push({ version: this.#version, event })
    for (const listener of this.#listeners) listener(event)
  }
}
