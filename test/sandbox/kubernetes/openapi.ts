import { type ResourceType, resourceTypes } from './objects.ts'

/**
 * As much of the schema as clients look for: that each kind's PATCH takes `fieldValidation`, so that they leave validation to the server.
 * @returns null: no such path
 */
export function openApi(path: string): object | null {
  const groups = [...new Set(resourceTypes.map(prefixOf))]
  if (path === '/openapi/v3') {
    const paths = groups.map((prefix) => [prefix, { serverRelativeURL: `/openapi/v3/${prefix}?hash=1` }])
    return { paths: Object.fromEntries(paths) }
  }
  const prefix = groups.find((one) => path === `/openapi/v3/${one}`)
  if (prefix === undefined) return null
  const types = resourceTypes.filter((one) => prefixOf(one) === prefix)
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: 'v1.33.0' },
    paths: Object.fromEntries(types.map((one) => [pathOf(one), operations(one)])),
    components: {
      schemas: Object.fromEntries(types.map((one) => [schemaOf(one), { type: 'object', ...kindOf(one) }])),
    },
  }
}

/** A `gnostic.openapi.v2.Document` of protobuf with swagger 2.0 and a title, and no more: kubectl 1.27 applies nothing without one. */
export const openApiV2 = Buffer.from('\n\x032.0\x12\x15\n\nKubernetes\x12\x07v1.33.0', 'latin1')

function operations(of: ResourceType): object {
  const query = (name: string) => ({ name, in: 'query', schema: { type: 'string' } })
  const operation = { ...kindOf(of, true), parameters: ['dryRun', 'fieldManager', 'fieldValidation'].map(query) }
  return { patch: operation, put: operation }
}

function pathOf({ isNamespaced, resource, ...of }: ResourceType): string {
  return `/${prefixOf(of)}${isNamespaced ? '/namespaces/{namespace}' : ''}/${resource}/{name}`
}

function prefixOf({ group, version }: Pick<ResourceType, 'group' | 'version'>): string {
  return group === '' ? `api/${version}` : `apis/${group}/${version}`
}

function schemaOf({ group, version, kind }: ResourceType): string {
  return `io.k8s.api.${group === '' ? 'core' : group.split('.')[0]}.${version}.${kind}`
}

/** Of an operation it is one, of a schema a list. */
function kindOf({ group, version, kind }: ResourceType, isOne = false): object {
  const named = { group, version, kind }
  return { 'x-kubernetes-group-version-kind': isOne ? named : [named] }
}
