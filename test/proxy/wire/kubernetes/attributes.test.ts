/** Vectors of RequestInfo as the API server's own tests and its audit log have them, and what is refused instead. */
import t from 'tap'
import { type RequestAttributes, readAttributes } from '../../../../proxy/wire/kubernetes/attributes.ts'
import { readExecOptions, readForwardPorts } from '../../../../proxy/wire/kubernetes/stream-options.ts'
import { WireError } from '../../../../proxy/wire/wire-error.ts'
import fc from '../../../fast-check.ts'

/** Verb, group, version, namespace, resource, subresource, name; `verb path` of others. */
function shown(request: RequestAttributes): string {
  if (!request.isResource) return `${request.verb} /${request.segments.join('/')}`
  const { verb, group, version, namespace, resource, subresource, name } = request
  return [verb, group, version, namespace, resource, subresource, name].join('|')
}

const read: readonly (readonly [method: string, url: string, expected: string])[] = [
  // apiserver, pkg/endpoints/request/requestinfo_test.go
  ['GET', '/api/v1/namespaces', 'list||v1||namespaces||'],
  ['GET', '/api/v1/namespaces/other', 'get||v1|other|namespaces||other'],
  ['GET', '/api/v1/namespaces/other/pods', 'list||v1|other|pods||'],
  ['GET', '/api/v1/namespaces/other/pods/foo', 'get||v1|other|pods||foo'],
  ['HEAD', '/api/v1/namespaces/other/pods/foo', 'get||v1|other|pods||foo'],
  ['GET', '/api/v1/pods', 'list||v1||pods||'],
  ['HEAD', '/api/v1/pods', 'list||v1||pods||'],
  ['GET', '/api/v1/proxy/namespaces/other/pods/foo', 'proxy||v1|other|pods||foo'],
  ['GET', '/api/v1/proxy/namespaces/other/pods/foo/subpath/not/a/subresource', 'proxy||v1|other|pods||foo'],
  ['GET', '/api/v1/watch/pods', 'watch||v1||pods||'],
  ['GET', '/api/v1/pods?watch=true', 'watch||v1||pods||'],
  ['GET', '/api/v1/pods?watch=false', 'list||v1||pods||'],
  ['GET', '/api/v1/watch/namespaces/other/pods', 'watch||v1|other|pods||'],
  ['GET', '/api/v1/namespaces/other/pods?watch=1', 'watch||v1|other|pods||'],
  ['GET', '/api/v1/namespaces/other/pods?watch=0', 'list||v1|other|pods||'],
  ['PUT', '/api/v1/namespaces/other/finalize', 'update||v1|other|namespaces|finalize|other'],
  ['PUT', '/api/v1/namespaces/other/status', 'update||v1|other|namespaces|status|other'],
  ['PUT', '/api/v1/namespaces/other/pods/foo/status', 'update||v1|other|pods|status|foo'],
  ['POST', '/api/v1/namespaces/other/pods', 'create||v1|other|pods||'],
  ['PATCH', '/api/v1/namespaces/other/pods/foo', 'patch||v1|other|pods||foo'],
  ['DELETE', '/api/v1/namespaces/other/pods/foo', 'delete||v1|other|pods||foo'],
  ['DELETE', '/api/v1/nodes', 'deletecollection||v1||nodes||'],
  ['DELETE', '/api/v1/namespaces', 'deletecollection||v1||namespaces||'],
  ['DELETE', '/api/v1/namespaces/other/pods', 'deletecollection||v1|other|pods||'],
  ['DELETE', '/apis/extensions/v1beta1/namespaces/other/pods', 'deletecollection|extensions|v1beta1|other|pods||'],
  ['GET', '/apis/extensions/v1/namespaces/other/pods/foo', 'get|extensions|v1|other|pods||foo'],
  ['GET', '/apis/apps/v1/deployments', 'list|apps|v1||deployments||'],
  ['GET', '/', 'get /'],
  ['GET', '/api', 'get /api'],
  ['GET', '/api/v1', 'get /api/v1'],
  ['GET', '/apis/apps/v1', 'get /apis/apps/v1'],
  ['POST', '/version', 'post /version'],
  ['GET', '/healthz/ping', 'get /healthz/ping'],
  // The API server's audit log
  ['GET', '/api/v1/namespaces/default/pods/', 'list||v1|default|pods||'],
  ['GET', '/api/v1/pods?watch', 'watch||v1||pods||'],
  ['GET', '/api/v1/pods?watch=TRUE', 'watch||v1||pods||'],
  ['GET', '/api/v1/pods?watch=yes', 'watch||v1||pods||'],
  ['GET', '/api/v1/pods?watch=False', 'list||v1||pods||'],
  ['GET', '/api/v1/pods?watch=', 'watch||v1||pods||'],
  ['GET', '/api/v1/pods?w%61tch=1', 'watch||v1||pods||'],
  ['GET', '/api/v1/secrets?fieldSelector=metadata.name%3Dx', 'list||v1||secrets||x'],
  ['GET', '/api/v1/secrets?fieldSelector=metadata.name%3D%3Dx&watch=1', 'watch||v1||secrets||x'],
  ['GET', '/api/v1/secrets?fieldSelector=type%3Da%2Cmetadata.name%3Dx', 'list||v1||secrets||x'],
  ['GET', '/api/v1/secrets?fieldSelector=metadata.name!%3Dx', 'list||v1||secrets||'],
  ['GET', '/api/v1/secrets?fieldSelector=type%3Da%5C%2Cmetadata.name%3Dx', 'list||v1||secrets||'],
  ['GET', '/api/v1/secrets?fieldSelector=metadata.name%3D..', 'list||v1||secrets||'],
  ['GET', '/api/v1/secrets?fieldSelector=metadata.name%3Da%252Fb', 'list||v1||secrets||'],
  ['GET', '/api/v1/secrets/y?fieldSelector=metadata.name%3Dx&watch=1', 'get||v1||secrets||y'],
  ['DELETE', '/api/v1/namespaces/a/secrets?fieldSelector=metadata.name%3Dx', 'deletecollection||v1|a|secrets||'],
  [
    'GET',
    '/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode',
    'get|rbac.authorization.k8s.io|v1||clusterroles||system:node',
  ],
  ['GET', '/api/v1/namespaces/a/pods/p/exec?command=id', 'get||v1|a|pods|exec|p'],
  ['POST', '/api/v1/namespaces/a/pods/p/portforward', 'create||v1|a|pods|portforward|p'],
  ['GET', '/api/v1/namespaces/a/services/https:s:443/proxy/deep/path', 'get||v1|a|services|proxy|https:s:443'],
  ['GET', '/api/v1/nodes/n/proxy/run/a/b/c', 'get||v1||nodes|proxy|n'],
  ['POST', '/api/v1/namespaces/a/serviceaccounts/s/token', 'create||v1|a|serviceaccounts|token|s'],
  ['GET', '/api/v1/watch/namespaces/a/pods/p/exec', 'watch||v1|a|pods|exec|p'],
  ['OPTIONS', '/api/v1/pods', '||v1||pods||'],
  ['GET', '/api/v1/%70ods', 'list||v1||pods||'],
]

for (const [method, url, expected] of read)
  t.test(`§8.6: ${method} ${url}`, async (t) => {
    const request = readAttributes(method, url)
    t.equal(shown(request), expected)
    t.equal(
      `${request.path}${request.query === '' ? '' : '?'}${request.query}`,
      url.replace(/\?$/, ''),
      'goes on as it came',
    )
  })

const refused: readonly (readonly [what: string, url: string])[] = [
  ['trap 3: an escaped slash', '/api/v1/namespaces/default%2Fpods'],
  ['an escaped slash in lower case', '/api/v1/namespaces/default%2fpods'],
  ['an escaped backslash', '/api/v1/namespaces/default%5Cpods'],
  ['NUL', '/api/v1/pods/a%00'],
  ['a control character', '/api/v1/pods/a%0ab'],
  ['DEL', '/api/v1/pods/a%7F'],
  ['a doubled escape', '/api/v1/namespaces/default%252Fpods'],
  ['a percent sign', '/api/v1/pods/a%25'],
  ['half an escape', '/api/v1/pods/a%2'],
  ['bytes that are no UTF-8', '/api/v1/pods/%ff'],
  ['an overlong slash', '/api/v1/namespaces/default%c0%afpods'],
  ['an empty segment', '/api/v1//pods'],
  ['two slashes at the beginning', '//api/v1/pods'],
  ['two slashes at the end', '/api/v1/pods//'],
  ['two slashes alone', '//'],
  ['a dot', '/api/v1/./pods'],
  ['two dots', '/api/v1/pods/../secrets'],
  ['escaped dots', '/api/v1/pods/%2e%2E/secrets'],
  ['capitals in the prefix', '/API/v1/pods'],
  ['capitals in a resource', '/api/v1/Pods'],
  ['capitals in a subresource', '/api/v1/namespaces/a/pods/p/Exec'],
  ['capitals in a group', '/apis/Apps/v1/deployments'],
  ['capitals in a namespace', '/api/v1/namespaces/A/pods'],
  ['a verb in the path without a resource', '/api/v1/watch'],
  ['a backslash', '/api\\v1/pods'],
  ['a space', '/api/v1/pods/a b'],
  ['a letter beyond ASCII', '/api/v1/pods/é'],
  ['a fragment', '/api/v1/pods#/secrets'],
  ['a fragment in the query', '/api/v1/pods?a#b'],
  ['another form of URL', 'http://cluster/api/v1/pods'],
  ['no path', 'api/v1/pods'],
  ['nothing', ''],
  ['an asterisk', '*'],
  ['watch twice', '/api/v1/pods?watch=false&watch=true'],
  ['fieldSelector twice', '/api/v1/pods?fieldSelector=metadata.name%3Da&fieldSelector=x'],
  ['a semicolon in the query', '/api/v1/pods?limit=1;watch=true'],
  ['half an escape in the query', '/api/v1/pods?watch=%2'],
]

for (const [what, url] of refused)
  t.test(`§8.6: ${what} is refused: ${url}`, async (t) => {
    t.throws(() => readAttributes('GET', url), WireError)
  })

t.test('exec: the words of the command, the container, and which streams', async (t) => {
  const query =
    'command=sh&command=-c&command=echo+%22a+b%22%3B+cat&container=app&stdin=true&stdout=1&stderr=false&tty=0'
  t.same(readExecOptions(query), {
    command: ['sh', '-c', 'echo "a b"; cat'],
    container: 'app',
    stdin: true,
    stdout: true,
    stderr: false,
    tty: false,
  })
  t.same(readExecOptions(''), { command: [], container: '', stdin: false, stdout: false, stderr: false, tty: false })
  for (const twice of ['tty=1&tty=0', 'container=a&container=b', 'stdin&stdin'])
    t.throws(() => readExecOptions(twice), WireError)
})

t.test('ports of a forwarding websocket', async (t) => {
  t.same(readForwardPorts('ports=80,443&ports=8080'), [80, 443, 8080])
  t.same(readForwardPorts(''), [])
  for (const wrong of ['0', '65536', '080', '', '-1', '1e3', '80,'])
    t.throws(() => readForwardPorts(`ports=${wrong}`), WireError)
  t.throws(() => readForwardPorts(`ports=${Array(257).fill('1').join()}`), WireError)
})

const name = fc
  .stringMatching(/^[a-z]([a-z0-9-]{0,7}[a-z0-9])?$/)
  .filter((name) => !/^(?:proxy|watch|namespaces|status|finalize)$/.test(name))
const escaped = (text: string) => text.replace(/./g, (c) => `%${c.charCodeAt(0).toString(16)}`)

t.test('what is escaped without need means the same', async () => {
  fc.assert(
    fc.property(name, name, name, fc.boolean(), (namespace, resource, object, isExec) => {
      const end = isExec ? '/exec' : ''
      const plain = readAttributes('GET', `/api/v1/namespaces/${namespace}/${resource}/${object}${end}`)
      const other = readAttributes(
        'GET',
        `/api/v1/n%61mespaces/${escaped(namespace)}/${escaped(resource)}/${escaped(object)}${end}`,
      )
      return (
        shown(plain) === shown(other) &&
        shown(plain) === `get||v1|${namespace}|${resource}|${isExec ? 'exec' : ''}|${object}`
      )
    }),
  )
})
