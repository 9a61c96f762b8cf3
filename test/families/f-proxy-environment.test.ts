/** F10: REST, `credential_process`, websockets and the daemon's own calls go by the same proxy environment. */
import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import t, { type Test } from 'tap'
import { WebSocketServer } from 'ws'
import { openBrokerSocket } from '../../proxy/local/broker-socket.ts'
import { proxyEnvironment, useProxyEnvironment } from '../../proxy/proxy-environment.ts'
import { clientOptions } from '../../src/aws/client-options.ts'
import { createApiClient } from '../../src/cli/api/api-client.ts'
import { quickCall } from '../../src/cli/api/quick-call.ts'
import { createAuthority } from '../sandbox/certificates.ts'

const authority = createAuthority()
setDefaultCACertificates([...getCACertificates('default'), authority.cert])

/** A broker by a name that only the proxy knows, and the proxy, which notes what it was asked. */
async function start(t: Test) {
  const broker = https.createServer(authority.issue(['broker.test']), (request, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(request.method === 'POST' ? '{"answer":1}' : '{"status":"ok"}')
  })
  const sockets = new WebSocketServer({ server: broker })
  const asked: string[] = []
  const proxy = http.createServer((request, response) => {
    asked.push(`plain ${request.url}`)
    response.end('from the proxy')
  })
  proxy.on('connect', (request, socket) => {
    asked.push(`${request.url} ${request.headers['proxy-authorization'] ?? ''}`.trim())
    socket.on('error', () => {})
    const on = connect((broker.address() as AddressInfo).port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      socket.pipe(on).pipe(socket)
    })
    on.on('error', () => socket.destroy())
  })
  for (const server of [broker, proxy]) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => {
      server.close()
      server.closeAllConnections()
    })
  }
  t.teardown(() => {
    for (const socket of sockets.clients) socket.terminate()
  })
  const { port } = proxy.address() as AddressInfo
  return { asked, proxy: `http://127.0.0.1:${port}`, withLogin: `http://ada:s3cret@127.0.0.1:${port}` }
}

/** Sets the variables for one test. */
function setEnv(t: Test, set: Readonly<Record<string, string>>): void {
  const names = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'].flatMap((name) => [name, name.toLowerCase()])
  const before = new Map(names.map((name) => [name, process.env[name]]))
  for (const name of names) delete process.env[name]
  Object.assign(process.env, set)
  const restore = useProxyEnvironment(process.env)
  t.teardown(() => {
    restore()
    for (const [name, value] of before)
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
  })
}

const server = 'https://broker.test'
const ask = {
  server,
  bearer: 'x',
  protocol: 'postgres',
  resourceId: 'orders',
  level: undefined,
  tool: 'x',
  openPort: false,
}

/** The websocket first: the agents keep connections, and it would take that of another. */
async function callAll(): Promise<void> {
  const { socket } = await openBrokerSocket(ask, AbortSignal.timeout(10_000))
  socket.terminate()
  await createApiClient(server, 'x').call('GET /healthz')
  await quickCall({ server, token: 'x' }, 'POST /api/v1/aws/credentials', { body: {} } as never)
}

for (const name of ['HTTPS_PROXY', 'https_proxy'])
  t.test(`F10: REST, credential_process and websocket go by ${name}`, async (t) => {
    const { asked, proxy } = await start(t)
    setEnv(t, { [name]: proxy })
    await callAll()
    t.same(asked, ['broker.test:443', 'broker.test:443', 'broker.test:443'])
  })

t.test('F10: the proxy is given the name and password of its URL, and no error shows them', async (t) => {
  const { asked, withLogin } = await start(t)
  setEnv(t, { HTTPS_PROXY: withLogin })
  await callAll()
  t.match(asked, Array(3).fill(/^broker\.test:443 Basic YWRhOnMzY3JldA==$/))
  setEnv(t, { HTTPS_PROXY: 'http://ada:s3cret@127.0.0.1:1' })
  for (const call of [
    () => createApiClient(server, 'x').call('GET /healthz'),
    () => openBrokerSocket(ask, AbortSignal.timeout(10_000)),
  ]) {
    const error = await call().then(
      () => null,
      (error: Error) => error,
    )
    t.match(error, { message: /cannot reach/ })
    t.notMatch(error?.message, /s3cret/)
  }
})

t.test('F10: AWS, as the daemon calls it, and never its metadata', async (t) => {
  const { asked, proxy } = await start(t)
  setEnv(t, { HTTPS_PROXY: proxy, HTTP_PROXY: proxy })
  const credentials = { accessKeyId: 'AKIA', secretAccessKey: 'x' }
  const sts = new STSClient({
    ...(await clientOptions({ endpoints: {} }, 'sts')),
    region: 'eu-west-1',
    credentials,
    maxAttempts: 1,
  })
  await t.rejects(sts.send(new GetCallerIdentityCommand({})))
  t.same(asked, ['sts.eu-west-1.amazonaws.com:443'])
  asked.splice(0)
  const local = http.createServer((_request, response) => response.end('direct'))
  local.listen(0, '127.0.0.1')
  await once(local, 'listening')
  t.teardown(() => local.close())
  for (const host of ['127.0.0.1', 'localhost'])
    t.equal(await (await fetch(`http://${host}:${(local.address() as AddressInfo).port}`)).text(), 'direct')
  for (const url of ['http://169.254.169.254/', 'http://169.254.170.2/']) {
    const request = http.get(url, { timeout: 200 }, (response) => response.resume())
    request.on('timeout', () => request.destroy())
    request.on('error', () => {})
    await once(request, 'close')
    await fetch(url, { signal: AbortSignal.timeout(200) }).then(
      (response) => response.body?.cancel(),
      () => {},
    )
  }
  t.same(asked, [], 'this machine and the metadata of clouds are asked directly')
})

t.test('F10: NO_PROXY is kept, and there is nothing to do without a proxy', async (t) => {
  const { asked, proxy } = await start(t)
  setEnv(t, { HTTPS_PROXY: proxy, NO_PROXY: '.test,other' })
  for (const call of [
    () => createApiClient(server, 'x').call('GET /healthz'),
    () => openBrokerSocket(ask, AbortSignal.timeout(10_000)),
  ])
    await t.rejects(async () => void (await call()), { message: /cannot reach/ }, 'it is no name that DNS has')
  t.same(asked, [])
  t.equal(proxyEnvironment({ NO_PROXY: 'x', HTTPS_PROXY: '' }), undefined)
  t.match(proxyEnvironment({ http_proxy: 'http://a', NO_PROXY: 'x' }), {
    HTTP_PROXY: 'http://a',
    NO_PROXY: /^x,localhost,/,
  })
})
