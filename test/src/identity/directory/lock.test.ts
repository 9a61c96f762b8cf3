import t from 'tap'
import type { Login } from '../../../../src/identity/principal.ts'
import { from, hour, type IdentitySetup, ordersId, startedAt, startIdentity } from '../identity-setup.ts'

const address = '192.0.2.7'

async function withTokens(setup: IdentitySetup) {
  const dave = (await setup.begin('dave')).login
  const alice = await setup.begin('alice', 'cli', { refreshToken: 'r1' })
  setup.grantTo(alice.login.principal.id)
  const connect = await setup.identity.connectTokens.issue(alice.login, { resource: ordersId })
  const api = await setup.identity.apiTokens.create(alice.login, { name: 'ci', scopes: ['read'], durationMs: hour })
  return { dave, alice, connect, api, id: alice.login.principal.id }
}

async function isIn(setup: IdentitySetup, secret: string): Promise<boolean> {
  return (await setup.identity.authenticate({ bearer: secret, address })) !== null
}

t.test('a lock cuts sessions first, then everything the identity holds is dead', async (t) => {
  const setup = await startIdentity(t)
  const { dave, alice, connect, api, id } = await withTokens(setup)
  setup.changed.length = 0
  await setup.identity.lock(dave, 'alice@example.com', 'incident 42')
  t.match(setup.changed, [
    {
      what: 'principal',
      id,
      reason: 'principal-locked',
      text: 'the identity was locked by dave@example.com: incident 42',
      decidedAt: startedAt,
    },
  ])
  t.match(setup.events('principal.locked'), [
    { actor: dave.principal.id, fields: { principal: id }, text: { reason: 'incident 42' } },
  ])
  t.equal((await setup.identity.principal(id))?.lockedAt, startedAt)
  t.notOk(await isIn(setup, alice.secret))
  await t.rejects(setup.identity.authenticate({ bearer: api.token, address }), { code: 'PRINCIPAL_LOCKED' })
  await t.rejects(setup.identity.identify({ by: 'token', token: connect.token }, from(address)), {
    code: 'PRINCIPAL_LOCKED',
  })
  for (const credential of [
    { kind: 'login', id: alice.login.id },
    { kind: 'api-token', id: api.view.id },
    { kind: 'connect-token', id: connect.view.id },
  ] as const) {
    t.notOk(await setup.identity.credential(credential), credential.kind)
  }
  await t.rejects(setup.begin('alice'), { code: 'PRINCIPAL_LOCKED' })
  t.match(setup.events('login.failed'), [{ actor: id, fields: { why: 'PRINCIPAL_LOCKED' } }])
  const logins = await setup.db.selectFrom('logins').selectAll().where('principal_id', '=', id).execute()
  t.same(logins, [], 'the refresh token is gone')
})

t.test('unlocking is audited first and brings nothing back, even what somebody put back', async (t) => {
  const setup = await startIdentity(t)
  const { dave, connect, api, id } = await withTokens(setup)
  const apiRows = await setup.db.selectFrom('api_tokens').selectAll().execute()
  const connectRows = await setup.db.selectFrom('connect_tokens').selectAll().execute()
  await setup.identity.lock(dave, id, '')
  setup.audit.down = true
  await t.rejects(setup.identity.unlock(dave, id, ''), { code: 'AUDIT_UNAVAILABLE' })
  t.ok((await setup.identity.principal(id))?.lockedAt)
  setup.audit.down = false
  t.equal((await setup.identity.unlock(dave, id, 'over')).lockedAt, null)
  t.equal((await setup.identity.principal(id))?.lockedAt, null)
  t.match(setup.events('principal.unlocked'), [{ actor: dave.principal.id, fields: { principal: id } }])
  setup.time.now += 1
  t.ok(await isIn(setup, (await setup.begin('alice')).secret))
  await setup.db.insertInto('api_tokens').values(apiRows).execute()
  await setup.db.insertInto('connect_tokens').values(connectRows).execute()
  for (const round of ['before', 'after']) {
    t.notOk(await isIn(setup, api.token), `API token, ${round} a restart`)
    await t.rejects(setup.identity.identify({ by: 'token', token: connect.token }, from(address)), {
      code: 'TOKEN_INVALID',
    })
    await setup.restart()
  }
  await t.rejects(setup.identity.unlock(dave, id, ''), { code: 'INVALID_INPUT' })
})

t.test('a lock holds although audit log and store are down, and is stored by the next upkeep', async (t) => {
  let isDown = false
  const setup = await startIdentity(t, {
    wrapDb: (db) =>
      new Proxy(db, {
        get: (target, name) => {
          if (isDown && (name === 'insertInto' || name === 'updateTable' || name === 'deleteFrom'))
            throw new Error('disk I/O error')
          const member: unknown = Reflect.get(target, name)
          return typeof member === 'function' ? member.bind(target) : member
        },
      }),
  })
  const { dave, alice, id } = await withTokens(setup)
  isDown = true
  setup.audit.down = true
  await setup.identity.lock(dave, id, '')
  t.notOk(await isIn(setup, alice.secret))
  t.match(setup.audit.spool, [{ type: 'principal.locked', fields: { principal: id } }])
  t.match(await setup.db.selectFrom('principals').select('locked_at').where('id', '=', id).execute(), [
    { locked_at: null },
  ])
  await setup.restart()
  t.equal((await setup.identity.principal(id))?.lockedAt, startedAt, 'the spool tells the next daemon')
  isDown = false
  await setup.identity.tidy()
  t.match(await setup.db.selectFrom('principals').select('locked_at').where('id', '=', id).execute(), [
    { locked_at: startedAt },
  ])
})

t.test('a writer of the database can’t lift a lock', async (t) => {
  const setup = await startIdentity(t)
  const { dave, id } = await withTokens(setup)
  const before = await setup.db.selectFrom('principals').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
  await setup.identity.lock(dave, id, '')
  await setup.db.updateTable('principals').set(before).where('id', '=', id).execute()
  await t.rejects(setup.begin('alice'), { code: 'PRINCIPAL_LOCKED' }, 'the old row')
  await setup.restart()
  await t.rejects(setup.begin('alice'), { code: 'PRINCIPAL_LOCKED' }, 'the old row, after a restart')
  await setup.db.deleteFrom('principals').where('id', '=', id).execute()
  await t.rejects(setup.begin('alice'), { code: 'PRINCIPAL_LOCKED' }, 'no row')
})

t.test('a sign-in that is under way when the lock comes does not survive it', async (t) => {
  const setup = await startIdentity(t)
  const { dave, id } = await withTokens(setup)
  const begun = setup.begin('alice').catch((error: unknown) => error)
  await setup.identity.lock(dave, id, '')
  await begun
  t.same(await setup.db.selectFrom('logins').selectAll().where('principal_id', '=', id).execute(), [])
})

t.test('nobody unlocks themselves', async (t) => {
  const setup = await startIdentity(t)
  const { dave } = await withTokens(setup)
  const stale: Login = dave
  await setup.identity.lock(dave, dave.principal.id, '')
  await t.rejects(setup.identity.unlock(stale, dave.principal.id, ''), { code: 'DECISION_REFUSED' })
})

t.test(
  'who is locked again while an unlock erases what they held stays locked, though log and store are down',
  async (t) => {
    let onErase = () => {}
    let isDown = false
    const setup = await startIdentity(t, {
      wrapDb: (db) =>
        new Proxy(db, {
          get: (target, name) => {
            if (name === 'deleteFrom') onErase()
            if (isDown && name === 'updateTable') throw new Error('disk I/O error')
            const member: unknown = Reflect.get(target, name)
            return typeof member === 'function' ? member.bind(target) : member
          },
        }),
    })
    const { dave, id } = await withTokens(setup)
    await setup.identity.lock(dave, id, '')
    let again: Promise<unknown> | undefined
    onErase = () => {
      isDown = true
      setup.audit.down = true
      again ??= setup.catchUp().then(() => setup.identity.lock(dave, id, 'again')) // the log has told of the unlock
    }
    await setup.identity.unlock(dave, id, '')
    await again
    t.ok(again, 'it was locked meanwhile')
    t.not((await setup.identity.principal(id))?.lockedAt, null)
  },
)

t.test(
  'a lock that the spool and the log have is undone by an unlock that came after it, at whichever daemon',
  async (t) => {
    const setup = await startIdentity(t)
    const { dave, id } = await withTokens(setup)
    await setup.identity.lock(dave, id, '')
    const [lock] = setup.events('principal.locked')
    if (!lock) throw new Error('no event')
    const logged = { ...lock, fields: { ...lock.fields, spooled: 'a1' } }
    setup.audit.records.splice(setup.audit.records.indexOf(lock), 1, logged)
    await setup.identity.unlock(dave, id, '')
    setup.audit.spool.push(logged)
    await setup.restart()
    t.equal((await setup.identity.principal(id))?.lockedAt, null)
    setup.audit.spool.push({ ...lock, fields: { ...lock.fields, spooled: 'a2' } })
    await setup.restart()
    t.equal((await setup.identity.principal(id))?.lockedAt, startedAt, 'one that the log has not yet counts')
  },
)
