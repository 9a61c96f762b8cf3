/** What the page asks for beside the lists: who its reader is, one of each by its id, and the boxes of requests. */
import t, { type Test } from 'tap'
import { connectOptionRoutes } from '../../../src/http/routes/page/connect-options.ts'
import { meRoutes } from '../../../src/http/routes/page/me.ts'
import { sessionRoutes } from '../../../src/http/routes/sessions.ts'
import { createSessionStore } from '../../../src/sessions/session-store.ts'
import { newId } from '../../../src/store/ids.ts'
import { type AccessSetup, config, exampleRules, hour, kinds, ordersId } from '../access/access-setup.ts'
import { sessionRow } from '../sessions/session-row.ts'
import { type AccessAppDeps, startAccessApp } from './access-app.ts'

const day = 24 * hour
const keyring = { mac: () => 'mac', checkMac: () => true }

const reload = ({ access }: AccessSetup, rules: Parameters<typeof config>[0]) => access.reload(config(rules))

async function startHouse(t: Test) {
  const managers = new Set(['meg'])
  const more = ({ db, access, lists, clock, identity }: AccessAppDeps) => {
    const store = createSessionStore(db, keyring)
    const find = async (id: string) => {
      const row = await store.find(id)
      return row && { principalId: row.principal_id, grantId: row.grant_id, resourceId: row.resource_id }
    }
    return [
      connectOptionRoutes({
        ...{ access, kinds, publicUrl: 'https://access.example.com:8443/' },
        endpointOf: (id) => (id === ordersId ? { host: 'access.example.com', port: 5432 } : null),
        authorityOf: async () => 'PEM',
      }),
      meRoutes({ access, clock, version: '1.2.3', identity: { hasReports: async ({ id }) => managers.has(id) } }),
      sessionRoutes({
        ...{ store, lists, identity, mayEnd: access.mayEnd },
        sessions: { find, kill: async () => undefined },
      }),
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
  t.same(await can('meg'), { decide: true, audit: false, admin: false }, 'the manager of a person who can ask')
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

t.test('connect options: what commands and clients need for a live grant of one’s own, and no secret', async (t) => {
  const { get, call, setup } = await startHouse(t)
  const take = async (level: string, ticket?: string) => {
    const ask = { resource: ordersId, level, durationMs: hour, reason: 'why', ...(ticket ? { ticket } : {}) }
    return await setup.access.request(setup.login('alice'), ask)
  }
  const { grant } = await take('readonly')
  const options = (person = 'alice', id = grant?.id ?? '') => get(person, `/connect/options?grant=${id}`)
  t.same(await options(), {
    grantId: grant?.id,
    resourceId: ordersId,
    name: 'orders',
    protocol: 'postgres',
    server: 'https://access.example.com:8443',
    host: 'access.example.com',
    port: 5432,
    database: 'shop',
    ca: 'PEM',
    login: 'sallyport login --server https://access.example.com:8443',
    commands: [{ title: 'psql', command: 'sallyport psql orders' }],
  })
  const { request } = await take('admin', 'OPS-1')
  for (const person of ['bob', 'meg'])
    await setup.access.decide(setup.login(person), request.id, { verdict: 'approve', digest: request.digest })
  t.same((await options()).commands, [{ title: 'psql', command: 'sallyport psql orders --level readonly' }])
  for (const [person, id] of [
    ['bob', grant?.id],
    ['dave', grant?.id],
    ['alice', newId('grt')],
  ] as const) {
    const { status, body } = await call(person, 'GET', `/api/v1/connect/options?grant=${id}`)
    t.same([status, body.code, body.detail], [404, 'NOT_FOUND', `not found: you have no grant ${id}`], person)
  }
  await setup.access.giveBack(setup.login('alice'), grant?.id ?? '')
  t.match(await options(), { status: 403 }, 'one that is over opens nothing')
})

t.test(
  'connect options: a name that others have, or that a command would take for an option, is the whole id',
  async (t) => {
    const { get, setup } = await startHouse(t)
    const twin = ordersId.replace('eu-west-1', 'us-east-1')
    const odd = ordersId.replace('orders', '-h')
    const { access, resources } = exampleRules
    const files = [twin, odd].map((id) => ({ id, endpoint: `${id.length}.example`, tags: {} }))
    const rule = {
      name: 'all',
      who: { groups: ['engineering'] },
      what: { kinds: ['rds-postgres'] },
      levels: ['readonly'],
      max_duration: '8h',
    }
    const loaded = await reload(setup, { resources: [...resources, ...files], access: [...access, rule] })
    t.equal(loaded.ok, true)
    for (const id of [twin, odd]) {
      const { grant } = await setup.access.request(setup.login('alice'), {
        resource: id,
        level: 'readonly',
        durationMs: hour,
      })
      const found = await get('alice', `/connect/options?grant=${grant?.id}`)
      t.match(found, { name: id, commands: [{ command: `sallyport psql ${id}` }], host: null, port: null, ca: null })
    }
  },
)

t.test('resource options: of each level what a request needs, who decides, and what it gives', async (t) => {
  const { get, setup } = await startHouse(t)
  const options = (person: string, resource = 'orders') => get(person, `/resources/options?resource=${resource}`)
  const found = await options('alice')
  t.match(found.resource, { id: ordersId, levels: ['readonly', 'admin'], grants: [], risk: [] })
  t.same(found.levels, [
    {
      ...{ level: 'readonly', mayAsk: true, whyNot: null, rule: 'engineers-read', maxDurationMs: 8 * hour },
      needs: { reason: true, ticket: null, loginWithinMs: null, acr: [] },
      stages: [],
      means: [
        { label: 'database user', value: 'ro' },
        { label: 'database', value: 'shop' },
      ],
      limits: [],
    },
    {
      ...{ level: 'admin', mayAsk: true, whyNot: null, rule: 'engineers-write', maxDurationMs: 2 * hour },
      needs: { reason: true, ticket: '^(?:[A-Z]+-[0-9]+)$', loginWithinMs: null, acr: [] },
      stages: [
        { anyOf: ['group:owners'], count: 1 },
        { anyOf: ['manager'], count: 1 },
      ],
      means: [
        { label: 'database user', value: 'rw' },
        { label: 'database', value: 'shop' },
      ],
      limits: ['In shop everyone is rw.', 'A statement may outlast the access.'],
    },
  ])
  await setup.change('alice', { manager: null })
  t.match((await options('alice')).levels[1], {
    ...{ level: 'admin', mayAsk: false, rule: 'engineers-write' },
    whyNot: 'rule engineers-write: stage 2 needs the manager of alice@example.com, and the directory names none',
  })
  t.match((await options('dave')).levels, [
    { mayAsk: false, whyNot: /needs group engineering/, rule: null, means: [{ value: 'ro' }, {}], stages: [] },
    { mayAsk: false, whyNot: /needs group engineering/ },
  ])
  const unknown = await options('eve', 'none')
  t.match(unknown, { status: 404, code: 'RESOURCE_UNKNOWN' })
  t.equal((await options('eve')).detail, unknown.detail.replace('none', 'orders'), 'what one may not see is unknown')
})

t.test('resource options: levels that may be asked for come first; what others give is not told', async (t) => {
  const { get, setup } = await startHouse(t)
  const [read, ...rest] = exampleRules.access
  if (!read) throw new Error('no rule')
  await reload(setup, { access: [...rest, { ...read, levels: ['admin'], who: { groups: ['finance'] } }] })
  await setup.change('eve', { groups: ['finance'] })
  const found = (await get('eve', '/resources/options?resource=orders')).levels
  t.match(found, [
    { level: 'admin', mayAsk: true, means: { length: 2 } },
    { level: 'readonly', mayAsk: false, means: { length: 0 }, limits: { length: 0 } },
  ])
})

t.test('resources: found by words, by account, and by what one holds', async (t) => {
  const { get, setup } = await startHouse(t)
  const found = async (query: string, person = 'dave') => {
    const page = await get(person, `/resources?${query}`)
    t.equal(page.total, page.items.length, query)
    return page.items.map(({ name }: { name: string }) => name)
  }
  const both = ['ledger', 'orders']
  for (const [q, names] of [
    ['orders', ['orders']],
    ['ORD', ['orders']],
    ['ord rds-postgres', ['orders']],
    ['env=prod', both],
    ['ENV=PROD led', ['ledger']],
    ['shop', ['orders']],
    ['env=pro.', []],
    ['.*', []],
    ['env=dev', []],
    ['orders ledger', []],
    ['   ', both],
  ] as const)
    t.same(await found(`q=${encodeURIComponent(q)}`), names, q)
  t.same(await found('account=111122223333'), both)
  t.same(await found('account=444455556666'), [])
  t.same(await found('q=o&kind=rds-postgres&limit=1000&account=111122223333'), both)
  t.same(await found('kind=iam-role&q=o'), [])
  t.same(await found('q=e', 'alice'), ['orders'], 'of what one may see')
  t.same(await found('q=orders', 'eve'), [])
  t.same(await found('held=true', 'alice'), [])
  await setup.access.request(setup.login('alice'), {
    resource: ordersId,
    level: 'readonly',
    durationMs: hour,
    reason: 'why',
  })
  t.same(await found('held=true', 'alice'), ['orders'])
  t.same(await found('held=true&q=ledger', 'alice'), [])
  t.same(await found('held=true'), [], 'of the caller alone, also for admins')
  t.same(await found('held=false&q=ledger'), ['ledger'])
  t.equal((await get('dave', '/resources?account=1')).code, 'INVALID_INPUT')
  t.equal((await get('dave', `/resources?q=${'a'.repeat(201)}`)).code, 'INVALID_INPUT')
})
