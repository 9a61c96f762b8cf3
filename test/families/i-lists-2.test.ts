/** The lists of sessions, recordings, events, tokens and people: paged and named like every other. */
import t from 'tap'
import { createLists } from '../../src/http/lists.ts'
import { auditRoutes } from '../../src/http/routes/audit.ts'
import { recordingRoutes } from '../../src/http/routes/recordings.ts'
import { sessionRoutes } from '../../src/http/routes/sessions.ts'
import { createSessionStore, type SessionRow } from '../../src/sessions/session-store.ts'
import { newId } from '../../src/store/ids.ts'
import { startFakeBroker } from '../proxy/local/fake-broker.ts'
import { ledgerId, ordersId } from '../src/access/access-setup.ts'
import { openAudit } from '../src/audit/start-audit.ts'
import { openTerminal } from '../src/cli/run-cli.ts'
import { type AccessAppDeps, startAccessApp } from '../src/http/access-app.ts'
import { hour, startedAt, startIdentity } from '../src/identity/identity-setup.ts'
import { sessionRow as session } from '../src/sessions/session-row.ts'

const keyring = { mac: () => 'mac', checkMac: () => true }

/** The API with sessions, recordings and a real audit log. @param given rows of sessions, oldest first */
async function startHouse(t: Parameters<typeof startAccessApp>[0], given: readonly SessionRow[] = []) {
  const { audit } = await openAudit(t)
  const recordings = {
    read: () => {
      throw new Error('nothing is read here')
    },
    bytes: () => Promise.reject(new Error('nothing is read here')),
    verify: async () => ({ ok: true, entries: 0, head: '' }),
  }
  const more = ({ db, access, lists }: AccessAppDeps) => {
    const store = createSessionStore(db, keyring)
    return [
      sessionRoutes({
        identity: { principal: async () => undefined },
        store,
        lists,
        mayEnd: access.mayEnd,
        sessions: { find: async () => undefined, kill: async () => undefined },
      }),
      recordingRoutes({ store, lists, audit, recordings }),
      auditRoutes({
        audit,
        lists,
        verifyAudit: () => Promise.reject(new Error('nothing is verified here')),
        now: () => 0,
      }),
    ]
  }
  const house = await startAccessApp(t, more)
  const store = createSessionStore(house.setup.db, keyring)
  const add = (row: SessionRow) => house.setup.db.executeQuery(store.inserting(row))
  for (const row of given) await add(row)
  return { ...house, audit, store, add }
}

t.test('I1: sessions and recordings are paged, counted and filtered alike', async (t) => {
  const rows = Array.from({ length: 12 }, (_, i) =>
    session(i % 3 === 0 ? 'carol' : 'alice', startedAt + i * 1000, i === 4 ? { resource_id: ledgerId } : {}),
  )
  const { call, store, add } = await startHouse(t, rows)
  const newestFirst = rows.map(({ id }) => id).reverse()
  for (const list of ['sessions', 'recordings']) {
    const get = async (person: string, query: string) => (await call(person, 'GET', `/api/v1/${list}?${query}`)).body
    const ids = async (query: string) => (await get('carol', query)).items.map(({ id }: SessionRow) => id)
    const first = await get('carol', 'limit=5')
    t.match(first, { items: { length: 5 }, total: rows.length, capped: false, next: newestFirst[4] }, list)
    t.same(first[list], first.items, 'also under the name from before')
    const late = session('alice', startedAt)
    await add(late)
    t.same(
      await ids(`limit=5&cursor=${first.next}`),
      newestFirst.slice(5, 10),
      'one that came meanwhile shifts nothing',
    )
    t.same(await ids(`limit=5&before=${first.next}`), newestFirst.slice(5, 10), 'as before there was a cursor')
    await t.resolves(
      store.ended(late.id, { endedAt: 1, reason: 'x', bytesUp: 0, bytesDown: 0, digest: null, entries: 0 }),
    )
    t.equal((await get('carol', 'who=carol%40example.com')).total, 4)
    t.same(await ids('resource=ledger'), [rows[4]?.id])
    t.same(await ids(`since=${startedAt + 9000}&until=${startedAt + 11_000}`), [rows[10]?.id, rows[9]?.id])
    t.match(await get('carol', 'who=nobody'), { status: 404, code: 'NOT_FOUND' })
    t.match(await get('carol', 'cursor=nonsense'), { status: 400, code: 'INVALID_INPUT' })
    newestFirst.unshift(late.id)
    rows.push(late)
  }
  const mine = await call('alice', 'GET', '/api/v1/sessions?limit=3&open=true')
  t.match(mine, { status: 200, body: { items: { length: 3 }, total: 8, capped: false } }, 'of one who sees a few')
  t.match(await call('eve', 'GET', '/api/v1/sessions'), { body: { items: [], next: null, total: 0 } })
})

t.test('I1: events are found by the names of people and resources, or it is an error', async (t) => {
  const { audit, call } = await startHouse(t)
  for (const [actor, resource] of [
    ['alice', ordersId],
    ['alice', ledgerId],
    ['bob', ordersId],
    ['gone', 'rds-postgres/111122223333/eu-west-1/removed'],
  ] as const)
    await audit.append({ type: 'grant.created', actor, fields: { grant: newId('grt'), principal: actor, resource } })
  await audit.append({ type: 'grant.revoked', actor: 'bob', fields: { grant: 'grt_1', principal: 'alice' } })
  const search = async (query: string) =>
    (await call('carol', 'GET', `/api/v1/audit/events?type=grant.created&type=grant.revoked&${query}`)).body
  t.equal((await search('actor=alice%40example.com')).total, 2)
  t.equal((await search('actor=alice')).total, 2)
  t.equal((await search('who=alice%40example.com')).total, 3, 'by or about them')
  t.equal((await search('resource=orders')).total, 2)
  t.equal((await search('who=bob&resource=orders')).total, 1)
  t.equal((await search('subject=alice%40example.com')).total, 3)
  t.equal((await search('subject=grt_1')).total, 1)
  t.equal((await search('who=gone')).total, 1, 'who has left the directory is found by the id')
  t.equal((await search('resource=rds-postgres/111122223333/eu-west-1/removed')).total, 1)
  for (const wrong of ['actor=alise%40example.com', 'who=nobody', 'resource=ordres', 'subject=grt_2'])
    t.match(await search(wrong), { status: 404, code: 'NOT_FOUND', detail: /nothing that you may see here/ }, wrong)
  for (const wrong of ['actor=alise%40example.com', 'who=nobody'])
    t.match(await search(wrong), { status: 404 }, `${wrong}, also the second time`)
  const page = await search('limit=2')
  t.match(page, { items: { length: 2 }, total: 5, capped: false, next: /^\d+$/ })
  await audit.append({ type: 'grant.created', actor: 'bob', fields: {} })
  const rest = await search(`limit=1000&cursor=${page.next}`)
  t.same(
    rest.items.map(({ seq }: { seq: number }) => seq),
    rest.events.map(({ seq }: { seq: number }) => seq),
  )
  t.equal(rest.items.length, 3)
  const [read] = (await call('carol', 'GET', '/api/v1/audit/events?type=audit.read&limit=1')).body.items
  t.match(read.fields, { what: 'search' }, 'and reading is on record')
})

t.test('I1: tokens and people are paged, counted and filtered alike', async (t) => {
  const { identity, begin, grantTo, time } = await startIdentity(t)
  const alice = (await begin('alice')).login
  const dave = (await begin('dave')).login
  const eve = (await begin('eve')).login
  grantTo(alice.principal.id)
  const apiIds: string[] = []
  const connectIds: string[] = []
  for (let i = 0; i < 7; i++) {
    const { view } = await identity.apiTokens.create(alice, { name: `t${i}`, scopes: ['read'], durationMs: 8 * hour })
    apiIds.unshift(view.id)
    connectIds.push((await identity.connectTokens.issue(alice, { resource: 'orders' })).view.id)
    if (i % 2 === 0) time.now += 1 // some in the same millisecond: their ids are random
  }
  const findResource = () => ({ id: ordersId }) as never
  const lists = createLists({ identity, access: { findResource } })
  const through = async (
    read: (cursor: object) => Promise<{ items: readonly { id: string }[]; next: string | null }>,
  ) => {
    const ids: string[] = []
    let cursor = {}
    for (;;) {
      const { items, next } = await read(cursor)
      ids.push(...items.map(({ id }) => id))
      if (next === null) return ids
      cursor = { cursor: next }
    }
  }
  t.same(await through((at) => identity.apiTokens.list(alice, { all: false, limit: 2, ...at })), apiIds)
  const paged = await through((at) => identity.connectTokens.list(alice, { all: false, limit: 2, ...at }))
  t.same(paged.toSorted(), connectIds.toSorted())
  t.match(await identity.apiTokens.list(alice, { all: false, limit: 2 }), { total: 7, capped: false })
  t.equal((await identity.apiTokens.list(eve, { all: true, principalId: alice.principal.id })).total, 0)
  const ofAlice = { who: 'alice@example.com', limit: 3 }
  for (const tokens of [identity.apiTokens, identity.connectTokens]) {
    const read = (login: typeof dave) =>
      lists.read<unknown>(login, ofAlice, (found) => tokens.list(login, { ...found, all: false }))
    t.match(await read(dave), { items: { length: 3 }, total: 7 }, 'an admin names a person and sees theirs')
    await t.rejects(read(eve), { code: 'NOT_FOUND' }, 'others see theirs alone')
  }
  const people = await lists.read(dave, { limit: 2 }, (found) => identity.principals(found))
  t.match(people, { items: { length: 2 }, total: 3, capped: false })
  t.match(await lists.read(dave, { who: 'eve@example.com' }, (found) => identity.principals(found)), {
    items: [{ id: eve.principal.id }],
    total: 1,
  })
  t.equal((await identity.principals({ until: startedAt })).total, 0)
})

t.test('I1: service accounts are paged and counted: their owner’s alone', async (t) => {
  const { identity, begin } = await startIdentity(t)
  const dave = (await begin('dave')).login
  const alice = (await begin('alice')).login
  const ids: string[] = []
  for (let i = 0; i < 5; i++) ids.push((await identity.createServiceAccount(dave, { name: `robot-${i}` })).id)
  await identity.createServiceAccount(dave, { name: 'hers', owner: 'alice' })
  ids.sort()
  const first = await identity.serviceAccounts(dave, { limit: 2 })
  t.match(first, { items: [{ id: ids[0] }, { id: ids[1] }], next: ids[1], total: 5, capped: false })
  const rest = await identity.serviceAccounts(dave, { limit: 1000, cursor: ids[1] ?? '' })
  t.match(rest, { items: { length: 3 }, next: null, total: 5, capped: false })
  t.match(await identity.serviceAccounts(alice, {}), { items: [{ name: 'hers' }], next: null, total: 1 })
})

t.test('I1: service accounts that are left out are spoken of on the command line', async (t) => {
  const broker = await startFakeBroker(t)
  const account = { id: 'prn_1', name: 'robot', groups: ['engineering'], active: true }
  broker.routes.set('GET /api/v1/service-accounts', () => {
    return { status: 200, body: { items: [account, account], next: account.id, total: 7, capped: false } }
  })
  const terminal = openTerminal(t, null, { SALLYPORT_SERVER: broker.url, SALLYPORT_TOKEN: 'x' })
  const ran = await terminal.run('service-accounts', 'ls', '--limit', '2')
  t.match(ran, { code: 0, stdout: /robot +prn_1 +engineering +accepted/, stderr: /^showing 2 of 7; / })
})
