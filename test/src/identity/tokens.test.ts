import { createHash } from 'node:crypto'
import t from 'tap'
import { finishScram, startScram } from '../../../proxy/wire/postgres/scram.ts'
import {
  mintApiToken,
  mintConnectToken,
  parseApiToken,
  parseConnectToken,
} from '../../../src/identity/tokens/token-format.ts'
import fc from '../../fast-check.ts'
import {
  from,
  hour,
  type IdentitySetup,
  minute,
  ordersGrant,
  ordersId,
  startedAt,
  startIdentity,
} from './identity-setup.ts'
import { scramClient } from './scram-client.ts'

const address = '192.0.2.7'
const byToken = (token: string) => ({ by: 'token', token }) as const

async function signedIn(t: Parameters<typeof startIdentity>[0]) {
  const setup = await startIdentity(t)
  const alice = (await setup.begin('alice')).login
  setup.grantTo(alice.principal.id)
  return { setup, alice }
}

async function identifies(setup: IdentitySetup, token: string, at = address): Promise<string> {
  return await setup.identity.identify(byToken(token), from(at)).then(
    () => 'ok',
    (error: { code: string }) => error.code,
  )
}

t.test('token formats: every token is read back as its id, and nothing else is', async (t) => {
  for (let i = 0; i < 200; i++) {
    const connect = mintConnectToken()
    const api = mintApiToken()
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(connect.token)) t.fail(`connect token of another form: ${connect.token}`)
    if (parseConnectToken(connect.token) !== connect.id || parseConnectToken(api.token)) t.fail(connect.token)
    if (parseApiToken(api.token) !== api.id || parseApiToken(connect.token)) t.fail(api.token)
  }
  const { token } = mintConnectToken()
  fc.assert(
    fc.property(fc.nat(63), fc.constantFrom('', ' ', '\n', '\0', '!', 'é'), (place, other) => {
      const broken = token.slice(0, place) + other + token.slice(place + 1)
      return parseConnectToken(broken) === undefined
    }),
  )
  fc.assert(
    fc.property(fc.string(), (text) => parseConnectToken(text) === undefined && parseApiToken(text) === undefined),
  )
})

t.test('a connect token is bound to principal, grant, resource and level', async (t) => {
  const { setup, alice } = await signedIn(t)
  const { token, view } = await setup.identity.connectTokens.issue(alice, { resource: 'orders', cidr: '192.0.2.0/24' })
  t.ok(token.length <= 64)
  t.match(view, { grantId: ordersGrant, resourceId: ordersId, level: 'readonly', cidr: '192.0.2.0/24' })
  const identity = await setup.identity.identify(byToken(token), from('::ffff:192.0.2.9'))
  t.same(identity, {
    principalId: alice.principal.id,
    name: 'alice@example.com',
    credential: { kind: 'connect-token', id: view.id },
    bound: { grantId: ordersGrant, resourceId: ordersId, level: 'readonly' },
    expiresAt: view.expiresAt,
  })
  t.match(setup.events('connect-token.issued'), [
    { actor: alice.principal.id, fields: { token: view.id, grant: ordersGrant, through: alice.id } },
  ])
  const stored = JSON.stringify(await setup.db.selectFrom('connect_tokens').selectAll().execute())
  t.notOk(stored.includes(token.slice(-43)))
  t.match((await setup.identity.connectTokens.list(alice, { all: false })).items[0], {
    lastUsedAt: startedAt,
    lastUsedFrom: '::ffff:192.0.2.9',
  })
})

t.test('it lives as long as the shortest of asked, grant, rule and twelve hours', async (t) => {
  const { setup, alice } = await signedIn(t)
  const life = async (durationMs?: number) => {
    const ask = durationMs === undefined ? {} : { durationMs }
    const { view } = await setup.identity.connectTokens.issue(alice, { resource: ordersId, ...ask })
    return view.expiresAt - setup.time.now
  }
  t.equal(await life(), 8 * hour, 'the grant')
  setup.grants.maxMs = hour
  t.equal(await life(), hour, 'the rule')
  t.equal(await life(10 * hour), hour, 'asked for more')
  t.equal(await life(minute), minute, 'asked for less')
  setup.grants.maxMs = 100 * hour
  if (setup.grants.grant) setup.grants.grant = { ...setup.grants.grant, endsAt: startedAt + 100 * hour }
  t.equal(await life(), 12 * hour)
})

t.test('without a live grant, or with the audit log down, there is no token', async (t) => {
  const { setup, alice } = await signedIn(t)
  const { connectTokens } = setup.identity
  for (const ask of [
    { resource: 'other' },
    { resource: ordersId, level: 'admin' },
    { resource: ordersId, grantId: 'grt_00000000000000000000000002' },
  ]) {
    await t.rejects(connectTokens.issue(alice, ask), { code: 'GRANT_DENIED', hint: 'ask for one' })
  }
  await t.rejects(connectTokens.issue(alice, { resource: ordersId, cidr: '10.0.0.0/33' }), { code: 'INVALID_INPUT' })
  setup.audit.down = true
  await t.rejects(connectTokens.issue(alice, { resource: ordersId }), { code: 'AUDIT_UNAVAILABLE' })
  t.same(await setup.db.selectFrom('connect_tokens').selectAll().execute(), [])
})

t.test('unknown, wrong, expired, revoked and forged tokens fail alike', async (t) => {
  const { setup, alice } = await signedIn(t)
  const { connectTokens } = setup.identity
  const issue = () => connectTokens.issue(alice, { resource: ordersId })
  const wrong = await issue()
  const revoked = await issue()
  const stretched = await issue()
  const swapped = await issue()
  const expired = await issue()
  const messages = new Set<string>()
  const refused = async (token: string, why: string) => {
    const error = await setup.identity.identify(byToken(token), from(address)).catch((caught: unknown) => caught)
    t.match(error, { code: 'TOKEN_INVALID' }, why)
    messages.add((error as Error).message)
  }
  await refused('', 'empty')
  await refused(`spt_${'0'.repeat(16)}_${'A'.repeat(43)}`, 'unknown')
  const last = wrong.token.at(-1)
  await refused(wrong.token.slice(0, -1) + (last === 'A' ? 'B' : 'A'), 'wrong secret')
  await connectTokens.revoke(alice, revoked.view.id)
  await refused(revoked.token, 'revoked')
  const { db } = setup
  await db.updateTable('connect_tokens').set({ level: 'admin' }).where('id', '=', stretched.view.id).execute()
  await refused(stretched.token, 'another level, written by hand')
  const other = await db
    .selectFrom('connect_tokens')
    .select('keys')
    .where('id', '=', wrong.view.id)
    .executeTakeFirstOrThrow()
  await db.updateTable('connect_tokens').set(other).where('id', '=', swapped.view.id).execute()
  await refused(swapped.token, 'keys of another token')
  t.equal(await identifies(setup, expired.token), 'ok')
  setup.time.now += 8 * hour - 1
  t.equal(await identifies(setup, expired.token), 'ok')
  setup.time.now += 1
  await refused(expired.token, 'expired')
  t.notOk(await setup.identity.credential({ kind: 'connect-token', id: expired.view.id }))
  t.equal(messages.size, 1)
})

t.test('SCRAM: the keys fit the token, and unknown ids have stable made-up ones of the same form', async (t) => {
  const { setup, alice } = await signedIn(t)
  const { token, view } = await setup.identity.connectTokens.issue(alice, { resource: ordersId })
  const { scram: verifier, doubleSha256 } = await setup.identity.tokenKeys(view.id)
  const sha256 = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest()
  t.same(Buffer.from(doubleSha256), sha256(sha256(token)), 'what caching_sha2_password checks')
  const client = scramClient(token)
  const exchange = startScram(
    { mechanism: 'SCRAM-SHA-256', data: client.first },
    undefined,
    verifier,
    'c2VydmVyLW5vbmNlLW9mLTE4',
  )
  t.ok(finishScram(exchange, client.final(exchange.serverFirst)))
  t.match(await setup.identity.identify({ by: 'proof', tokenId: view.id }, from(address)), {
    bound: { grantId: ordersGrant },
  })
  const unknown = '0'.repeat(16)
  const keys = await setup.identity.tokenKeys(unknown)
  t.same(keys, await setup.identity.tokenKeys(unknown))
  const { scram: madeUp } = keys
  for (const member of ['salt', 'storedKey', 'serverKey'] as const)
    t.equal(madeUp[member].length, verifier[member].length)
  t.equal(madeUp.iterations, verifier.iterations)
  t.notSame(madeUp.salt, (await setup.identity.tokenKeys('1'.repeat(16))).scram.salt)
  await t.rejects(setup.identity.identify({ by: 'proof', tokenId: unknown }, from(address)), { code: 'TOKEN_INVALID' })
  t.ok(await setup.identity.tokenKeys('\0 anything at all'))

  await setup.identity.connectTokens.revoke(alice, view.id)
  const { scram: after } = await setup.identity.tokenKeys(view.id)
  t.same(after.salt, verifier.salt, 'the salt does not tell that it was revoked')
  t.notSame(after.storedKey, verifier.storedKey)
  await t.rejects(setup.identity.identify({ by: 'proof', tokenId: view.id }, from(address)), { code: 'TOKEN_INVALID' })
})

t.test('an address outside of the range is refused, once the secret is proved', async (t) => {
  const { setup, alice } = await signedIn(t)
  const { token } = await setup.identity.connectTokens.issue(alice, { resource: ordersId, cidr: '10.1.0.0/16' })
  t.equal(await identifies(setup, token, '10.1.255.255'), 'ok')
  t.equal(await identifies(setup, token, '10.2.0.0'), 'ADDRESS_REFUSED')
  t.equal(await identifies(setup, token, '::1'), 'ADDRESS_REFUSED')
  t.equal(await identifies(setup, token, 'nonsense'), 'ADDRESS_REFUSED')
  const flipped = token.slice(0, -2) + (token.endsWith('AA') ? 'BB' : 'AA')
  t.equal(await identifies(setup, flipped, '10.2.0.0'), 'TOKEN_INVALID')
})

t.test(
  'revoking a connect token cuts its sessions and leaves the grant; only its holder or an admin may',
  async (t) => {
    const { setup, alice } = await signedIn(t)
    const { connectTokens } = setup.identity
    const { token, view } = await connectTokens.issue(alice, { resource: ordersId })
    const eve = (await setup.begin('eve')).login
    await t.rejects(connectTokens.revoke(eve, view.id), { code: 'NOT_FOUND' })
    t.same((await connectTokens.list(eve, { all: true })).items, [])
    const [row] = await setup.db.selectFrom('connect_tokens').selectAll().execute()
    const dave = (await setup.begin('dave')).login
    t.equal((await connectTokens.list(dave, { all: true })).total, 1)
    setup.audit.down = true
    await connectTokens.revoke(dave, view.id)
    t.match(setup.changed.at(-1), { what: 'token', id: view.id, reason: 'token-revoked' })
    t.match(setup.audit.spool, [
      { type: 'connect-token.revoked', actor: dave.principal.id, fields: { token: view.id } },
    ])
    if (row) await setup.db.insertInto('connect_tokens').values(row).execute()
    t.equal(await identifies(setup, token), 'TOKEN_INVALID', 'put back')
    await setup.restart()
    t.equal(await identifies(setup, token), 'TOKEN_INVALID', 'put back, after a restart')
  },
)

t.test('an expired token is erased, and its sessions end', async (t) => {
  const { setup, alice } = await signedIn(t)
  const { view } = await setup.identity.connectTokens.issue(alice, { resource: ordersId, durationMs: minute })
  setup.time.now += minute
  await setup.identity.sweep()
  t.match(setup.changed.at(-1), { what: 'token', id: view.id, reason: 'token-revoked' })
  t.same(await setup.db.selectFrom('connect_tokens').selectAll().execute(), [])
})

t.test('sessions of a token that ended with its grant go on when the grant was extended', async (t) => {
  const { setup, alice } = await signedIn(t)
  const { view } = await setup.identity.connectTokens.issue(alice, { resource: ordersId, durationMs: minute })
  const extended = { what: 'grant-extended', id: ordersGrant, endsAt: view.expiresAt + hour } as const
  setup.publish({ ...extended, from: view.expiresAt })
  setup.time.now += minute
  await setup.identity.sweep()
  t.equal(setup.changed.at(-1)?.what, 'grant-extended', 'nothing was taken away')
  t.same(await setup.db.selectFrom('connect_tokens').selectAll().execute(), [])
})

t.test('an API token has its scopes, its life and its addresses, and is no person', async (t) => {
  const { setup, alice } = await signedIn(t)
  const { apiTokens } = setup.identity
  const { token, view } = await apiTokens.create(alice, {
    name: 'ci',
    scopes: ['read', 'connect'],
    durationMs: hour,
    cidr: '192.0.2.0/24',
  })
  t.match(token, /^spa_[0-9a-z]{26}_[A-Za-z0-9_-]{43}$/)
  t.match(await setup.identity.authenticate({ bearer: token, address }), {
    id: view.id,
    via: 'api-token',
    interactive: false,
    scopes: ['connect', 'read'],
    roles: ['user'],
  })
  await t.rejects(setup.identity.authenticate({ bearer: token, address: '198.51.100.1' }), { code: 'ADDRESS_REFUSED' })
  t.equal(await setup.identity.authenticate({ bearer: `${token.slice(0, -2)}__`, address }), null)
  t.equal(await setup.identity.authenticate({ cookie: token, address }), null)
  t.match(setup.events('token.created'), [{ fields: { token: view.id, scopes: ['read', 'connect'] } }])
  await setup.db
    .updateTable('api_tokens')
    .set({ expires_at: startedAt + 99 * hour })
    .execute()
  t.equal(await setup.identity.authenticate({ bearer: token, address }), null, 'lengthened by hand')
  const short = await apiTokens.create(alice, { name: 'x', scopes: ['read'], durationMs: minute })
  setup.time.now += minute - 1
  t.ok(await setup.identity.authenticate({ bearer: short.token, address }))
  setup.time.now += 1
  t.equal(await setup.identity.authenticate({ bearer: short.token, address }), null)
  t.notOk(await setup.identity.credential({ kind: 'api-token', id: short.view.id }))
})

t.test('nobody hands out scopes beyond their role, and a token makes no tokens', async (t) => {
  const { setup, alice } = await signedIn(t)
  const { apiTokens } = setup.identity
  const dave = (await setup.begin('dave')).login
  const ask = { name: 'x', durationMs: hour }
  await t.rejects(apiTokens.create(alice, { ...ask, scopes: ['admin'] }), { code: 'ROLE_REQUIRED' })
  await t.rejects(apiTokens.create(dave, { ...ask, scopes: ['audit'] }), { code: 'ROLE_REQUIRED' })
  const reader = await apiTokens.create(dave, { ...ask, scopes: ['read'] })
  const asReader = await setup.identity.authenticate({ bearer: reader.token, address })
  t.same(asReader?.roles, ['user'], 'an admin’s token without the scope is no admin')
  const admin = await apiTokens.create(dave, { ...ask, scopes: ['admin'] })
  const asAdmin = await setup.identity.authenticate({ bearer: admin.token, address })
  t.same(asAdmin?.roles, ['user', 'admin'])
  if (asAdmin)
    await t.rejects(apiTokens.create(asAdmin, { ...ask, scopes: ['read'] }), { code: 'INTERACTIVE_REQUIRED' })
})

t.test('a service account acts by tokens of its owner; an admin may revoke them', async (t) => {
  const { setup, alice } = await signedIn(t)
  const { identity } = setup
  const dave = (await setup.begin('dave')).login
  const eve = (await setup.begin('eve')).login
  const made = { name: 'robot', owner: alice.principal.id, groups: ['engineering'] }
  const robot = await identity.createServiceAccount(dave, made)
  t.match(robot, { kind: 'service', name: 'robot', ownerId: alice.principal.id, active: false })
  t.match(setup.events('principal.created').at(-1), { fields: { kind: 'service', owner: alice.principal.id } })
  await t.rejects(identity.createServiceAccount(dave, { name: 'robot' }), { code: 'INVALID_INPUT' })
  await t.rejects(identity.createServiceAccount(dave, { name: 'r2', groups: ['platform'] }), { code: 'INVALID_INPUT' })
  await t.rejects(identity.createServiceAccount(dave, { name: 'r3', owner: robot.id }), { code: 'INVALID_INPUT' })
  const ask = { name: 'etl', scopes: ['connect'], durationMs: hour, serviceAccount: 'robot' } as const
  await t.rejects(identity.apiTokens.create(eve, ask), { code: 'NOT_FOUND' })
  await t.rejects(identity.apiTokens.create(alice, { ...ask, serviceAccount: eve.principal.id }), { code: 'NOT_FOUND' })
  await identity.acceptServiceAccount(alice, 'robot')
  const { token, view } = await identity.apiTokens.create(alice, ask)
  t.equal((await identity.authenticate({ bearer: token, address }))?.principal.id, robot.id)
  await t.rejects(identity.apiTokens.revoke(eve, view.id), { code: 'NOT_FOUND' })
  await identity.apiTokens.revoke(dave, view.id)
  t.equal(await identity.authenticate({ bearer: token, address }), null)
  t.match(setup.events('token.revoked'), [{ actor: dave.principal.id, fields: { token: view.id } }])
})

t.test('a connect token that came of an API token reaches no further than it, and goes with it', async (t) => {
  const { setup, alice } = await signedIn(t)
  const { identity } = setup
  const api = await identity.apiTokens.create(alice, {
    name: 'ci',
    scopes: ['connect'],
    durationMs: hour,
    cidr: '192.0.2.0/24',
  })
  const login = await identity.authenticate({ bearer: api.token, address })
  if (!login) throw new Error('not signed in')
  const { token, view } = await identity.connectTokens.issue(login, { resource: ordersId })
  t.match(view, { cidr: '192.0.2.0/24', expiresAt: startedAt + hour })
  await t.rejects(identity.connectTokens.issue(login, { resource: ordersId, cidr: '0.0.0.0/0' }), {
    code: 'ADDRESS_REFUSED',
  })
  const narrower = await identity.connectTokens.issue(login, { resource: ordersId, cidr: '192.0.2.7' })
  t.equal(narrower.view.cidr, '192.0.2.7/32')
  await identity.apiTokens.revoke(alice, api.view.id)
  t.equal(await identifies(setup, token), 'TOKEN_INVALID')
  t.equal(setup.events('connect-token.revoked').length, 2)
})
