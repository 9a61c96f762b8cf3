/** Rules by place, by tags of accounts and by names: nothing matches that is not known, and no change widens what was given. */
import t from 'tap'
import { formatSelector, mismatch } from '../../../src/access/rules/rule.ts'
import { fitsPattern } from '../../../src/catalog/fits-pattern.ts'
import type { RuleFile, SelectorFile } from '../../../src/config/schema.ts'
import { config, hour, levels, ordersId, resource } from '../access/access-setup.ts'
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

const read = { resource: 'orders', level: 'readonly', durationMs: hour }
const approval: RuleFile['approval'] = { stages: [{ any_of: ['group:owners'] }] }

function rule(name: string, what: SelectorFile, more: Partial<RuleFile> = {}): RuleFile {
  return { name, who: { groups: ['engineering'] }, what, levels: ['readonly'], max_duration: '8h', ...more }
}

function rulesBy(what: SelectorFile, ...more: RuleFile[]) {
  return { inventory: isOn, access: [rule('by-place', what), ...more] }
}

/** The account of the databases is here, or has these tags. */
const moved = (more: Parameters<typeof accountSeen>[1]) =>
  picture({
    accounts: [
      accountSeen(dataAccount, { tags: { env: 'prod' }, ...more }),
      accountSeen('999900001111', { parent: root }),
    ],
  })

for (const [what, selector, leaves] of [
  ['a unit that holds its unit', { organizational_units: [production] }, { parent: sandbox }],
  ['the root', { organizational_units: [root] }, { state: 'SUSPENDED' }],
  ['a tag of the account', { account_tags: { env: 'prod' } }, { tags: { env: 'dev' } }],
  ['a tag of the account that is suspended', { account_tags: { env: 'prod' } }, { state: 'PENDING_CLOSURE' }],
] as const)
  t.test(
    `a rule by ${what}: before the account is known it gives nothing; what it no longer covers ends`,
    async (t) => {
      const rules = rulesBy({ kinds: ['rds-postgres'], ...selector } as SelectorFile)
      const { access, login, pass, audit, published } = await openInventory(t, { rules })
      await t.rejects(access.request(login('alice'), read), { code: 'RESOURCE_UNKNOWN' })
      await pass()
      const { grant } = await access.request(login('alice'), read)
      t.match(await access.check({ principalId: 'alice', resource: 'orders' }), { allowed: true })
      await pass(moved(leaves))
      t.match(
        published.findLast(({ what }) => what === 'grant'),
        { id: grant?.id, reason: 'rule-changed', text: /by-place no longer covers this/ },
      )
      t.equal(audit.of('grant.ended').length, 1)
      t.match(await access.check({ principalId: 'alice', resource: 'orders' }), { allowed: false })
      await pass(picture())
      t.match(
        await access.check({ principalId: 'alice', resource: 'orders' }),
        { allowed: false },
        'nor does it come back',
      )
      t.ok((await access.request(login('alice'), read)).grant, 'it can be asked for again')
    },
  )

for (const state of ['SUSPENDED', 'PENDING_CLOSURE', 'CLOSED'] as const)
  t.test(`an account that is ${state}: whatever a rule selects by, access ends and says why`, async (t) => {
    const rules = rulesBy(
      { accounts: [dataAccount] },
      rule('by-id', { ids: [ordersId] }, { approval, max_duration: '2h' }),
    )
    const { access, login, pass, published } = await openInventory(t, { rules })
    await pass()
    const { grant } = await access.request(login('alice'), read)
    await pass(moved({ state }))
    t.match(
      published.findLast(({ what }) => what === 'grant'),
      { id: grant?.id, reason: 'rule-changed', text: new RegExp(`: account ${dataAccount} is ${state}$`) },
    )
    await t.rejects(access.request(login('alice'), read), { code: 'RESOURCE_UNKNOWN' })
    await pass(picture())
    t.ok((await access.request(login('alice'), read)).grant, 'reopened, it can be asked for again')
  })

t.test('a request for a resource of an account that is suspended lapses', async (t) => {
  const rules = { inventory: isOn, access: [rule('approved', { ids: [ordersId] }, { approval })] }
  const { access, login, pass } = await openInventory(t, { rules })
  await pass()
  const { request } = await access.request(login('alice'), read)
  t.equal(request.status, 'pending')
  await pass(moved({ state: 'SUSPENDED' }))
  t.match(await access.requestById(login('alice'), request.id), { status: 'refused' })
})

t.test('a unit that moves takes with it all that is beneath', async (t) => {
  const { access, login, pass, published } = await openInventory(t, {
    rules: rulesBy({ organizational_units: [production] }),
  })
  await pass()
  const { grant } = await access.request(login('alice'), read)
  await pass(picture({ units: [unitSeen(production, root), unitSeen(payments, sandbox), unitSeen(sandbox, root)] }))
  t.match(
    published.findLast(({ what }) => what === 'grant'),
    { id: grant?.id, reason: 'rule-changed' },
  )
})

t.test(
  'a tag changed to widen a rule: what waits for approval is not given, and what is given does not grow',
  async (t) => {
    const rules = rulesBy(
      { account_tags: { env: 'dev' } },
      rule('approved', { account_tags: { env: 'prod' } }, { approval, max_duration: '2h' }),
    )
    const { access, login, pass } = await openInventory(t, { rules })
    await pass()
    const { request } = await access.request(login('alice'), read)
    t.equal(request.status, 'pending')
    await pass(moved({ tags: { env: 'dev' } }))
    t.match(await access.requestById(login('alice'), request.id), {
      status: 'refused',
      statusReason: /no longer needs approval/,
    })
    const { grant } = await access.request(login('alice'), { ...read, durationMs: 2 * hour })
    t.ok(grant)
    await pass(moved({ tags: { env: 'prod' } }))
    t.match(await access.check({ principalId: 'alice', resource: 'orders' }), { allowed: false })
  },
)

t.test('levels by place: another meaning ends the grant', async (t) => {
  const rules = {
    ...rulesBy({ ids: [ordersId] }),
    levels: [
      levels({ organizational_units: [sandbox] }, { readonly: { user: 'rw' } }),
      levels({ kinds: ['rds-postgres'] }, { readonly: { user: 'ro' } }),
    ],
  }
  const { access, login, pass, published } = await openInventory(t, { rules })
  await pass()
  await access.request(login('alice'), read)
  t.match(await access.check({ principalId: 'alice', resource: 'orders' }), { held: { level: { user: 'ro' } } })
  await pass(moved({ parent: sandbox }))
  t.match(await access.check({ principalId: 'alice', resource: 'orders' }), { allowed: false })
  t.match(
    published.findLast(({ what }) => what === 'grant'),
    { text: /meaning of level readonly/ },
  )
})

t.test('until an event of another daemon is read, nothing ends for want of it', async (t) => {
  const setup = await openInventory(t, { rules: rulesBy({ organizational_units: [production] }) })
  const { access, login, pass, inventory, store, db, background } = setup
  await pass()
  await access.request(login('alice'), read)
  const [row] = (await store.all()).filter(({ resource: { id } }) => id === `account/${dataAccount}`)
  if (!row) throw new Error('the account is not there')
  await db.executeQuery(store.removing([row.resource.id]))
  access.noteInventory([row.resource.id], 10_000)
  await access.sweep()
  t.match(await access.check({ principalId: 'alice', resource: 'orders' }), { allowed: true })
  inventory.apply({ type: 'inventory.changed', seq: 10_000, fields: { gone: [row.resource.id] } })
  await background.idle()
  t.match(await access.check({ principalId: 'alice', resource: 'orders' }), { allowed: false })
})

t.test('without an inventory rules by place are a warning, with one an unknown form is an error', async (t) => {
  const { access } = await openInventory(t)
  const by = { access: [rule('by-place', { organizational_units: [production], account_tags: { env: 'prod' } })] }
  t.match(await access.reload(config(by)), {
    ok: true,
    warnings: [
      { path: 'access[0].what.organizational_units', fix: /inventory\.organization: true/ },
      { path: 'access[0].what.account_tags' },
      { path: 'access[0].what', message: /matches no resource/ },
    ],
  })
  t.match(await access.reload(config({ ...by, inventory: isOn })), { ok: true, warnings: [] })
  const wrong = [
    rule('a', { organizational_units: ['Production'] }),
    rule('b', { organizational_units: [] }),
    rule('c', { account_tags: {} }),
    rule('d', { names: [] }),
  ]
  t.match(await access.reload(config({ access: wrong, inventory: isOn })), {
    ok: false,
    problems: [
      { path: 'access[0].what.organizational_units[0]', fix: /ou-/ },
      { path: 'access[1].what.organizational_units' },
      { path: 'access[2].what.account_tags' },
      { path: 'access[3].what.names' },
    ],
  })
})

t.test('names by patterns', (t) => {
  for (const [pattern, text, fits] of [
    ['orders', 'orders', true],
    ['orders', 'orders2', false],
    ['orders-*', 'orders-', true],
    ['orders-*', 'orders', false],
    ['*', '', true],
    ['*-db', 'a-db-db', true],
    ['*-db', 'a-db-x', false],
    ['a*b*c', 'a--b--b-c', true],
    ['a*b*c', 'a--c--b', false],
    ['o?ders', 'orders', true],
    ['o?ders', 'oders', false],
    ['a.c', 'abc', false],
    ['', 'x', false],
    ['*a'.repeat(30), 'a'.repeat(200), true],
    [`${'*a'.repeat(30)}b`, 'a'.repeat(200), false],
  ] as const)
    t.equal(fitsPattern(pattern, text), fits, `${pattern} and ${text}`)
  t.equal(mismatch({ names: ['orders*'] }, resource(ordersId)), null)
  t.match(mismatch({ names: ['ledger*'] }, resource(ordersId)), /name is orders, not ledger/)
  t.equal(
    formatSelector({ names: ['a*'], organizational_units: [production], account_tags: { env: 'prod' } }),
    `names a*; organizational units ${production}; account tags env=prod`,
  )
  t.end()
})
