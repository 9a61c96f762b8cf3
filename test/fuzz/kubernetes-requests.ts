import fc from '../fast-check.ts'

const word = fc.constantFrom(
  ...[
    'api',
    'apis',
    'v1',
    'apps',
    'namespaces',
    'watch',
    'proxy',
    'pods',
    'secrets',
    'a',
    'status',
    'finalize',
    'exec',
  ],
  ...[
    'system:node',
    'Pods',
    'a.b',
    '',
    '.',
    '..',
    'a%2Fb',
    'a%5cb',
    'a%00',
    'a%25',
    '%61pps',
    '%ff',
    '%',
    'a b',
    'Ä',
    'x~y',
    'API',
  ],
)
const begin = fc.constantFrom('/api/v1/', '/apis/apps/v1/', '/api/v1/namespaces/a/', '/api/v1/watch/', '/', '', '//')
const query = fc.constantFrom(
  ...[
    '',
    '',
    '',
    '?',
    '?watch',
    '?watch=1',
    '?watch=False',
    '?watch=0&x=y',
    '?w%61tch=true',
    '?watch=1&watch=0',
    '?watch=%',
    '?a;b',
  ],
  ...[
    '?fieldSelector=metadata.name%3Dx',
    '?fieldSelector=metadata.name=x&watch=1',
    '?fieldSelector=a%3Db,metadata.name%3D%3Dx',
  ],
)

/** Method and URL, mostly of objects. */
export const likelyRequest = fc.tuple(
  fc.constantFrom('GET', 'GET', 'GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'),
  fc
    .tuple(begin, fc.array(word, { maxLength: 6 }), fc.constantFrom('', '', '', '/'), query)
    .map(([begin, words, end, query]) => `${begin}${words.join('/')}${end}${query}`),
)

/** The rules of the API server and of the broker, said a second time, without care for speed. Null: refused. */
export function readRequest(method: string, url: string): object | null {
  const [, path = '', , query = ''] = /^([^?]*)(\?(.*))?$/.exec(url) ?? []
  const pairs = query.split('&').filter((pair) => pair !== '')
  const values = (name: string) =>
    pairs.flatMap((pair) => {
      const [key = '', ...rest] = pair.split('=')
      return decodeURIComponent(key) === name ? [decodeURIComponent(rest.join('='))] : []
    })
  if (/[; ]|%$/.test(query) || path.includes('%ff') || /[ Ä]|%(?![0-9a-f]{2})/i.test(path)) return null
  if (!path.startsWith('/') || /\/\//.test(path) || /%2f|%5c|%00|%25/i.test(path)) return null
  const words = path
    .split('/')
    .filter((word) => word !== '')
    .map(decodeURIComponent)
  if (words.includes('.') || words.includes('..') || ['API', 'APIS'].includes(words[0] ?? '')) return null
  const isCore = words[0] === 'api'
  if ((!isCore && words[0] !== 'apis') || words.length < (isCore ? 3 : 4))
    return { isResource: false, verb: method.toLowerCase(), segments: words }
  const [group, version, ...rest] = isCore ? ['', ...words.slice(1)] : words.slice(1)
  const verbInPath = rest[0] === 'watch' || rest[0] === 'proxy' ? rest.shift() : undefined
  if (rest.length === 0) return null
  const namespace = rest[0] === 'namespaces' ? (rest[1] ?? '') : ''
  const parts = namespace !== '' && rest[2] !== undefined && !/^(status|finalize)$/.test(rest[2]) ? rest.slice(2) : rest
  const subresource = verbInPath === 'proxy' ? '' : (parts[2] ?? '')
  const isName = (name = '') => name === '' || /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(name)
  const isPlural = (name = '') => name === '' || /^[a-z][a-z0-9-]*$/.test(name)
  if (![group, version, namespace].every(isName) || ![parts[0], subresource].every(isPlural)) return null
  const usual =
    { GET: 'get', HEAD: 'get', POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' }[method] ?? ''
  let verb = verbInPath ?? usual
  let name = parts[1] ?? ''
  if (name === '' && verb === 'delete') verb = 'deletecollection'
  if (name === '' && verb === 'get') {
    const [watch] = values('watch')
    if (values('watch').length > 1) return null
    verb = watch === undefined || watch === '0' || watch.toLowerCase() === 'false' ? 'list' : 'watch'
    name = /(?:^|,)metadata\.name==?([a-z]+)/.exec(values('fieldSelector')[0] ?? '')?.[1] ?? ''
  }
  return { isResource: true, group, version, namespace, resource: parts[0], name, subresource, verb }
}
