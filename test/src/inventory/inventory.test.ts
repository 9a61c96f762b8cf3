/** What is discovered comes into the catalog, stays while AWS is not seen whole, and goes after two passes without it. */
import t from 'tap'
import { BrokerError } from '../../../proxy/session.ts'
import { soleLeader } from '../../../src/daemons/leadership.ts'
import { Inventory } from '../../../src/inventory/inventory.ts'
import { config, levels, ordersId } from '../access/access-setup.ts'
import { leaderAmong } from '../access/leaders.ts'
import {
  accountSeen,
  dataAccount,
  isOn,
  openInventory,
  payments,
  picture,
  production,
  root,
  sandbox,
  unitSeen,
} from './inventory-setup.ts'

async function all<T>(found: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const one of found) items.push(one)
  return items
}

const auditor = 'carol'
const newAccount = '222233334444'

t.test('accounts and units are in the catalog with state, path and tags, and nobody can request them', async (t) => {
  const { access, login, pass, audit } = await openInventory(t)
  await pass()
  const { items } = await access.resources(login(auditor, { roles: ['auditor'] }), { kind: 'account' })
  t.match(items, [
    {
      id: `account/${dataAccount}`,
      account: dataAccount,
      tags: { env: 'prod' },
      shown: { title: `account-${dataAccount}`, state: 'ACTIVE' },
      path: 'unit-1/unit-2',
      levels: [],
    },
    { id: 'account/999900001111', path: '' },
  ])
  t.match(access.resource(`organizational-unit/${payments}`), {
    place: { units: [payments, production, root], path: 'unit-1' },
  })
  await t.rejects(
    access.request(login('alice'), { resource: `account/${dataAccount}`, level: 'readonly', durationMs: 1 }),
    {
      code: 'RESOURCE_UNKNOWN',
    },
  )
  t.match(audit.of('inventory.changed'), [{ fields: { added: { length: 5 }, gone: [] } }])
  t.notMatch(JSON.stringify(audit.records), 'aws+', 'no address of an account is kept')
})

t.test('a pass that changes nothing writes no row and no event; an hour later it says when it was', async (t) => {
  const { pass, rows, audit, scopes, db, clock } = await openInventory(t)
  await pass()
  const before = [await rows(), audit.records.length]
  const scopeRow = () => db.selectFrom('inventory_scopes').selectAll().executeTakeFirst()
  const first = await scopeRow()
  await pass()
  await pass()
  t.same([await rows(), audit.records.length], before)
  t.same(await scopeRow(), first)
  t.match(await scopes.view(), [{ state: 'good', goodAt: clock.now(), resources: 5, missing: 0, error: null }])
  await pass()
  await pass()
  t.equal((await scopeRow())?.good_at, clock.now())
})

t.test('what a pass does not find stays until another has not found it either', async (t) => {
  const { access, pass, audit, scopes, rows } = await openInventory(t)
  const without = picture({ accounts: [accountSeen('999900001111', { parent: root })] })
  const id = `account/${dataAccount}`
  await pass()
  await pass(without)
  t.ok(access.resource(id))
  t.match(await scopes.view(), [{ missing: 1, resources: 5 }])
  t.match(audit.of('inventory.changed').at(-1), { fields: { missing: [id], gone: [] } })
  await pass(picture())
  t.match(await scopes.view(), [{ missing: 0 }])
  await pass(without)
  t.ok(access.resource(id), 'the passes are counted anew')
  await pass(without)
  t.notOk(access.resource(id))
  t.match(audit.of('inventory.changed').at(-1), { fields: { missing: [], gone: [id] } })
  t.equal((await rows()).length, 4)
})

t.test('N-2: a call denied amid a page: the pass counts for nothing, and says why and what to do', async (t) => {
  const { access, pass, scopes, audit, clock } = await openInventory(t)
  await pass()
  const goodAt = clock.now()
  const events = audit.records.length
  const denied = new BrokerError('AWS_DENIED', 'ListAccounts, page 2', { hint: 'allow organizations:ListAccounts' })
  for (let i = 0; i < 3; i += 1) await pass(denied)
  t.ok(access.resource(`account/${dataAccount}`))
  t.equal(audit.records.length, events)
  t.match(await scopes.view(), [
    { state: 'failed', error: /page 2/, fix: 'allow organizations:ListAccounts', missing: 0, goodAt },
  ])
  await pass(picture())
  t.match(await scopes.view(), [{ state: 'good', error: null, fix: null }])
})

t.test('no organization at all, and another one: what is known stays', async (t) => {
  const { access, pass, scopes } = await openInventory(t)
  await pass(
    new BrokerError('AWS_DENIED', 'the account is in no organization', { hint: 'set inventory.organization: false' }),
  )
  t.match(await scopes.view(), [{ state: 'failed', organization: null, resources: 0, fix: /false/ }])
  await pass(picture())
  for (let i = 0; i < 3; i += 1) await pass(picture({ id: 'o-anotherone1', accounts: [accountSeen('555555555555')] }))
  t.match(await scopes.view(), [
    { state: 'failed', organization: 'o-exampleorgid', error: /o-anotherone1.*o-exampleorgid/, resources: 5 },
  ])
  t.notOk(access.resource('account/555555555555'))
})

t.test('an organization of one account', async (t) => {
  const { access, pass, scopes } = await openInventory(t)
  await pass(picture({ accounts: [accountSeen('999900001111', { parent: root })], units: [] }))
  t.match(await scopes.view(), [{ state: 'good', resources: 1 }])
  t.match(access.resource('account/999900001111'), { place: { units: [root], path: '' } })
})

t.test('two accounts with one name, and one made anew under the name of another', async (t) => {
  const { access, login, pass } = await openInventory(t)
  const name = 'shop\u001b[31m'
  const two = [dataAccount, newAccount].map((id) => accountSeen(id, { name }))
  await pass(picture({ accounts: two }))
  const asAuditor = login(auditor, { roles: ['auditor'] })
  t.equal(access.findResource(asAuditor, dataAccount).id, `account/${dataAccount}`)
  t.equal(access.findResource(asAuditor, newAccount).id, `account/${newAccount}`)
  await pass(picture({ accounts: two.slice(1) }))
  await pass()
  t.notOk(access.resource(`account/${dataAccount}`))
  t.match(access.resource(`account/${newAccount}`), { targetId: newAccount, target: { title: name } })
})

t.test('what is written by hand wins, member by member, and its tags as a whole', async (t) => {
  const id = `account/${dataAccount}`
  const rules = {
    ...config(),
    inventory: isOn,
    resources: [{ id, title: 'Data', tags: { owner: 'dba' } }],
    levels: [],
    access: [],
  }
  const { access, pass } = await openInventory(t, { rules })
  t.match(access.resource(id), { tags: { owner: 'dba' }, place: { units: null, accountTags: { owner: 'dba' } } })
  await pass()
  t.match(access.resource(id), {
    source: 'config',
    tags: { owner: 'dba', env: undefined },
    target: { title: 'Data', state: 'ACTIVE' },
    place: { units: [payments, production, root], accountTags: { owner: 'dba', env: undefined } },
  })
})

t.test('a row that the broker did not write counts as not there, and the next pass writes it anew', async (t) => {
  const { access, background, db, inventory, pass, store } = await openInventory(t)
  await pass()
  const id = `account/${dataAccount}`
  await db.updateTable('discovered').set({ tags: '{"env":"dev"}' }).where('id', '=', id).execute()
  t.equal((await all(store.checkRows())).length, 1)
  const again = new Inventory({ store, background, access })
  await again.load()
  t.notOk(again.all.some(({ resource }) => resource.id === id))
  await pass()
  t.match(access.resource(id), { tags: { env: 'prod' } })
  t.same(await all(store.checkRows()), [])
  t.equal(inventory.all.length, 5)
})

t.test('a daemon that no longer leads writes nothing', async (t) => {
  const leaders = leaderAmong('this')
  const { pass, rows, aws, db, audit } = await openInventory(t)
  const of = leaders.of('this', db)
  await pass()
  const before = [await rows(), audit.records.length]
  const asleep = await openInventory(t, {}, { leader: { ...soleLeader(db), claim: of.claim } })
  leaders.lead('other')
  await asleep.pass(picture({ accounts: [accountSeen(newAccount)] }))
  t.same(await asleep.rows(), [])
  t.equal(asleep.audit.of('inventory.changed').length, 0)
  t.equal(await asleep.db.selectFrom('inventory_scopes').selectAll().executeTakeFirst(), undefined)
  t.same([await rows(), audit.records.length], before)
  t.equal(aws.reads, 1)
})

t.test('a daemon that is killed between two events of a pass: the next pass completes it', async (t) => {
  const many = Array.from({ length: 250 }, (_, i) => accountSeen(String(100_000_000_000 + i)))
  const setup = await openInventory(t)
  const { append } = setup.audit
  let left = 2
  const killed = Object.assign(setup.audit, {
    append: async (...event: Parameters<typeof append>) => {
      if (event[0].type === 'inventory.changed' && left-- <= 0) throw new BrokerError('AUDIT_UNAVAILABLE')
      return await append(...event)
    },
  })
  await setup.pass(picture({ accounts: many }))
  t.equal((await setup.rows()).length, 200)
  killed.append = append
  await setup.pass()
  t.equal((await setup.rows()).length, 253)
  t.equal(setup.audit.of('inventory.changed').length, 3)
  t.ok(setup.audit.of('inventory.changed').every(({ fields }) => (fields.added as string[]).length <= 100))
})

t.test('a pass is made when one is due or was asked for, by whichever daemon', async (t) => {
  const { aws, clock, pass, scopes, store, sync } = await openInventory(t)
  const { signal } = new AbortController()
  await pass()
  await sync.run(signal)
  t.equal(aws.reads, 1)
  clock.advance(1000)
  t.match(await scopes.request(), [{ state: 'waiting', requestedAt: clock.now() }])
  await sync.run(signal)
  await sync.run(signal)
  t.equal(aws.reads, 2)
  t.match(await scopes.view(), [{ state: 'good', requestedAt: null, goodAt: clock.now() }])
  await store.request('organization', clock.now() + 5)
  aws.shows = new BrokerError('AWS_UNAVAILABLE', 'no answer')
  await sync.run(signal)
  t.match(await scopes.view(), [{ requestedAt: clock.now() + 5 }], 'one that came during a pass is for the next')
})

t.test('switched off by a reload: it leaves the catalog at once, and its rows with the next run', async (t) => {
  const { access, pass, rows, scopes, sync } = await openInventory(t)
  await pass()
  const off = { ...isOn, organization: false }
  await access.reload(config({ inventory: off }))
  sync.use(off)
  t.notOk(access.resource(`account/${dataAccount}`))
  t.same(await scopes.view(), [])
  await t.rejects(scopes.request(), { code: 'UNSUPPORTED', hint: /inventory\.organization: true/ })
  await sync.run(new AbortController().signal)
  t.same(await rows(), [])
})

t.test('units that go in a circle, or lead nowhere, hold nothing that a rule selects', async (t) => {
  const { access, pass } = await openInventory(t)
  await pass(
    picture({
      units: [unitSeen(production, payments), unitSeen(payments, production)],
      accounts: [accountSeen(dataAccount), accountSeen(newAccount, { parent: sandbox })],
    }),
  )
  t.match(access.resource(`account/${dataAccount}`), { place: { units: null, path: null } })
  t.match(access.resource(`account/${newAccount}`), { place: { units: null } })
})

t.test('levels of discovered kinds: what they cannot have refuses no file', async (t) => {
  const rules = {
    inventory: isOn,
    levels: [
      levels({ tags: { env: 'prod' } }, { readonly: { user: 'ro' }, admin: { user: 'rw' } }),
      levels({ ids: [ordersId] }, { readonly: { user: 'ro' }, admin: { user: 'rw' } }),
    ],
  }
  const { access, pass } = await openInventory(t, { rules })
  await pass()
  t.match(await access.reload(config(rules)), { ok: true })
})
