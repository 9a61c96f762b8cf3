import { type ResourceType, resourceTypes } from './objects.ts'

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']

/**
 * Discovery, aggregated where the client takes that, and else in its old form.
 * @param accept of the request
 * @returns null: no such path
 */
export function discovery(path: string, accept: string): { type?: string; body: object } | null {
  const version = /;v=(v2(?:beta1)?);as=APIGroupDiscoveryList/.exec(accept.replaceAll(' ', ''))?.[1]
  if ((path === '/api' || path === '/apis') && version !== undefined)
    return {
      type: `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
      body: aggregated(path === '/api' ? [''] : groups(), version),
    }
  const body = separate(path)
  return body && { body }
}

function separate(path: string): object | null {
  if (path === '/api') return { kind: 'APIVersions', versions: ['v1'] }
  if (path === '/apis') return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups().map(groupOf) }
  if (path === '/api/v1') return resourceList('')
  const [, group, version] = /^\/apis\/([^/]+)\/([^/]+)$/.exec(path) ?? []
  if (group !== undefined && version === 'v1' && groups().includes(group)) return resourceList(group)
  return null
}

function aggregated(names: readonly string[], version: string): object {
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: names.map((name) => ({
      metadata: name === '' ? { creationTimestamp: null } : { name, creationTimestamp: null },
      versions: [{ version: 'v1', freshness: 'Current', resources: typesOf(name).map(discovered) }],
    })),
  }
}

function discovered(of: ResourceType): object {
  const { group, version, resource, kind, isNamespaced, shortNames } = of
  return {
    resource,
    responseKind: { group, version, kind },
    scope: isNamespaced ? 'Namespaced' : 'Cluster',
    singularResource: kind.toLowerCase(),
    verbs: verbsOf(of),
    shortNames,
    subresources: of.subresources.map((subresource) => ({
      subresource,
      responseKind: { group, version, kind },
      verbs: ['get', 'create', 'update', 'patch'],
    })),
  }
}

function groups(): string[] {
  return [...new Set(resourceTypes.map(({ group }) => group))].filter((group) => group !== '')
}

function typesOf(group: string): ResourceType[] {
  return resourceTypes.filter((one) => one.group === group)
}

function groupOf(name: string): object {
  const version = { groupVersion: `${name}/v1`, version: 'v1' }
  return { name, versions: [version], preferredVersion: version }
}

function resourceList(group: string): object {
  const resources = typesOf(group).flatMap((one) => [
    entryOf(one),
    ...one.subresources.map((subresource) => ({
      ...entryOf(one),
      name: `${one.resource}/${subresource}`,
      singularName: '',
      verbs: ['get', 'create', 'update', 'patch'],
    })),
  ])
  const groupVersion = group === '' ? 'v1' : `${group}/v1`
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources }
}

function entryOf(of: ResourceType): object {
  const { resource, kind, isNamespaced, shortNames } = of
  return {
    name: resource,
    singularName: kind.toLowerCase(),
    namespaced: isNamespaced,
    kind,
    verbs: verbsOf(of),
    shortNames,
  }
}

function verbsOf({ resource }: ResourceType): string[] {
  return resource === 'selfsubjectaccessreviews' ? ['create'] : verbs
}
