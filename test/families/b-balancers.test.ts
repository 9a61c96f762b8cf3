/** B4: limits and ranges of addresses see the client behind a balancer: the PROXY protocol, in front of TLS, of HTTP and of a real daemon. */
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { type RequestOptions, request } from 'node:http'
import { request as requestTls } from 'node:https'
import { type AddressInfo, connect, createServer, Socket } from 'node:net'
import path from 'node:path'
import pg from 'pg'
import t, { type Test } from 'tap'
import { parse, stringify } from 'yaml'
import { ProxyHeaders } from '../../proxy/ports/proxy-header.ts'
import { startCompany } from '../e2e/company.ts'
import { issueToken, refusal } from '../e2e/database-client.ts'
import { createAuthority } from '../sandbox/certificates.ts'
import { startDaemon } from '../sandbox/daemon.ts'
import { spawnGuarded } from '../sandbox/guarded-process.ts'
import { freePort } from '../sandbox/ports.ts'
import { skipWithout } from '../sandbox/programs.ts'
import { startListeningApp } from '../src/http/listening-app.ts'
import { waitUntil } from '../wait-until.ts'

const header = Buffer.from('0d0a0d0a000d0a515549540a2111000ccb0071090a000001d4311538', 'hex') // 203.0.113.9

/** A balancer that sends its header in one packet with what the client says first. */
async function startBalancer(t: Test, to: number): Promise<number> {
  const server = createServer((client) => {
    const upstream = connect(to, '127.0.0.1')
    upstream.on('error', () => client.destroy())
    client.on('error', () => upstream.destroy())
    client.once('data', (first) => {
      upstream.write(Buffer.concat([header, first]))
      client.pipe(upstream).pipe(client)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

async function get(options: RequestOptions & { ca?: string }): Promise<{ status: number; text: string }> {
  const call = (options.ca ? requestTls : request)({ host: '127.0.0.1', agent: false, ...options })
  call.end()
  const [response] = await once(call, 'response')
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk)
  return { status: response.statusCode, text: Buffer.concat(chunks).toString() }
}

for (const isTls of [false, true])
  t.test(`HTTP${isTls ? 'S' : ''}: the address of a request is that of the header`, async (t) => {
    const authority = createAuthority()
    const { port: own } = await startListeningApp(t, {
      trustedProxies: ['127.0.0.1'],
      headers: new ProxyHeaders(
        () => true,
        () => {},
      ),
      ...(isTls ? { https: authority.issue(['127.0.0.1']) } : {}),
      routes: [async (part) => void part.get('/ip', { config: { access: 'public' } }, async ({ ip }) => ({ ip }))],
    })
    const port = await startBalancer(t, own)
    const tls = isTls ? { ca: authority.cert } : {}
    t.match(await get({ port, path: '/ip', ...tls }), { status: 200, text: '{"ip":"203.0.113.9"}' })
    const forged = { 'x-forwarded-for': '198.51.100.1' }
    t.match(await get({ port, path: '/ip', headers: forged, ...tls }), { text: '{"ip":"203.0.113.9"}' }, 'and no other')
    await t.rejects(get({ port: own, path: '/ip', ...tls }), 'from a balancer without its header')
  })

t.test(
  'a real haproxy before a daemon: tokens for one address work from there alone',
  { skip: skipWithout('haproxy', '-v') },
  async (t) => {
    const balancer = ['127.0.0.2']
    const company = await startCompany()
    t.teardown(() => company.close())
    await company.daemon.stop()
    const config = parse(readFileSync(company.daemon.configFile, 'utf8'))
    config.server.proxy_protocol = [...balancer]
    config.listeners.postgres[0].proxy_protocol = balancer
    writeFileSync(company.daemon.configFile, stringify(config))
    company.daemon = await startDaemon(company.sandbox, { files: company.daemon })
    const { daemon, sandbox } = company
    const [http, database] = [await freePort(), await freePort()]
    const file = path.join(sandbox.dir, 'haproxy.cfg')
    const proxy = (name: string, port: number, to: number) =>
      `listen ${name}\n  bind 127.0.0.1:${port}\n  server daemon 127.0.0.1:${to} send-proxy-v2 source 127.0.0.2\n`
    const timeouts = 'defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1m\n  timeout server 1m\n'
    const daemonPort = Number(new URL(daemon.url).port)
    writeFileSync(
      file,
      `${timeouts}${proxy('http', http, daemonPort)}${proxy('database', database, daemon.postgresPort)}`,
    )
    const haproxy = await spawnGuarded({ command: 'haproxy', args: ['-db', '-f', file], stopSignal: 'TERM' })
    t.teardown(() => haproxy.stop())
    await waitUntil(async () => (await get({ port: http, path: '/healthz' }).catch(() => undefined))?.status === 200)

    await company.grant()
    const made = await company.api<{ token: string }>('alice', 'POST', '/api/v1/tokens', {
      name: 'one address',
      scopes: ['read'],
      durationMs: 3_600_000,
      cidr: '127.0.0.9/32',
    })
    const headers = { authorization: `Bearer ${made.token}` }
    const from = (port: number, localAddress: string) => get({ port, path: '/api/v1/grants', headers, localAddress })
    t.equal((await from(http, '127.0.0.9')).status, 200)
    t.equal((await from(http, '127.0.0.1')).status, 403)
    t.equal((await from(daemonPort, '127.0.0.9')).status, 200, 'past the balancer, as itself')
    await t.rejects(from(daemonPort, '127.0.0.2'), 'as the balancer, without a header')

    const token = await issueToken(company, 'alice', { cidr: '127.0.0.9/32' })
    const ssl = { ca: sandbox.authority.cert }
    const opening = async (port: number, localAddress: string) => {
      const stream = () => {
        const socket = new Socket()
        const from = socket.connect.bind(socket)
        return Object.assign(socket, { connect: () => from({ host: '127.0.0.1', port, localAddress }) })
      }
      const account = { user: token.user, password: token.token, database: 'orders' }
      const client = new pg.Client({ host: '127.0.0.1', port, ssl, ...account, stream })
      return (await refusal(client)).message
    }
    t.equal(await opening(database, '127.0.0.9'), 'it opened')
    t.not(await opening(database, '127.0.0.1'), 'it opened', 'the token is for another address')
    t.not(await opening(daemon.postgresPort, '127.0.0.2'), 'it opened', 'as the balancer, without a header')
    const { sessions } = await company.api<{ sessions: { address: string }[] }>('carol', 'GET', '/api/v1/sessions')
    t.equal(sessions[0]?.address, '127.0.0.9')
  },
)
