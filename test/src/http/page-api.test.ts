/** What the page asks for beside the lists: who its reader is, one of each by its id, and the boxes of requests. */
import t, { type Test } from 'tap'
import { meRoutes } from '../../../src/http/routes/me.ts'
import { sessionRoutes } from '../../../src/http/routes/sessions.ts'
import { createSessionStore } from '../../../src/sessions/session-store.ts'
import { newId } from '../../../src/store/ids.ts'
import { hour, ordersId } from '../access/access-setup.ts'
import { sessionRow } from '../sessions/session-row.ts'
import { type AccessAppDeps, startAccessApp } from './access-app.ts'

const day = 24 * hour
const keyring = { mac: () => 'mac', checkMac: () => true }

async function startHouse(t: Test) {
  const managers = new Set(['meg'])
  const more = ({ db, access, lists, clock }: AccessAppDeps) => {
    const store = createSessionStore(db, keyring)
    const find = async (id: string) => {
      const row = await store.find(id)
      return row && { principalId: row.principal_id, grantId: row.grant_id, resourceId: row.resource_id }
    }
    return [
      meRoutes({ access, clock, version: '1.2.3', identity: { hasReports: async ({ id }) => managers.has(id) } }),
      sessionRoutes({ store, lists, mayEnd: access.mayEnd, sessions: { find, kill: async () => undefined } }),
    ]
  }
  const house = await startAccessApp(t, more)
  const store = createSessionStore(house.setup.db, keyring)
  const get = async (person: string, path: string) => (await house.call(person, 'GET', `/api/v1${path}`)).body
  const ask = async (ticket: string) => {
    const wanted = { resource: ordersId, level: 'admin', durationMs: hour, reason: 'why', ticket }
    const { request } = await house.setup.access.request(house.setup.login('alice'), wanted)
    return request
  }
  const decide = async (person: string, id: string, verdict: 'approve' | 'deny') => {
    const { request } = await get(person, `/requests/${id}`)
    return await house.setup.access.decide(house.setup.login(person), id, { verdict, digest: request.digest })
  }
  return { ...house, store, get, ask, decide }
}

t.test('me: who the caller is, what to offer them, and what waits', async (t) => {
  const { get, ask, decide, setup } = await startHouse(t)
  const alice = await get('alice', '/me')
  t.match(alice, {
    principal: { id: 'alice', kind: 'person', name: 'alice@example.com', groups: ['engineering'] },
    issuer: 'id.example.com',
    roles: ['user'],
    via: 'cli',
    can: { decide: false, audit: false, admin: false },
    counts: { decide: 0, mine: 0 },
    version: '1.2.3',
  })
  t.ok(Math.abs(alice.now - setup.clock.now()) < day && alice.expiresAt > alice.now)
  t.notOk('subject' in alice.principal || 'manager' in alice.principal)
  const { id } = await ask('OPS-1')
  await ask('OPS-2')
  const counts = async (person: string) => (await get(person, '/me')).counts
  const can = async (person: string) => (await get(person, '/me')).can
  t.same(await counts('alice'), { decide: 0, mine: 2 })
  t.same(await counts('bob'), { decide: 2, mine: 0 })
  t.same(await counts('eve'), { decide: 0, mine: 0 })
  t.same(await counts('dave'), { decide: 0, mine: 0 }, 'an admin sees all, and these do not wait for him')
  t.same(await can('bob'), { decide: true, audit: false, admin: false }, 'of a group that a rule names')
  t.same(await can('carol'), { decide: false, audit: true, admin: false })
  t.same(await can('dave'), { decide: false, audit: true, admin: true })
  await decide('bob', id, 'approve')
  t.same(await counts('bob'), { decide: 1, mine: 0 })
  await setup.change('meg', { groups: [] })
  t.same(await can('meg'), { decide: true, audit: false, admin: false }, 'the manager of somebody')
  t.same(await counts('meg'), { decide: 1, mine: 0 })
})

t.test('me: what waits is counted up to a hundred', async (t) => {
  const { get, ask, setup } = await startHouse(t)
  for (let i = 0; i < 50; i++) await ask('OPS-1')
  const rows = await setup.db.selectFrom('requests').selectAll().execute()
  const copies = rows.flatMap((row) => [1, 2].map(() => ({ ...row, id: newId('req') })))
  await setup.db.insertInto('requests').values(copies).execute()
  t.same((await get('bob', '/me')).counts, { decide: 50, mine: 0 }, 'what the broker did not write is none')
})

t.test('requests: in a box are those of the caller alone', async (t) => {
  const { get, ask, decide } = await startHouse(t)
  const [first, second, third] = [await ask('OPS-1'), await ask('OPS-2'), await ask('OPS-3')]
  const box = async (person: string, query: string) => {
    const { items, total, capped } = await get(person, `/requests?box=${query}`)
    t.same([total, capped], [items.length, false], `${person}: ${query}`)
    return items.map(({ id }: { id: string }) => id)
  }
  await decide('bob', first.id, 'approve')
  await decide('bob', second.id, 'deny')
  t.same(await box('bob', 'decide'), [third.id])
  t.same(await box('meg', 'decide'), [third.id, first.id], 'also the stage that is next')
  t.same(await box('olga', 'decide'), [third.id])
  t.same(await box('bob', 'decided'), [second.id, first.id], 'whatever became of them')
  t.same(await box('olga', 'decided'), [])
  t.same(await box('alice', 'mine'), [third.id, first.id])
  t.same(await box('alice', 'mine&all=true'), [third.id, second.id, first.id])
  t.same(await box('alice', 'decide'), [])
  for (const overseer of ['dave', 'carol'])
    for (const query of ['decide', 'mine&all=true', 'decided']) t.same(await box(overseer, query), [], overseer)
  t.equal((await get('bob', '/requests?box=decided&limit=1')).next, second.id, 'paged')
  t.equal((await get('bob', '/requests?box=other')).code, 'INVALID_INPUT')
})

t.test('a request comes with what to decide it by', async (t) => {
  const { get, ask, decide, setup, store } = await startHouse(t)
  const old = await ask('OPS-0')
  await decide('bob', old.id, 'deny')
  setup.clock.advance(31 * day)
  const denied = await ask('OPS-1')
  await decide('olga', denied.id, 'deny')
  const granted = await ask('OPS-2')
  await decide('bob', granted.id, 'approve')
  await decide('meg', granted.id, 'approve')
  for (const ended_at of [null, null, setup.clock.now()])
    await setup.db.executeQuery(store.inserting(sessionRow('alice', setup.clock.now(), { ended_at })))
  const request = await ask('OPS-3')
  const { context } = await get('bob', `/requests/${request.id}`)
  t.same(context, {
    tags: { env: 'prod' },
    means: [
      { label: 'database user', value: 'rw' },
      { label: 'database', value: 'shop' },
    ],
    grants30d: 1,
    denied30d: 1,
    openSessions: 2,
  })
  for (const id of [request.id, newId('req')])
    t.match(await get('eve', `/requests/${id}`), {
      status: 404,
      code: 'NOT_FOUND',
      detail: `not found: no request ${id}`,
    })
})

t.test('one grant and one session, for whom the list has them', async (t) => {
  const { get, ask, decide, call, setup, store } = await startHouse(t)
  const { id } = await ask('OPS-1')
  await decide('bob', id, 'approve')
  const { grant } = await decide('meg', id, 'approve')
  const row = sessionRow('alice', setup.clock.now(), { grant_id: grant?.id ?? '', level: 'admin' })
  await setup.db.executeQuery(store.inserting(row))
  for (const person of ['alice', 'bob', 'meg', 'carol', 'dave']) {
    t.same(await get(person, `/grants/${grant?.id}`), { grant: (await get('alice', '/grants')).items[0] }, person)
    t.same(await get(person, `/sessions/${row.id}`), { session: (await get('alice', '/sessions')).items[0] }, person)
  }
  const texts = async (path: string, id: string) =>
    (await call('eve', 'GET', `/api/v1/${path}/${id}`)).body.detail.replace(id, 'ID')
  t.equal(await texts('grants', grant?.id ?? ''), await texts('grants', newId('grt')))
  t.equal(await texts('sessions', row.id), await texts('sessions', newId('ses')))
  t.equal((await call('eve', 'GET', `/api/v1/sessions/${row.id}`)).status, 404)
  await setup.access.revoke(setup.login('dave'), grant?.id ?? '', 'incident')
  t.match(
    await get('alice', `/grants/${grant?.id}`),
    { grant: { state: 'revoked', endText: /incident/ } },
    'also when it is over',
  )
})
