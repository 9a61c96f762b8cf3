/** What proxies and libraries in front of the daemon do to a request. */
import { type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { includesAddress } from '../../proxy/ports/address-range.ts'
import { BrokerError } from '../../proxy/session.ts'
import { buildApp } from '../../src/http/app.ts'
import { isWebsocketOffer } from '../../src/http/own-paths.ts'
import { toAddress } from '../../src/http/plugins/forwarded-for.ts'
import { route } from '../../src/identity/route.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'

/** Its one credential works from 203.0.113.0/24 and 2001:db8::/32 alone; everything else is refused as a token is. */
async function startApp(t: Test, trustedProxies: readonly string[] = ['127.0.0.1']) {
  const unused = () => {
    throw new Error('not asked for here')
  }
  const seen: string[] = []
  const app = await buildApp({
    identity: {
      authenticate: async ({ address }) => {
        seen.push(address)
        if (['203.0.113.0/24', '2001:db8::/32'].some((range) => includesAddress(range, address))) return null
        throw new BrokerError('ADDRESS_REFUSED')
      },
      principal: unused,
      findPrincipal: unused,
      loginName: unused,
      tagClaims: unused,
      credential: unused,
      tokenKeys: unused,
      identify: unused,
      sweep: unused,
    },
    logger: createLogger({ level: 'silent' }),
    metrics: createMetrics(),
    publicUrl: 'http://127.0.0.1',
    trustedProxies,
    routes: [async (app) => route(app, 'GET /healthz', () => ({ status: 'ok' }) as never)],
  })
  t.teardown(() => app.close())
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const get = (headers: Record<string, string>, path = '/healthz') =>
    new Promise<number>((resolve, reject) =>
      request({ port, path, headers }, (response: IncomingMessage) => {
        response.resume()
        resolve(response.statusCode ?? 0)
      })
        .once('upgrade', ({ statusCode = 0 }, socket) => {
          socket.destroy()
          resolve(statusCode)
        })
        .once('error', reject)
        .end(),
    )
  return { seen, get, from: (header: string) => get({ authorization: 'Bearer x', 'x-forwarded-for': header }) }
}

t.test('F7: ports, brackets and mapped addresses in X-Forwarded-For', async (t) => {
  const { from, seen } = await startApp(t)
  for (const [header, address] of [
    ['203.0.113.7:51234', '203.0.113.7'],
    ['[2001:db8::1]:443', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['2001:db8::1', '2001:db8::1'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['198.51.100.9, 203.0.113.7:1', '203.0.113.7'],
    ['203.0.113.7:51234, 127.0.0.1:80', '203.0.113.7'],
  ] as const) {
    t.equal(await from(header), 200, header)
    t.equal(seen.at(-1), address, header)
  }
})

t.test('F7: `unknown`, and whatever is no address, is in no range', async (t) => {
  const { from, seen } = await startApp(t)
  for (const header of [
    'unknown',
    '_hidden',
    '203.0.113.7, unknown',
    '203.0.113.7:',
    '203.0.113.7:123456',
    '999.1.1.1:1',
  ]) {
    t.equal(await from(header), 403, header)
    t.equal(seen.at(-1), 'unknown', header)
  }
  t.equal(toAddress(`${'1'.repeat(10_000)}:1`), 'unknown')
})

t.test('F7: without a trusted proxy the header says nothing', async (t) => {
  const { from, seen } = await startApp(t, [])
  t.equal(await from('203.0.113.7:51234'), 403)
  t.equal(seen.at(-1), '127.0.0.1')
})

t.test('F11: an offer of h2c is ignored on a plain route, as Java and curl make it', async (t) => {
  const { get } = await startApp(t)
  const offer = { connection: 'Upgrade, HTTP2-Settings', 'http2-settings': 'AAMAAABkAAQAoAAAAAIAAAAA' }
  for (const upgrade of ['h2c', 'H2C', 'TLS/1.0', 'notwebsocket'])
    t.equal(await get({ ...offer, upgrade }), 200, upgrade)
  t.equal(
    await get({ connection: 'Upgrade', upgrade: 'h2c', cookie: 'sallyport=x' }),
    403,
    'it is authenticated as ever',
  )
})

t.test('F11: an offer of a websocket is ignored where there is none: nobody keeps a connection by it', async (t) => {
  const { get } = await startApp(t)
  const offer = {
    connection: 'Upgrade',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  }
  for (const upgrade of ['websocket', 'WebSocket', 'h2c, websocket'])
    t.equal(await get({ ...offer, upgrade }), 200, upgrade)
  t.equal(await get({ ...offer, upgrade: 'websocket', cookie: 'sallyport=x' }), 403, 'it is authenticated as ever')
  t.equal(await get({ ...offer, upgrade: 'websocket' }, '/nowhere'), 404)
})

t.test('F11: an offer of a websocket is one in any case, beside others, and with a version', (t) => {
  for (const offer of ['websocket', 'WebSocket', 'h2c, websocket', 'websocket/13']) t.ok(isWebsocketOffer(offer), offer)
  for (const offer of [undefined, '', 'h2c', 'websockets']) t.notOk(isWebsocketOffer(offer), offer ?? 'none')
  t.end()
})
