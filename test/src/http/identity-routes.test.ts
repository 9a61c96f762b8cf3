import { pino } from 'pino'
import t, { type Test } from 'tap'
import { BrokerError } from '../../../proxy/session.ts'
import { listenerEndpoint } from '../../../src/config/listener-endpoint.ts'
import { buildApp } from '../../../src/http/app.ts'
import { createLists } from '../../../src/http/lists.ts'
import { identityRoutes } from '../../../src/http/routes/identity.ts'
import { hour, ordersGrant, ordersId, startIdentity } from '../identity/identity-setup.ts'

const publicUrl = 'https://access.example.com'
const listeners = {
  postgres: [
    { listen: { host: '0.0.0.0', port: 5432 }, tls: { cert: '', key: '' }, resource: null, proxyProtocol: [] },
  ],
}

async function startApp(t: Test) {
  const setup = await startIdentity(t)
  const unused = () => {
    throw new BrokerError('RESOURCE_UNKNOWN')
  }
  const app = await buildApp({
    identity: setup.identity,
    logger: pino({ level: 'silent' }),
    metrics: setup.metrics,
    publicUrl,
    trustedProxies: [],
    routes: [
      identityRoutes({
        identity: setup.identity,
        lists: createLists({ identity: setup.identity, access: { findResource: unused } }),
        publicUrl,
        endpointOf: (id) => listenerEndpoint({ server: { publicUrl }, listeners }, 'postgres', id),
      }),
    ],
  })
  t.teardown(() => app.close())
  const call = async (bearer: string, method: 'GET' | 'POST' | 'DELETE', url: string, payload?: object) => {
    const headers = { authorization: `Bearer ${bearer}` }
    const response = await app.inject({ method, url, headers, ...(payload ? { payload } : {}) })
    const { statusCode, headers: got } = response
    return { status: statusCode, headers: got, body: response.body === '' ? null : response.json() }
  }
  return { setup, app, call }
}

t.test('whoami shows the principal, the roles and how they came in', async (t) => {
  const { setup, call } = await startApp(t)
  const { secret, login } = await setup.begin('alice')
  t.match(await call(secret, 'GET', '/api/v1/whoami'), {
    status: 200,
    body: {
      principal: { id: login.principal.id, name: 'alice@example.com', groups: ['engineering'] },
      roles: ['user'],
      login: login.id,
      via: 'cli',
      interactive: true,
      scopes: null,
    },
  })
  t.match(await call('A'.repeat(43), 'GET', '/api/v1/whoami'), { status: 401, body: { code: 'LOGIN_REQUIRED' } })
})

t.test('logout ends the login and clears the cookie; it takes our own origin', async (t) => {
  const { setup, app, call } = await startApp(t)
  const { secret } = await setup.begin('alice', 'web')
  const cookies = { '__Host-sallyport': secret }
  const logout = { method: 'POST', url: '/api/v1/logout', cookies } as const
  const foreign = await app.inject({ ...logout, headers: { origin: 'https://evil.example' } })
  t.match(foreign.json(), { code: 'ORIGIN_REFUSED' })
  const done = await app.inject({ ...logout, headers: { origin: publicUrl } })
  t.equal(done.statusCode, 204)
  t.match(done.headers['set-cookie'], /^__Host-sallyport=;.*Path=\/.*Secure/)
  t.equal((await app.inject({ method: 'GET', url: '/api/v1/whoami', cookies })).statusCode, 401)
  const cli = await setup.begin('alice')
  t.equal((await call(cli.secret, 'POST', '/api/v1/logout', {})).status, 204)
  t.equal((await call(cli.secret, 'GET', '/api/v1/whoami')).status, 401)
})

t.test('an API token is shown once, listed without its secret, and revoked', async (t) => {
  const { setup, call } = await startApp(t)
  const { secret } = await setup.begin('alice')
  const made = await call(secret, 'POST', '/api/v1/tokens', { name: 'ci', scopes: ['read'], durationMs: hour })
  t.match(made, { status: 201, headers: { 'cache-control': 'no-store' }, body: { token: /^spa_/, scopes: ['read'] } })
  const { token, id } = made.body as { token: string; id: string }
  const listed = await call(token, 'GET', '/api/v1/tokens')
  t.match(listed, { status: 200, body: { tokens: [{ id, name: 'ci' }] } })
  t.notOk(JSON.stringify(listed.body).includes(token.slice(-43)))
  t.match(await call(token, 'GET', '/api/v1/connect-tokens'), { status: 200 })
  t.match(await call(token, 'POST', '/api/v1/connect-tokens', { resource: 'orders', proxyProtocol: [] }), {
    status: 403,
    body: { code: 'SCOPE_REQUIRED' },
  })
  t.match(await call(token, 'POST', '/api/v1/logout', {}), { status: 403, body: { code: 'SCOPE_REQUIRED' } })
  t.equal((await call(secret, 'DELETE', `/api/v1/tokens/${id}`)).status, 204)
  t.equal((await call(token, 'GET', '/api/v1/tokens')).status, 401)
  t.match(await call(secret, 'DELETE', `/api/v1/tokens/${id}`), { status: 404, body: { code: 'NOT_FOUND' } })
})

t.test('a connect token comes with what a client needs', async (t) => {
  const { setup, call } = await startApp(t)
  const { secret, login } = await setup.begin('alice')
  setup.grantTo(login.principal.id)
  const body = { resource: 'orders', level: 'readonly', grant: ordersGrant, durationMs: hour, cidr: '192.0.2.0/24' }
  const made = await call(secret, 'POST', '/api/v1/connect-tokens', body)
  const { id } = made.body as { id: string }
  t.match(made, {
    status: 201,
    headers: { 'cache-control': 'no-store' },
    body: {
      token: new RegExp(`^spt_${id}_`),
      user: `t_${id}`,
      host: 'access.example.com',
      port: 5432,
      resourceId: ordersId,
      level: 'readonly',
      expiresAt: setup.time.now + hour,
    },
  })
  t.match(await call(secret, 'GET', '/api/v1/connect-tokens'), { body: { connectTokens: [{ id }] } })
  t.equal((await call(secret, 'DELETE', `/api/v1/connect-tokens/${id}`)).status, 204)
  t.match(await call(secret, 'GET', '/api/v1/connect-tokens'), { body: { connectTokens: [] } })
})

t.test('a body can set nothing that is derived', async (t) => {
  const { setup, call } = await startApp(t)
  const { secret, login } = await setup.begin('alice')
  setup.grantTo(login.principal.id)
  for (const [url, body] of [
    ['/api/v1/connect-tokens', { resource: 'orders', proxyProtocol: [] }],
    ['/api/v1/tokens', { name: 'x', scopes: ['read'], durationMs: hour }],
  ] as const) {
    for (const field of ['id', 'principalId', 'createdBy', 'expiresAt', 'grantId', 'roles']) {
      const answer = await call(secret, 'POST', url, { ...body, [field]: 'x' })
      t.match(answer, { status: 400, body: { code: 'INVALID_INPUT' } }, `${url} ${field}`)
    }
  }
})

t.test('administration is for admins; a token may lock, and only a person unlocks', async (t) => {
  const { setup, call } = await startApp(t)
  const alice = await setup.begin('alice')
  const dave = await setup.begin('dave')
  const id = alice.login.principal.id
  const lock = `/api/v1/principals/${id}/lock`
  const unlock = `/api/v1/principals/${id}/unlock`
  for (const [method, url] of [
    ['GET', '/api/v1/principals'],
    ['POST', lock],
    ['POST', unlock],
    ['POST', '/api/v1/service-accounts'],
  ] as const) {
    const answer = await call(alice.secret, method, url, method === 'POST' ? {} : undefined)
    t.match(answer, { status: 403, body: { code: 'ROLE_REQUIRED' } }, url)
  }
  t.match(await call(dave.secret, 'GET', '/api/v1/principals?limit=1'), {
    body: { principals: [{ kind: 'person' }], next: /^prn_/ },
  })
  t.match(await call(dave.secret, 'POST', '/api/v1/service-accounts', { name: 'robot' }), {
    status: 201,
    body: { principal: { kind: 'service', ownerId: dave.login.principal.id } },
  })
  const { body: owned } = await call(dave.secret, 'GET', '/api/v1/service-accounts?limit=1')
  const { items, serviceAccounts } = owned as Record<string, Record<string, unknown>[]>
  t.match(owned, { items: [{ name: 'robot' }], next: null, total: 1, capped: false })
  t.same(serviceAccounts, items, 'under the name that they had before')
  const shown = ['active', 'email', 'groups', 'id', 'kind', 'lockedAt', 'name', 'ownerId']
  t.same(Object.keys(items?.[0] ?? {}).sort(), shown)
  const made = await call(dave.secret, 'POST', '/api/v1/tokens', {
    name: 'pager',
    scopes: ['admin'],
    durationMs: hour,
  })
  const { token } = made.body as { token: string }
  t.match(await call(token, 'POST', lock, { reason: 'incident 42' }), {
    status: 200,
    body: { principal: { id, lockedAt: setup.time.now } },
  })
  t.equal((await call(alice.secret, 'GET', '/api/v1/whoami')).status, 401)
  t.match(await call(token, 'POST', unlock, {}), { status: 403, body: { code: 'SCOPE_REQUIRED' } })
  t.match(await call(dave.secret, 'POST', unlock, {}), { status: 200, body: { principal: { lockedAt: null } } })
  t.match(await call(dave.secret, 'POST', '/api/v1/principals/nobody/lock', {}), { status: 404 })
})

t.test('the port pinned to a resource comes before the one for all', (t) => {
  const pinned = {
    listen: { host: '::', port: 6000 },
    tls: { cert: '', key: '' },
    resource: ordersId,
    proxyProtocol: [],
  }
  const both = { server: { publicUrl }, listeners: { postgres: [...listeners.postgres, pinned] } }
  t.match(listenerEndpoint(both, 'postgres', ordersId), { host: 'access.example.com', port: 6000 })
  t.match(listenerEndpoint(both, 'postgres', 'other'), { port: 5432 })
  t.equal(listenerEndpoint({ server: { publicUrl }, listeners: { postgres: [pinned] } }, 'postgres', 'other'), null)
  t.end()
})
