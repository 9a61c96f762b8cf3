/** Of which resource a request is: the API server's `RequestInfo` (staging/src/k8s.io/apiserver/pkg/endpoints/request). */
export interface RequestAttributes {
  readonly verb: string
  /** Empty: core. */
  readonly group: string
  readonly version: string
  readonly namespace: string
  readonly resource: string
  readonly name: string
  readonly subresource: string
}

const verbs: Readonly<Record<string, string>> = {
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
}

/** @param target path and query as they came @returns null: it is of no resource, or is not a path */
export function attributesOf(method: string, target: string): RequestAttributes | null {
  const [path = '', query = ''] = target.split('?')
  const parts = decode(path)
    .replaceAll(/^\/+|\/+$/g, '')
    .split('/')
  const prefix = parts.shift()
  if (prefix !== 'api' && prefix !== 'apis') return null
  const group = prefix === 'apis' ? (parts.shift() ?? '') : ''
  const version = parts.shift() ?? ''
  if (parts.length === 0) return null
  let verb = verbs[method] ?? ''
  let namespace = ''
  if (parts[0] === 'namespaces' && parts.length > 1) {
    namespace = parts[1] ?? ''
    if (parts.length > 2 && parts[2] !== 'status' && parts[2] !== 'finalize') parts.splice(0, 2)
    else namespace = ''
  }
  const [resource = '', name = '', subresource = ''] = parts
  const watch = new URLSearchParams(query).get('watch')
  if (verb === 'get' && name === '') verb = watch !== null && watch !== 'false' && watch !== '0' ? 'watch' : 'list'
  if (verb === 'delete' && name === '') verb = 'deletecollection'
  return { verb, group, version, namespace, resource, name, subresource }
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return ''
  }
}
