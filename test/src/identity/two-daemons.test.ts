import t, { type Test } from 'tap'
import { isRemoval } from '../../../src/store/changes.ts'
import { bothStores } from '../store/both-stores.ts'
import { from, groupsOf, hour, ordersId, startedAt, startIdentity } from './identity-setup.ts'

const address = '192.0.2.7'

for (const [name, newPlace] of bothStores) {
  /** Two daemons on one store; `b` hears of what `a` does when it catches up with the log. */
  const start = async (t: Test, more: Parameters<typeof startIdentity>[1] = {}) => {
    const a = await startIdentity(t, { place: await newPlace(), ...more })
    const b = await startIdentity(t, { ...more, beside: a })
    const dave = (await a.begin('dave')).login
    return { a, b, dave }
  }

  t.test(`${name}: a lock at one daemon cuts sessions and refuses sign-ins at the other`, async (t) => {
    const { a, b, dave } = await start(t)
    const { login, secret } = await b.begin('alice')
    const id = login.principal.id
    await a.identity.lock(dave, id, 'incident 42')
    t.equal(await b.identity.authenticate({ bearer: secret, address }), null, 'before it is told')
    await t.rejects(b.begin('alice'), { code: 'PRINCIPAL_LOCKED' })
    t.same(b.changed.filter(isRemoval), [])
    a.time.now += 200
    await b.catchUp()
    const text = 'the identity was locked by dave@example.com: incident 42'
    const decidedAt = startedAt
    const cut = { what: 'principal', id, reason: 'principal-locked', text, decidedAt, from: 'elsewhere' }
    t.match(b.changed.filter(isRemoval), [cut])
    await a.db.updateTable('principals').set({ locked_at: null }).where('id', '=', id).execute()
    await t.rejects(b.begin('alice'), { code: 'PRINCIPAL_LOCKED' }, 'whatever the store says')
    t.equal(await b.identity.credential({ kind: 'login', id: login.id }), undefined)
  })

  t.test(`${name}: a sign-in that is under way at the other daemon does not overwrite a lock`, async (t) => {
    const { a, b, dave } = await start(t)
    const { login } = await a.begin('alice')
    const id = login.principal.id
    const signIns = Array.from({ length: 4 }, (_, i) =>
      b.begin('alice', 'cli', { groups: [`group-${i}`] }).catch((error: { code: string }) => error.code),
    )
    await a.identity.lock(dave, id, '')
    await Promise.all(signIns)
    t.equal((await b.identity.principal(id))?.lockedAt, startedAt)
    const row = await a.db.selectFrom('principals').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
    t.equal(row.locked_at, startedAt)
    t.same(await a.db.selectFrom('logins').selectAll().where('principal_id', '=', id).execute(), [])
    await t.rejects(b.begin('alice'), { code: 'PRINCIPAL_LOCKED' })
  })

  t.test(`${name}: two sign-ins of one person at two daemons both count, and no group is lost`, async (t) => {
    const { a, b } = await start(t)
    const both = await Promise.all([a.begin('alice'), b.begin('alice'), a.begin('carol'), b.begin('carol')])
    for (const { secret } of both)
      for (const at of [a, b]) t.ok(await at.identity.authenticate({ bearer: secret, address }))
    t.equal(a.events('principal.created').length, 3, 'each person once')
    t.equal(a.events('login.succeeded').length, 5)
    t.same((await b.identity.principal(both[2].login.principal.id))?.groups, groupsOf.carol)
  })

  t.test(`${name}: an unlock is told; what is from before it stays void`, async (t) => {
    const { a, b, dave } = await start(t)
    const { login } = await b.begin('alice')
    const id = login.principal.id
    b.grantTo(id)
    const { token } = await b.identity.connectTokens.issue(login, { resource: ordersId })
    const rows = await a.db.selectFrom('connect_tokens').selectAll().execute()
    await a.identity.lock(dave, id, '')
    await b.catchUp()
    a.time.now += 1000
    await a.identity.unlock(dave, id, '')
    await t.rejects(b.begin('alice'), { code: 'PRINCIPAL_LOCKED' }, 'until it is told')
    await b.catchUp()
    await a.db.insertInto('connect_tokens').values(rows).execute()
    await t.rejects(b.identity.identify({ by: 'token', token }, from(address)), { code: 'TOKEN_INVALID' })
    a.time.now += 1
    t.ok((await b.begin('alice')).secret)
    await b.identity.tidy()
    t.equal((await a.identity.principal(id))?.lockedAt, null, 'the upkeep of the other does not lock it again')
  })

  t.test(`${name}: of a lock and an unlock at once the log says which holds, at both daemons`, async (t) => {
    const { a, b, dave } = await start(t)
    const { login } = await a.begin('alice')
    const id = login.principal.id
    await a.identity.lock(dave, id, '')
    await b.catchUp()
    const [unlocked] = await Promise.allSettled([a.identity.unlock(dave, id, ''), b.identity.lock(dave, id, 'again')])
    if (unlocked.status === 'rejected') t.match(unlocked.reason, { code: 'STALE' })
    const last = a.audit.records.findLast(({ type }) => type === 'principal.locked' || type === 'principal.unlocked')
    for (const daemon of [a, b]) {
      await daemon.catchUp()
      const isLocked = (await daemon.identity.principal(id))?.lockedAt !== null
      t.equal(isLocked, last?.type === 'principal.locked')
    }
  })

  t.test(`${name}: the row that stood before a removal elsewhere is not believed when it is put back`, async (t) => {
    const { a, b } = await start(t)
    const { login } = await b.begin('alice', 'cli', { groups: ['engineering', 'oncall'] })
    const id = login.principal.id
    const before = await a.db.selectFrom('principals').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
    await a.begin('alice', 'cli', { groups: ['engineering'] })
    await b.catchUp()
    t.match(b.changed.at(-1), { what: 'directory', id }, 'grants are judged again')
    await a.db.updateTable('principals').set(before).where('id', '=', id).execute()
    t.equal(await b.identity.principal(id), undefined)
    t.match(a.events('store.refused'), [{ fields: { row: id } }])
  })

  t.test(`${name}: a login that ended elsewhere is not accepted, and its sessions are cut`, async (t) => {
    const { a, b } = await start(t)
    const { login, secret } = await b.begin('alice')
    const rows = await a.db.selectFrom('logins').selectAll().where('id', '=', login.id).execute()
    await a.identity.logins.end(login.id, 'signed out')
    t.equal(await b.identity.authenticate({ bearer: secret, address }), null, 'before it is told')
    await b.catchUp()
    const how = {
      reason: 'login-ended',
      text: 'the sign-in ended: signed out',
      decidedAt: startedAt,
      from: 'elsewhere',
    }
    t.match(b.changed.filter(isRemoval), [{ what: 'login', id: login.id, ...how }])
    await a.db.insertInto('logins').values(rows).execute()
    t.equal(await b.identity.authenticate({ bearer: secret, address }), null, 'put back')
  })

  t.test(`${name}: tokens that were revoked elsewhere are not accepted, and their sessions are cut`, async (t) => {
    const { a, b } = await start(t)
    const { login } = await b.begin('alice')
    b.grantTo(login.principal.id)
    const api = await b.identity.apiTokens.create(login, { name: 'ci', scopes: ['connect'], durationMs: hour })
    const byApi = await b.identity.authenticate({ bearer: api.token, address })
    if (!byApi) throw new Error('the API token is not accepted')
    const connect = await b.identity.connectTokens.issue(byApi, { resource: ordersId })
    const [apiRows, connectRows] = [
      await a.db.selectFrom('api_tokens').selectAll().execute(),
      await a.db.selectFrom('connect_tokens').selectAll().execute(),
    ]
    await a.identity.apiTokens.revoke(login, api.view.id)
    await b.catchUp()
    t.match(b.changed.filter(isRemoval), [
      { what: 'token', id: connect.view.id, text: 'the connect token was revoked by alice@example.com' },
      { what: 'token', id: api.view.id, text: 'the API token was revoked by alice@example.com', from: 'elsewhere' },
    ])
    await a.db.insertInto('api_tokens').values(apiRows).execute()
    await a.db.insertInto('connect_tokens').values(connectRows).execute()
    t.equal(await b.identity.authenticate({ bearer: api.token, address }), null)
    await t.rejects(b.identity.identify({ by: 'token', token: connect.token }, from(address)), {
      code: 'TOKEN_INVALID',
    })
  })

  t.test(`${name}: a token that expires ends what it opened, whichever daemon erases its row`, async (t) => {
    const { a, b } = await start(t)
    const { login } = await a.begin('alice')
    a.grantTo(login.principal.id)
    const { token, view } = await a.identity.connectTokens.issue(login, { resource: ordersId, durationMs: 60_000 })
    const api = await a.identity.apiTokens.create(login, { name: 'ci', scopes: ['read'], durationMs: 60_000 })
    await b.identity.identify({ by: 'token', token }, from(address))
    await b.identity.authenticate({ bearer: api.token, address })
    a.time.now += 60_000
    await a.identity.sweep()
    t.same(await a.db.selectFrom('connect_tokens').selectAll().execute(), [])
    await b.catchUp()
    t.same(b.changed.filter(isRemoval), [], 'no event tells of it')
    await b.identity.tidy()
    const why = { what: 'token', reason: 'token-revoked' }
    t.match(b.changed.filter(isRemoval), [
      { ...why, id: view.id },
      { ...why, id: api.view.id },
    ])
    await b.identity.tidy()
    t.equal(b.changed.filter(isRemoval).length, 2, 'once')
  })

  t.test(`${name}: a service account that its owner gave up elsewhere ends here, and back`, async (t) => {
    const { a, b, dave } = await start(t)
    const { login: alice } = await a.begin('alice')
    const bot = await b.identity.createServiceAccount(dave, { name: 'bot', owner: alice.principal.id })
    await a.catchUp()
    t.equal((await a.identity.principal(bot.id))?.madeBy, dave.principal.id, 'who made it is told')
    await b.identity.acceptServiceAccount(alice, 'bot')
    await a.identity.withdrawServiceAccount(alice, 'bot')
    t.equal((await b.identity.principal(bot.id))?.active, false)
    await b.catchUp()
    const text = 'alice@example.com no longer accepts the service account'
    t.match(b.changed.filter(isRemoval), [{ what: 'principal', id: bot.id, reason: 'principal-inactive', text }])
    const both = await Promise.allSettled([
      a.identity.createServiceAccount(dave, { name: 'twin' }),
      b.identity.createServiceAccount(dave, { name: 'twin' }),
    ])
    t.same(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected'], 'one name, one service account')
    for (const made of both) if (made.status === 'rejected') t.match(made.reason, { code: 'INVALID_INPUT' })
  })
}
