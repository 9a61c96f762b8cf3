import t from 'tap'
import { checkIdentityMacs } from '../../../../src/identity/signed-rows.ts'
import { from, hour, issuer, minute, startedAt, startIdentity, vouched } from '../identity-setup.ts'

const address = '192.0.2.7'

t.test('a login is audited before it starts, and its secret is not in the store', async (t) => {
  const setup = await startIdentity(t)
  const { secret, login } = await setup.begin('alice', 'web', { refreshToken: 'refresh-1' })
  t.match(secret, /^[A-Za-z0-9_-]{43}$/)
  t.match(login, { via: 'web', interactive: true, scopes: null, roles: ['user'], expiresAt: startedAt + 8 * hour })
  t.match(login.principal, { name: 'alice@example.com', email: 'alice@example.com', groups: ['engineering'] })
  t.same(
    setup.audit.records.map(({ type }) => type),
    ['principal.created', 'login.succeeded'],
  )
  t.match(setup.events('login.succeeded')[0], {
    actor: login.principal.id,
    fields: { login: login.id, via: 'web' },
    text: { name: 'alice@example.com', address },
  })
  const stored = JSON.stringify(await setup.db.selectFrom('logins').selectAll().execute())
  t.notOk(stored.includes(secret))
  t.notOk(stored.includes('refresh-1'))
  t.notOk(stored.includes(Buffer.from('refresh-1').toString('base64')))
  t.equal((await setup.metrics.loginsTotal.get()).values[0]?.labels.outcome, 'succeeded')
})

t.test('nobody signs in while the audit log is down', async (t) => {
  const setup = await startIdentity(t)
  setup.audit.down = true
  await t.rejects(setup.begin('alice'), { code: 'AUDIT_UNAVAILABLE' })
  t.same(await setup.db.selectFrom('logins').selectAll().execute(), [])
  t.same(await setup.db.selectFrom('principals').selectAll().execute(), [])
})

t.test('a web login is shown as a cookie, a CLI login as a bearer, and not the other way round', async (t) => {
  const setup = await startIdentity(t)
  const web = await setup.begin('alice', 'web')
  const cli = await setup.begin('alice', 'cli')
  const { identity } = setup
  t.equal((await identity.authenticate({ cookie: web.secret, address }))?.id, web.login.id)
  t.equal((await identity.authenticate({ bearer: cli.secret, address }))?.id, cli.login.id)
  t.equal(await identity.authenticate({ bearer: web.secret, address }), null)
  t.equal(await identity.authenticate({ cookie: cli.secret, address }), null)
  t.equal(await identity.authenticate({ address }), null)
  for (const wrong of ['', 'x', 'A'.repeat(43), `${cli.secret}A`, 'spa_', `spa_${'0'.repeat(26)}_${'A'.repeat(43)}`]) {
    t.equal(await identity.authenticate({ bearer: wrong, address }), null, wrong)
  }
})

t.test('a login ends when it is idle, and in any case at its absolute end', async (t) => {
  const setup = await startIdentity(t)
  const idle = await setup.begin('alice', 'web')
  const busy = await setup.begin('alice', 'web')
  setup.time.now += hour - 1
  t.ok(await setup.identity.authenticate({ cookie: busy.secret, address }))
  setup.time.now += 1
  t.equal(await setup.identity.authenticate({ cookie: idle.secret, address }), null)
  t.notOk(await setup.identity.credential({ kind: 'login', id: idle.login.id }))
  t.ok(await setup.identity.credential({ kind: 'login', id: busy.login.id }))
  await setup.identity.sweep()
  t.match(setup.events('login.ended'), [{ fields: { login: idle.login.id, why: 'idle' } }])
  t.match(setup.changed.at(-1), { what: 'login', id: idle.login.id, reason: 'login-ended' })
  for (; setup.time.now < startedAt + 8 * hour - 30 * minute; setup.time.now += 30 * minute) {
    t.ok(await setup.identity.authenticate({ cookie: busy.secret, address }))
  }
  setup.time.now = startedAt + 8 * hour - 1
  t.ok(await setup.identity.authenticate({ cookie: busy.secret, address }))
  setup.time.now += 1
  t.equal(await setup.identity.authenticate({ cookie: busy.secret, address }), null)
  await setup.identity.sweep()
  t.match(setup.events('login.ended').at(-1), { fields: { login: busy.login.id, why: 'expired' } })
  t.same(await setup.db.selectFrom('logins').selectAll().execute(), [])
})

t.test('logout ends the login for everybody, erases the refresh token, and is audited', async (t) => {
  const setup = await startIdentity(t)
  const { secret, login } = await setup.begin('alice', 'cli', { refreshToken: 'refresh-1' })
  const [row] = await setup.db.selectFrom('logins').selectAll().execute()
  await setup.identity.logins.end(login.id, 'logout')
  t.equal(await setup.identity.authenticate({ bearer: secret, address }), null)
  t.match(setup.changed.at(-1), { what: 'login', id: login.id, decidedAt: startedAt })
  t.match(setup.events('login.ended'), [{ actor: login.principal.id, fields: { login: login.id, why: 'logout' } }])
  t.same(await setup.db.selectFrom('logins').selectAll().execute(), [])
  await setup.identity.logins.end(login.id, 'logout')
  await setup.identity.logins.end('lgn_unknown', 'logout')
  t.equal(setup.events('login.ended').length, 1, 'what has ended does not end again')

  t.ok(row)
  if (row) await setup.db.insertInto('logins').values(row).execute()
  t.equal(await setup.identity.authenticate({ bearer: secret, address }), null, 'a row that was put back')
  await setup.restart()
  t.equal(await setup.identity.authenticate({ bearer: secret, address }), null, 'and after a restart')
})

t.test('logout works while audit log and store are down', async (t) => {
  let isDown = false
  const setup = await startIdentity(t, {
    wrapDb: (db) =>
      new Proxy(db, {
        get: (target, name) => {
          if (isDown && name === 'deleteFrom') throw new Error('disk I/O error')
          const member: unknown = Reflect.get(target, name)
          return typeof member === 'function' ? member.bind(target) : member
        },
      }),
  })
  const { secret, login } = await setup.begin('alice')
  isDown = true
  setup.audit.down = true
  await setup.identity.logins.end(login.id, 'logout')
  t.equal(await setup.identity.authenticate({ bearer: secret, address }), null)
  t.match(setup.audit.spool, [{ type: 'login.ended' }])
  await setup.restart()
  t.equal(await setup.identity.authenticate({ bearer: secret, address }), null, 'the spool tells the next daemon')
  isDown = false
})

t.test('the provider ends logins by its session, or all of a person', async (t) => {
  const setup = await startIdentity(t)
  await setup.begin('alice', 'web', { sid: 'op-1' })
  await setup.begin('alice', 'cli', { sid: 'op-2' })
  const bob = await setup.begin('bob', 'web', { sid: 'op-3' })
  const { logins } = setup.identity
  t.equal(await logins.endOf({ issuer: 'https://other.example', sid: 'op-1' }, 'provider'), 0)
  t.equal(await logins.endOf({ issuer, sid: 'op-1', subject: 'sub-bob' }, 'provider'), 0)
  t.equal(await logins.endOf({ issuer, sid: 'op-1' }, 'provider'), 1)
  t.equal(await logins.endOf({ issuer, subject: 'sub-alice' }, 'provider'), 1)
  t.equal(await logins.endOf({ issuer }, 'provider'), 0)
  t.ok(await setup.identity.authenticate({ cookie: bob.secret, address }))
})

t.test('a provider whose clock is ahead makes no login younger', async (t) => {
  const setup = await startIdentity(t)
  const { login } = await setup.begin('alice', 'web', { authenticatedAt: startedAt + hour, acr: 'mfa' })
  t.equal(login.authenticatedAt, startedAt)
  t.equal(login.acr, 'mfa')
})

t.test('failed sign-ins are counted, and summed up in one event per upkeep', async (t) => {
  const setup = await startIdentity(t)
  for (let i = 0; i < 40; i++) setup.identity.logins.failed(i < 30 ? 'state mismatch' : `odd ${i}`, '198.51.100.1')
  setup.identity.logins.failed('state mismatch', '198.51.100.2')
  await setup.identity.tidy()
  await setup.identity.tidy()
  t.equal(setup.events('login.failed').length, 1)
  const [event] = setup.events('login.failed')
  t.match(event, { fields: { why_state_mismatch: 31, addresses: 2 }, text: { addresses: /^198\.51\.100\.1 \(40\)/ } })
  t.ok(Object.keys(event?.fields ?? {}).length < 25, 'nobody grows the event')
  const { values } = await setup.metrics.loginsTotal.get()
  t.match(values, [{ labels: { outcome: 'failed' }, value: 41 }])
})

t.test('rows that a writer of the database made or changed are refused', async (t) => {
  const setup = await startIdentity(t)
  const alice = await setup.begin('alice')
  const eve = await setup.begin('eve')
  await setup.db
    .updateTable('logins')
    .set({ principal_id: alice.login.principal.id })
    .where('id', '=', eve.login.id)
    .execute()
  t.equal(await setup.identity.authenticate({ bearer: eve.secret, address }), null, 'a login moved to somebody else')
  await setup.db
    .updateTable('principals')
    .set({ groups: '["platform"]' })
    .where('id', '=', alice.login.principal.id)
    .execute()
  t.equal(await setup.identity.principal(alice.login.principal.id), undefined, 'a group added by hand')
  t.equal(await setup.identity.authenticate({ bearer: alice.secret, address }), null)
  t.match(setup.events('store.refused'), [{ fields: { table: 'principals', row: alice.login.principal.id } }])
  const problems = []
  for await (const problem of checkIdentityMacs(setup.db, setup.keyring)) problems.push(problem)
  t.match(problems, [
    { where: 'principals', at: alice.login.principal.id },
    { where: 'logins', at: eve.login.id },
  ])
  await setup.begin('alice')
  t.match(
    await setup.identity.principal(alice.login.principal.id),
    { groups: ['engineering'] },
    'the provider heals it',
  )
})

t.test('an older row of a principal, put back with its valid MAC, is refused, also after a restart', async (t) => {
  const setup = await startIdentity(t)
  await setup.begin('alice', 'cli', { groups: ['platform'] })
  const old = await setup.db.selectFrom('principals').selectAll().executeTakeFirstOrThrow()
  const { login } = await setup.begin('alice', 'cli', { groups: [] })
  t.same(login.roles, ['user'])
  await setup.db.updateTable('principals').set(old).execute()
  t.equal(await setup.identity.principal(login.principal.id), undefined)
  await setup.restart()
  t.equal(await setup.identity.principal(login.principal.id), undefined)
})

t.test('an identity is issuer and subject: the same subject of another issuer is somebody else', async (t) => {
  const setup = await startIdentity(t)
  const one = await setup.begin('alice')
  const other = await setup.begin('alice', 'cli', { issuer: 'https://other.example' })
  const again = await setup.begin('alice', 'cli', { username: 'renamed', email: null })
  t.not(one.login.principal.id, other.login.principal.id)
  t.equal(one.login.principal.id, again.login.principal.id)
  await t.rejects(setup.identity.logins.begin(vouched('x', { subject: '' }), 'cli', { address }), {
    code: 'LOGIN_FAILED',
  })
})

t.test('a login secret is no password for a database', async (t) => {
  const setup = await startIdentity(t)
  const { secret } = await setup.begin('alice')
  await t.rejects(setup.identity.identify({ by: 'token', token: secret }, from(address)), { code: 'TOKEN_INVALID' })
})

t.test('a provider that does not answer holds up no end of a login that is idle or has expired', async (t) => {
  const { promise: isAsked, resolve: onAsked } = Promise.withResolvers<void>()
  const { promise: answer, resolve } = Promise.withResolvers<'unavailable'>()
  const prober = () => {
    onAsked()
    return answer
  }
  const setup = await startIdentity(t, { prober })
  const { login } = await setup.begin('alice', 'cli', { refreshToken: 'r1' })
  setup.time.now += hour
  const probing = setup.identity.probe()
  await isAsked
  await setup.identity.sweep()
  t.match(setup.events('login.ended'), [{ fields: { login: login.id, why: 'idle' } }])
  resolve('unavailable')
  await probing
})

t.test('a daemon that stops asks the provider about no more logins than it has begun with', async (t) => {
  const stopping = new AbortController()
  let asked = 0
  const prober = async () => {
    asked += 1
    stopping.abort()
    return 'unavailable' as const
  }
  const setup = await startIdentity(t, { prober })
  for (let i = 0; i < 10; i++) await setup.begin(`person${i}`, 'cli', { refreshToken: `r${i}` })
  setup.time.now += 15 * minute
  await setup.identity.probe(stopping.signal)
  t.ok(asked > 0 && asked <= 8, `${asked}`)
  const before = asked
  await setup.identity.probe()
  t.equal(asked, 10, `the other ${10 - before} are asked about next`)
})
