/**
 * What a request to the Kubernetes API server asks for, by the algorithm of its own RequestInfoFactory (apiserver,
 * pkg/endpoints/request/requestinfo.go), so that both judge the same. Names that it would take and no cluster has are refused here.
 */
import { WireError } from '../wire-error.ts'
import { fieldSelectorName } from './field-selector.ts'
import { flag, type RequestTarget, readQuery, single, splitPath, splitTarget } from './path.ts'

/** A request for objects. */
export interface ResourceRequest extends RequestTarget {
  readonly isResource: true
  /** `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`, `proxy`; empty for methods that mean none. */
  readonly verb: string
  /** Empty: the core group. */
  readonly group: string
  readonly version: string
  /** Empty: of the cluster, or of all namespaces. */
  readonly namespace: string
  readonly resource: string
  readonly subresource: string
  /** Empty: all, or one that is in the body. */
  readonly name: string
}

/** Any other: discovery, health, version. */
export interface OtherRequest extends RequestTarget {
  readonly isResource: false
  /** The method in lower case. */
  readonly verb: string
  /** Of the path, decoded. */
  readonly segments: readonly string[]
}

export type RequestAttributes = ResourceRequest | OtherRequest

const verbs: Readonly<Record<string, string>> = {
  POST: 'create',
  GET: 'get',
  HEAD: 'get',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
}
const verbsInPath = ['proxy', 'watch']
const namespaceSubresources = ['status', 'finalize']

/** RFC 1123 subdomains: groups, versions, namespaces. */
const subdomain = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/
/** Resources and subresources; some have no letter in common with RFC 1123 but none has capitals. */
const plural = /^[a-z][a-z0-9-]*$/

/**
 * @param url of the request line, without what leads to the cluster
 * @throws WireError for what cannot be classified without doubt: escaped slashes, dots, empty segments, capitals …
 */
export function readAttributes(method: string, url: string): RequestAttributes {
  const target = splitTarget(url)
  const parameters = readQuery(target.query)
  const segments = splitPath(target.path)
  const [prefix = '', ...parts] = segments
  const isCore = prefix === 'api'
  const isGrouped = prefix === 'apis'
  if (!isCore && !isGrouped && /^apis?$/i.test(prefix)) throw new WireError('the path has capitals where none belong')
  if (!(isCore || isGrouped) || parts.length < (isCore ? 2 : 3))
    return { ...target, isResource: false, verb: method.toLowerCase(), segments }
  const group = isGrouped ? (parts.shift() ?? '') : ''
  const version = parts.shift() ?? ''
  const verbInPath = verbsInPath.find((verb) => verb === parts[0])
  if (verbInPath !== undefined) parts.shift()
  if (parts.length === 0) throw new WireError('the path names no resource')
  const placed = place(parts, verbInPath === 'proxy')
  mustMatch(subdomain, group, version, placed.namespace)
  mustMatch(plural, placed.resource, placed.subresource)
  return {
    ...target,
    isResource: true,
    group,
    version,
    ...placed,
    ...completeVerb(verbInPath ?? verbs[method] ?? '', placed.name, parameters),
  }
}

type Placed = Pick<ResourceRequest, 'namespace' | 'resource' | 'subresource' | 'name'>

function place(parts: readonly string[], isProxy: boolean): Placed {
  const namespace = parts[0] === 'namespaces' ? (parts[1] ?? '') : ''
  const isWithin = namespace !== '' && parts.length > 2 && !namespaceSubresources.includes(parts[2] ?? '')
  const [resource = '', name = '', subresource = ''] = isWithin ? parts.slice(2) : parts
  // What follows the name in the old form of proxy is the path of the other server.
  return { namespace, resource, name, subresource: isProxy ? '' : subresource }
}

type VerbAndName = Pick<ResourceRequest, 'verb' | 'name'>

function completeVerb(verb: string, name: string, parameters: ReadonlyMap<string, readonly string[]>): VerbAndName {
  if (name !== '') return { verb, name }
  if (verb === 'delete') return { verb: 'deletecollection', name }
  if (verb !== 'get') return { verb, name }
  return {
    verb: flag(parameters, 'watch') ? 'watch' : 'list',
    name: fieldSelectorName(single(parameters, 'fieldSelector') ?? ''),
  }
}

function mustMatch(pattern: RegExp, ...names: readonly string[]): void {
  for (const name of names)
    if (name !== '' && !pattern.test(name)) throw new WireError('the path has a name that no API has')
}
