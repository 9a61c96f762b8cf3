import t, { type Test } from 'tap'
import type { Prober } from '../../../src/identity/logins/logins.ts'
import { quietFor, waitUntil } from '../../wait-until.ts'
import { bothStores } from '../store/both-stores.ts'
import { groupsOf, minute, startIdentity, vouched } from './identity-setup.ts'

/** A provider that rotates, and takes a token that it has replaced for a thief's. */
function strictProvider() {
  const sent: string[] = []
  const state = { valid: 'r1', sent, gate: Promise.resolve() }
  const prober: Prober = async (token, keep) => {
    sent.push(token)
    if (token !== state.valid) return 'gone'
    state.valid = `r${sent.length + 1}`
    await state.gate
    await keep(state.valid)
    return { ...vouched('alice', { groups: groupsOf.alice ?? [] }), idToken: `for ${token}` }
  }
  return { ...state, prober, hold: () => hold(state) }
}

function hold(state: { gate: Promise<void> }): () => void {
  const { promise, resolve } = Promise.withResolvers<void>()
  state.gate = promise
  return resolve
}

for (const [name, newPlace] of bothStores) {
  const start = async (t: Test) => {
    const provider = strictProvider()
    const a = await startIdentity(t, { place: await newPlace(), prober: provider.prober })
    const b = await startIdentity(t, { prober: provider.prober, beside: a })
    const { login } = await a.begin('alice', 'cli', { refreshToken: 'r1' })
    const isLive = async () => (await b.identity.credential({ kind: 'login', id: login.id })) !== undefined
    return { provider, a, b, login, isLive }
  }

  t.test(`${name}: two daemons never send one refresh token`, async (t) => {
    const { provider, a, b, login, isLive } = await start(t)
    a.time.now += 15 * minute
    const tokens = await Promise.all([
      b.identity.idToken(login.id),
      a.identity.idToken(login.id),
      a.identity.probe(),
      b.identity.probe(),
    ])
    t.same(new Set(tokens.slice(0, 2)).size, 2, 'each from a refresh of its own')
    t.same(provider.sent, [...new Set(provider.sent)], 'no token twice')
    t.ok(provider.sent.length >= 2)
    t.ok(await isLive())
    t.equal((await b.identity.principal(login.principal.id))?.active, true)
    t.same(a.events('login.ended'), [])
    const row = await a.db.selectFrom('logins').selectAll().executeTakeFirstOrThrow()
    t.equal(row.refreshing_until, null)
  })

  t.test(`${name}: what is refreshed at one daemon is waited for at the other`, async (t) => {
    const { provider, a, b, login } = await start(t)
    const release = provider.hold()
    const first = a.identity.idToken(login.id)
    await waitUntil(() => provider.sent.length === 1)
    const second = b.identity.idToken(login.id)
    const row = () => a.db.selectFrom('logins').selectAll().executeTakeFirstOrThrow()
    t.equal((await row()).refreshing_until, a.time.now + 30_000)
    release()
    t.same(await Promise.all([first, second]), ['for r1', 'for r2'])
  })

  t.test(`${name}: a daemon that was killed during a refresh holds it for half a minute`, async (t) => {
    const { provider, a, b, login, isLive } = await start(t)
    const lease = { refreshing_until: a.time.now + 30_000 }
    await a.db.updateTable('logins').set(lease).where('id', '=', login.id).execute()
    t.ok(await isLive(), 'which is no part of what is signed')
    const asked = b.identity.idToken(login.id)
    a.time.now += 29_999
    await quietFor(600, 'so that it has asked again')
    t.same(provider.sent, [])
    a.time.now += 1
    t.equal(await asked, 'for r1')
    t.same(provider.sent, ['r1'])
  })

  t.test(`${name}: the use of a login meanwhile takes nothing from who refreshes it`, async (t) => {
    const { provider, a, b, login } = await start(t)
    const { secret } = await b.begin('bob')
    const release = provider.hold()
    const first = a.identity.idToken(login.id)
    await waitUntil(() => provider.sent.length === 1)
    a.time.now += 5 * minute
    t.ok(await b.identity.authenticate({ bearer: secret, address: '192.0.2.7' }))
    await b.identity.logins.end(login.id, 'signed out')
    release()
    t.equal(await first, 'for r1')
    t.same(await a.db.selectFrom('logins').select('id').where('id', '=', login.id).execute(), [], 'it stays ended')
  })
}
