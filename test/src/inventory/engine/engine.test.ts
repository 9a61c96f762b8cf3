/** Many accounts and regions, read unit by unit: what one of them has is its own matter. */
import t, { type Test } from 'tap'
import { BrokerError } from '../../../../proxy/session.ts'
import type { Resource } from '../../../../src/catalog/resource.ts'
import type { Config } from '../../../../src/config/config.ts'
import type { Discovery, Place } from '../../../../src/inventory/discovery.ts'
import type { EstateAccount } from '../../../../src/inventory/engine/estate.ts'
import type { Sync } from '../../../../src/inventory/sync.ts'
import { iamRole } from '../../../../src/kinds/iam-role/kind.ts'
import { waitUntil } from '../../../wait-until.ts'
import { config, levels, resource } from '../../access/access-setup.ts'
import { allKinds, every, isOn, openInventory } from '../inventory-setup.ts'

const one = '111122223333'
const two = '222233334444'
const settings: Config['inventory'] = { ...isOn, organization: false, import: 'all' }
const day = 86_400_000

function role(account: string, name: string, more: Partial<Resource> = {}): Resource {
  return resource(`iam-role/${account}/${name}`, {
    ...{ kind: 'iam-role', account, region: null, organization: null, name, source: 'discovery' },
    attributes: {},
    ...more,
  })
}

/** What a made-up AWS shows by unit, or throws. */
async function openEngine(
  t: Test,
  {
    accounts = [one, two],
    rules = settings,
    kept,
  }: { accounts?: string[]; rules?: Config['inventory']; kept?: Config } = {},
) {
  const shows = new Map<string, readonly Resource[] | BrokerError | Promise<readonly Resource[]>>()
  const calls: string[] = []
  const state = {
    accounts: accounts.map((account): EstateAccount => ({ account, partition: 'aws', isActive: true })),
    noRole: new Set<string>(),
    regions: ['eu-west-1', 'us-east-1'] as readonly string[],
  }
  const answer = (name: string) => {
    calls.push(name)
    const found = shows.get(name) ?? []
    if (found instanceof BrokerError) throw found
    return found
  }
  const discoveries: Discovery[] = [
    {
      ...{ name: 'iam-role', per: 'account', service: 'iam' },
      read: async ({ account }) => answer(`iam-role/${account}`),
      readOne: async ({ account }, id) => {
        calls.push(id)
        const found = (await shows.get(`iam-role/${account}`)) ?? []
        if (found instanceof BrokerError) throw found
        return found.find((each) => each.id === id) ?? null
      },
    },
    {
      ...{ name: 'rds', per: 'region', service: 'rds' },
      read: async ({ account, region }) => answer(`rds/${account}/${region}`),
    },
  ]
  const deps = {
    discoveries,
    accounts: () => state.accounts,
    enter: async ({ account }: Place) => {
      if (state.noRole.has(account)) throw new BrokerError('AWS_DENIED', `the spoke role of ${account}`)
    },
    regions: async ({ account }: Place) => {
      calls.push(`regions/${account}`)
      return state.regions
    },
  }
  const written = kept ?? { ...config(), inventory: rules, resources: [], levels: [], access: [] }
  const setup = await openInventory(t, { kinds: [...allKinds, iamRole], rules: written }, deps)
  setup.sync.use(rules)
  const { clock, sync, background } = setup
  /** @returns what was called */
  const run = async (afterMs = every, of: Sync = sync) => {
    calls.length = 0
    clock.advance(afterMs)
    await of.run(new AbortController().signal)
    await background.idle()
    return calls.toSorted()
  }
  return { ...setup, state, shows, calls, run }
}

const databaseRules = {
  ...{
    ...config(),
    inventory: settings,
    resources: [],
    levels: [levels({ kinds: ['rds-postgres'] }, { readonly: { user: 'ro' } })],
  },
  access: [
    {
      name: 'readers',
      who: { principals: ['alice'] },
      what: { kinds: ['rds-postgres'], accounts: [one] },
      levels: ['readonly'],
      max_duration: '8h',
    },
  ],
}

const all = [one, two].flatMap((account) => [
  `iam-role/${account}`,
  ...['eu-west-1', 'us-east-1'].map((region) => `rds/${account}/${region}`),
  `regions/${account}`,
])

t.test('every account and region is read, and what is found is in the catalog', async (t) => {
  const { access, run, shows, scopes, inventory } = await openEngine(t)
  shows.set(`iam-role/${one}`, [role(one, 'Deploy')])
  t.same(await run(0), all.toSorted())
  t.match(access.resource(`iam-role/${one}/Deploy`), { source: 'discovery' })
  t.equal(inventory.all[0]?.scope, `iam-role/${one}`)
  t.match(await scopes.view(), [
    { scope: 'regions', state: 'good', units: { of: 2, done: 2 } },
    { scope: 'iam-role', state: 'good', resources: 1, units: { of: 2, done: 2, quiet: 0 } },
    { scope: 'rds', state: 'good', units: { of: 4 } },
  ])
})

t.test(
  'units that were empty twice are read once a day, others at their interval, each at its own moment',
  async (t) => {
    const { run, shows } = await openEngine(t)
    shows.set(`iam-role/${one}`, [role(one, 'Deploy')])
    await run(0)
    const seen = new Map<string, number>()
    const step = every / 10
    for (let at = 0; at < 4 * every; at += step)
      for (const name of await run(step)) seen.set(name, (seen.get(name) ?? 0) + 1)
    t.ok((seen.get(`iam-role/${one}`) ?? 0) >= 3)
    t.equal(seen.get(`iam-role/${two}`), 1)
    t.equal(seen.get(`rds/${one}/eu-west-1`), 1)
    seen.clear()
    for (let at = 0; at < 1.5 * day; at += day / 20)
      for (const name of await run(day / 20)) seen.set(name, (seen.get(name) ?? 0) + 1)
    t.ok([1, 2].includes(seen.get(`rds/${one}/eu-west-1`) ?? 0))
    t.equal(seen.size, all.length)
  },
)

t.test('one unit that fails touches no other, and is tried less often the longer AWS refuses', async (t) => {
  const { access, run, shows, scopes } = await openEngine(t)
  shows.set(`iam-role/${one}`, [role(one, 'Deploy')])
  shows.set(`iam-role/${two}`, [role(two, 'Deploy')])
  await run(0)
  shows.set(
    `iam-role/${one}`,
    new BrokerError('AWS_DENIED', 'iam:GetAccountAuthorizationDetails', { hint: 'allow it' }),
  )
  shows.set(`iam-role/${two}`, [])
  let tries = 0
  for (let i = 0; i < 96; i += 1) tries += (await run()).filter((name) => name === `iam-role/${one}`).length
  t.ok(access.resource(`iam-role/${one}/Deploy`))
  t.notOk(access.resource(`iam-role/${two}/Deploy`))
  t.ok(tries >= 3 && tries <= 8, `${tries} tries in a day`)
  t.match(await scopes.units({ account: one, scope: 'iam-role' }), [
    { unit: `iam-role/${one}`, state: 'denied', error: /GetAccount/, fix: 'allow it' },
  ])
  t.match(
    (await scopes.view()).find(({ scope }) => scope === 'iam-role'),
    { state: 'failed', units: { denied: 1 } },
  )
})

t.test(
  'an account without a role of the broker is not onboarded, which is no error; asked for, it is tried at once',
  async (t) => {
    const { accountStore, run, state, scopes, clock } = await openEngine(t)
    state.noRole.add(two)
    t.same(await run(0), all.filter((name) => name.includes(one)).toSorted())
    t.match(await scopes.units({ account: two }), [{ unit: `regions/${two}`, state: 'not-onboarded', fix: /onboard/ }])
    t.match((await scopes.view())[0], { scope: 'regions', state: 'good', error: null, units: { notOnboarded: 1 } })
    state.noRole.clear()
    t.same(
      (await run(1000)).filter((name) => name.includes(two)),
      [],
    )
    await scopes.request(two)
    t.same(await run(1000), all.filter((name) => name.includes(two)).toSorted())
    t.equal((await accountStore.requested()).size, 0)
    await t.rejects(scopes.request('999999999999'), { code: 'NOT_FOUND' })
    t.ok(clock.now())
  },
)

t.test('a region that is off', async (t) => {
  const { run, shows, scopes } = await openEngine(t)
  shows.set(`rds/${one}/us-east-1`, new BrokerError('AWS_REGION_OFF', 'us-east-1'))
  await run(0)
  t.match(await scopes.units({ state: 'disabled' }), [{ unit: `rds/${one}/us-east-1` }])
  t.match(
    (await scopes.view()).find(({ scope }) => scope === 'rds'),
    { state: 'good', units: { disabled: 1, failed: 0 } },
  )
})

const database = (region: string) =>
  resource(`rds-postgres/${one}/${region}/ledger`, {
    ...{ account: one, region, organization: null, name: 'ledger', source: 'discovery' },
    tags: { env: 'prod' },
  })

t.test(
  'a region that is switched off: by the second list without it what was there goes, and access says why',
  async (t) => {
    const engine = await openEngine(t, { kept: databaseRules })
    const { access, inventory, login, published, run, shows, state, sync } = engine
    shows.set(`rds/${one}/us-east-1`, [database('us-east-1')])
    shows.set(`rds/${one}/eu-west-1`, [database('eu-west-1')])
    await run(0)
    const ask = { resource: database('us-east-1').id, level: 'readonly', durationMs: 3_600_000 }
    const { grant } = await access.request(login('alice'), ask)
    t.equal(grant?.state, 'active')
    shows.set(`rds/${one}/us-east-1`, new BrokerError('AWS_REGION_OFF', 'us-east-1'))
    state.regions = ['eu-west-1']
    const hint = t.rejects(sync.hint({ discovery: 'rds', account: one, region: 'us-east-1' }), {
      code: 'AWS_REGION_OFF',
    })
    t.same(await run(1000), [`rds/${one}/us-east-1`, `regions/${one}`], 'the list of regions is read at once')
    await hint
    t.equal(inventory.all.length, 2, 'and not believed at once')
    await run(31_000)
    t.same(
      inventory.all.map(({ resource: { id } }) => id),
      [database('eu-west-1').id],
    )
    t.match(
      published.findLast(({ what }) => what === 'grant'),
      { id: grant?.id, reason: 'resource-gone', text: /: region us-east-1 is off in account 111122223333/ },
    )
    state.regions = ['eu-west-1', 'us-east-1']
    shows.set(`rds/${one}/us-east-1`, [database('us-east-1')])
    await run(2 * day)
    t.equal(inventory.all.length, 2, 'switched on again, it is read again')
    t.match(await access.check({ principalId: 'alice', resource: ask.resource }), { allowed: false })
  },
)

t.test('a region that one list of regions left out stays', async (t) => {
  const { inventory, run, shows, state, scopes } = await openEngine(t)
  shows.set(`rds/${one}/us-east-1`, [database('us-east-1')])
  await run(0)
  state.regions = ['eu-west-1']
  await scopes.request(one)
  await run(1000)
  state.regions = ['eu-west-1', 'us-east-1']
  await run(31_000)
  state.regions = ['eu-west-1']
  await scopes.request(one)
  await run(1000)
  t.equal(inventory.all.length, 1)
})

t.test('a resource of another account, or region, is not taken: the reading counts for nothing', async (t) => {
  const { inventory, run, shows, scopes } = await openEngine(t)
  shows.set(`iam-role/${one}`, [role(one, 'Deploy'), role(two, 'Admin')])
  await run(0)
  t.equal(inventory.all.length, 0)
  t.match(await scopes.units({ account: one, scope: 'iam-role' }), [
    { state: 'failed', error: /iam-role\/222233334444\/Admin/ },
  ])
})

t.test('a daemon that takes over goes on where the one before stood', async (t) => {
  const engine = await openEngine(t)
  const { run, shows, state } = engine
  shows.set(`iam-role/${one}`, [role(one, 'Deploy')])
  await run(0)
  const next = engine.another()
  t.same(await run(1000, next), [])
  state.accounts.push({ account: '333344445555', partition: 'aws', isActive: true })
  t.equal((await run(1000, next)).filter((name) => name.includes('333344445555')).length, 4)
  t.same(await run(1000, next), [])
})

t.test('what is asked for before anything was read is owed until it is', async (t) => {
  const { accountStore, run, scopes, state } = await openEngine(t)
  await scopes.request(two)
  t.same([...(await accountStore.requested()).keys()], [two])
  await scopes.request()
  t.same([...(await accountStore.requested()).keys()].toSorted(), [one, two])
  await run(0)
  t.equal((await accountStore.requested()).size, 0)
  state.accounts.push({ account: '333344445555', partition: 'aws', isActive: false })
  await t.rejects(scopes.request('333344445555'), { code: 'NOT_FOUND' })
})

t.test('a pass that was asked for is not begun anew by the daemon that takes over', async (t) => {
  const engine = await openEngine(t)
  const { accountStore, calls, clock, run, shows, scopes, sync } = engine
  await run(0)
  await scopes.request()
  const held = Promise.withResolvers<readonly Resource[]>()
  shows.set(`rds/${two}/us-east-1`, held.promise)
  const stop = new AbortController()
  clock.advance(1000)
  calls.length = 0
  const running = sync.run(stop.signal)
  await waitUntil(() => calls.length === all.length, 'everything is read, or under way')
  clock.advance(11_000)
  const left = async () => {
    sync.tick()
    return [...(await accountStore.requested()).keys()]
  }
  await waitUntil(async () => (await left()).join() === two, 'what was read is written')
  stop.abort()
  held.resolve([])
  await running
  shows.delete(`rds/${two}/us-east-1`)
  t.same(await run(1000, engine.another()), [`rds/${two}/us-east-1`])
  t.same(await left(), [])
})

t.test('a hint reads one resource again, or its unit; it is told when what changed is in the store', async (t) => {
  const { access, calls, run, shows, sync, background, clock } = await openEngine(t)
  shows.set(`iam-role/${one}`, [role(one, 'Deploy')])
  await run(0)
  calls.length = 0
  shows.set(`iam-role/${one}`, [role(one, 'Deploy', { tags: { env: 'prod' } })])
  const of = { discovery: 'iam-role', account: one, region: null }
  const hints = [1, 2, 3].map(() => sync.hint({ ...of, resourceId: `iam-role/${one}/Deploy` }))
  await sync.run(new AbortController().signal)
  t.same(await Promise.all(hints), ['read', 'read', 'read'])
  await background.idle()
  t.same(calls, [`iam-role/${one}/Deploy`])
  t.match(access.resource(`iam-role/${one}/Deploy`), { tags: { env: 'prod' } })
  t.equal(await sync.hint({ ...of, account: '999999999999' }), 'unknown')
  t.equal(await sync.hint({ ...of, discovery: 'none' }), 'unknown')
  shows.set(`iam-role/${one}`, [])
  const gone = sync.hint({ ...of, resourceId: `iam-role/${one}/Deploy` })
  await sync.run(new AbortController().signal)
  t.equal(await gone, 'read')
  t.ok(access.resource(`iam-role/${one}/Deploy`), 'AWS may not know yet what was just made')
  clock.advance(31_000)
  await sync.run(new AbortController().signal)
  await background.idle()
  t.notOk(access.resource(`iam-role/${one}/Deploy`))
  shows.set(`iam-role/${one}`, new BrokerError('AWS_UNAVAILABLE', 'no answer'))
  const failed = t.rejects(sync.hint(of), { code: 'AWS_UNAVAILABLE' })
  await sync.run(new AbortController().signal)
  await failed
})

t.test('tagged: what loses its tag leaves the catalog, and what is written by hand stays', async (t) => {
  const tagged = { tags: { 'sallyport:managed': 'true' } }
  const { access, run, shows } = await openEngine(t, { rules: { ...settings, import: 'tagged' } })
  shows.set(`iam-role/${one}`, [role(one, 'Deploy', tagged), role(one, 'Other')])
  await run(0)
  t.ok(access.resource(`iam-role/${one}/Deploy`))
  t.notOk(access.resource(`iam-role/${one}/Other`))
  shows.set(`iam-role/${one}`, [role(one, 'Deploy'), role(one, 'Other')])
  await run(2 * every)
  t.notOk(access.resource(`iam-role/${one}/Deploy`))
})

t.test('switched off, and an account that is gone: what was found there leaves', async (t) => {
  const { run, rows, shows, state, sync, db } = await openEngine(t)
  shows.set(`iam-role/${one}`, [role(one, 'Deploy')])
  shows.set(`iam-role/${two}`, [role(two, 'Deploy')])
  await run(0)
  state.accounts = state.accounts.map((each) => ({ ...each, isActive: each.account !== one }))
  await run(3 * every)
  t.equal((await rows()).length, 2, 'an account that is suspended keeps what is known')
  state.accounts = state.accounts.filter(({ account }) => account !== one)
  await run(every)
  t.match(await rows(), [{ account: two }])
  sync.use({ ...settings, import: null })
  t.same(await run(every), [])
  t.same(await rows(), [])
  t.equal((await db.selectFrom('inventory_accounts').selectAll().execute()).length, 0)
})

t.test('a pass that changes nothing writes nothing, and once an hour one row for each account', async (t) => {
  const { run, shows, db, audit } = await openEngine(t)
  shows.set(`iam-role/${one}`, [role(one, 'Deploy')])
  for (let i = 0; i < 4; i += 1) await run()
  const written = () =>
    db.selectFrom('inventory_accounts').select(['account', 'written_at']).orderBy('account').execute()
  const before = await written()
  const events = audit.records.length
  await run()
  t.same(await written(), before)
  for (let i = 0; i < 4; i += 1) await run()
  t.not((await written())[0]?.written_at, before[0]?.written_at)
  t.equal(audit.records.length, events)
})

t.test('a reload that switches a part off says first what will end, and the sessions hear why', async (t) => {
  const access = [
    {
      name: 'deployers',
      max_duration: '1h',
      who: { principals: ['alice'] },
      what: { kinds: ['iam-role'], accounts: [one] },
      levels: ['use'],
    },
  ]
  const rules = {
    ...config(),
    inventory: settings,
    resources: [],
    levels: [{ for: { kinds: ['iam-role'] }, use: {} }],
    access,
  }
  const engine = await openEngine(t, { kept: rules })
  engine.shows.set(`iam-role/${one}`, [role(one, 'Deploy')])
  await engine.run(0)
  const resource = `iam-role/${one}/Deploy`
  const { grant } = await engine.access.request(engine.login('alice'), { resource, level: 'use', durationMs: 60_000 })
  t.equal(grant?.state, 'active')
  await engine.access.reload({ ...rules, inventory: { ...settings, import: 'tagged' } })
  const said = engine.logged.findIndex((line) => line.includes('leave the catalog') && line.includes(grant?.id ?? ''))
  t.ok(said >= 0)
  t.match(
    engine.published.find((change) => change.what === 'grant'),
    {
      id: grant?.id,
      text: /no longer in the catalog: it does not have the tag sallyport:managed=true/,
    },
  )
})
