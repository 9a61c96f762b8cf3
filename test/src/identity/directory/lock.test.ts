import t from 'tap'
import type { Login } from '../../../../src/identity/principal.ts'
import { from, type House, hour, ordersId, startedAt, startHouse } from '../identity-house.ts'

const address = '192.0.2.7'

async function withTokens(house: House) {
  const dave = (await house.begin('dave')).login
  const alice = await house.begin('alice', 'cli', { refreshToken: 'r1' })
  house.grantTo(alice.login.principal.id)
  const connect = await house.identity.connectTokens.issue(alice.login, { resource: ordersId })
  const api = await house.identity.apiTokens.create(alice.login, { name: 'ci', scopes: ['read'], durationMs: hour })
  return { dave, alice, connect, api, id: alice.login.principal.id }
}

async function isIn(house: House, secret: string): Promise<boolean> {
  return (await house.identity.authenticate({ bearer: secret, address })) !== null
}

t.test('a lock cuts sessions first, then everything the identity holds is dead', async (t) => {
  const house = await startHouse(t)
  const { dave, alice, connect, api, id } = await withTokens(house)
  house.changed.length = 0
  await house.identity.lock(dave, 'alice@example.com', 'incident 42')
  t.match(house.changed, [
    {
      what: 'principal',
      id,
      reason: 'principal-locked',
      text: 'the identity was locked by dave@example.com: incident 42',
      decidedAt: startedAt,
    },
  ])
  t.match(house.events('principal.locked'), [
    { actor: dave.principal.id, fields: { principal: id }, text: { reason: 'incident 42' } },
  ])
  t.equal((await house.identity.principal(id))?.lockedAt, startedAt)
  t.notOk(await isIn(house, alice.secret))
  await t.rejects(house.identity.authenticate({ bearer: api.token, address }), { code: 'PRINCIPAL_LOCKED' })
  await t.rejects(house.identity.identify({ by: 'token', token: connect.token }, from(address)), {
    code: 'PRINCIPAL_LOCKED',
  })
  for (const credential of [
    { kind: 'login', id: alice.login.id },
    { kind: 'api-token', id: api.view.id },
    { kind: 'connect-token', id: connect.view.id },
  ] as const) {
    t.equal(await house.identity.credentialLive(credential), false, credential.kind)
  }
  await t.rejects(house.begin('alice'), { code: 'PRINCIPAL_LOCKED' })
  t.match(house.events('login.failed'), [{ actor: id, fields: { why: 'PRINCIPAL_LOCKED' } }])
  const logins = await house.db.selectFrom('logins').selectAll().where('principal_id', '=', id).execute()
  t.same(logins, [], 'the refresh token is gone')
})

t.test('unlocking is audited first and brings nothing back, even what somebody put back', async (t) => {
  const house = await startHouse(t)
  const { dave, connect, api, id } = await withTokens(house)
  const apiRows = await house.db.selectFrom('api_tokens').selectAll().execute()
  const connectRows = await house.db.selectFrom('connect_tokens').selectAll().execute()
  await house.identity.lock(dave, id, '')
  house.audit.down = true
  await t.rejects(house.identity.unlock(dave, id, ''), { code: 'AUDIT_UNAVAILABLE' })
  t.ok((await house.identity.principal(id))?.lockedAt)
  house.audit.down = false
  t.equal((await house.identity.unlock(dave, id, 'over')).lockedAt, null)
  t.equal((await house.identity.principal(id))?.lockedAt, null)
  t.match(house.events('principal.unlocked'), [{ actor: dave.principal.id, fields: { principal: id } }])
  house.time.now += 1
  t.ok(await isIn(house, (await house.begin('alice')).secret))
  await house.db.insertInto('api_tokens').values(apiRows).execute()
  await house.db.insertInto('connect_tokens').values(connectRows).execute()
  for (const round of ['before', 'after']) {
    t.notOk(await isIn(house, api.token), `API token, ${round} a restart`)
    await t.rejects(house.identity.identify({ by: 'token', token: connect.token }, from(address)), {
      code: 'TOKEN_INVALID',
    })
    await house.restart()
  }
  await t.rejects(house.identity.unlock(dave, id, ''), { code: 'INVALID_INPUT' })
})

t.test('a lock holds although audit log and store are down, and is stored by the next sweep', async (t) => {
  let isDown = false
  const house = await startHouse(t, {
    wrapDb: (db) =>
      new Proxy(db, {
        get: (target, name) => {
          if (isDown && (name === 'insertInto' || name === 'deleteFrom')) throw new Error('disk I/O error')
          const member: unknown = Reflect.get(target, name)
          return typeof member === 'function' ? member.bind(target) : member
        },
      }),
  })
  const { dave, alice, id } = await withTokens(house)
  isDown = true
  house.audit.down = true
  await house.identity.lock(dave, id, '')
  t.notOk(await isIn(house, alice.secret))
  t.match(house.audit.spool, [{ type: 'principal.locked', fields: { principal: id } }])
  t.match(await house.db.selectFrom('principals').select('locked_at').where('id', '=', id).execute(), [
    { locked_at: null },
  ])
  await house.restart()
  t.equal((await house.identity.principal(id))?.lockedAt, startedAt, 'the spool tells the next daemon')
  isDown = false
  await house.identity.sweep()
  t.match(await house.db.selectFrom('principals').select('locked_at').where('id', '=', id).execute(), [
    { locked_at: startedAt },
  ])
})

t.test('a writer of the database can’t lift a lock', async (t) => {
  const house = await startHouse(t)
  const { dave, id } = await withTokens(house)
  const before = await house.db.selectFrom('principals').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
  await house.identity.lock(dave, id, '')
  await house.db.updateTable('principals').set(before).where('id', '=', id).execute()
  await t.rejects(house.begin('alice'), { code: 'PRINCIPAL_LOCKED' }, 'the old row')
  await house.restart()
  await t.rejects(house.begin('alice'), { code: 'PRINCIPAL_LOCKED' }, 'the old row, after a restart')
  await house.db.deleteFrom('principals').where('id', '=', id).execute()
  await t.rejects(house.begin('alice'), { code: 'PRINCIPAL_LOCKED' }, 'no row')
})

t.test('a sign-in that is under way when the lock comes does not survive it', async (t) => {
  const house = await startHouse(t)
  const { dave, id } = await withTokens(house)
  const begun = house.begin('alice').catch((error: unknown) => error)
  await house.identity.lock(dave, id, '')
  await begun
  t.same(await house.db.selectFrom('logins').selectAll().where('principal_id', '=', id).execute(), [])
})

t.test('tokens that a locked person made for a service account are frozen with them', async (t) => {
  const house = await startHouse(t)
  const { dave, alice, id } = await withTokens(house)
  const robot = await house.identity.createServiceAccount(dave, { name: 'robot', owner: id })
  const ask = { name: 'ci', scopes: ['read'], durationMs: hour, serviceAccount: 'robot' } as const
  const made = await house.identity.apiTokens.create(alice.login, ask)
  const other = await house.identity.apiTokens.create(dave, ask)
  t.equal((await house.identity.authenticate({ bearer: made.token, address }))?.principal.id, robot.id)
  house.changed.length = 0
  await house.identity.lock(dave, id, '')
  t.match(house.changed[1], { what: 'token', id: made.view.id, reason: 'principal-locked' })
  await t.rejects(house.identity.authenticate({ bearer: made.token, address }), { code: 'PRINCIPAL_LOCKED' })
  t.equal(await house.identity.credentialLive({ kind: 'api-token', id: made.view.id }), false)
  t.ok(await isIn(house, other.token), 'the account itself goes on')
})

t.test('nobody unlocks themselves', async (t) => {
  const house = await startHouse(t)
  const { dave } = await withTokens(house)
  const stale: Login = dave
  await house.identity.lock(dave, dave.principal.id, '')
  await t.rejects(house.identity.unlock(stale, dave.principal.id, ''), { code: 'DECISION_REFUSED' })
})
