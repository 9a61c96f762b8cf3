/** What reading an organization promises, whatever plays AWS. */
import type { Test } from 'tap'
import type { OrganizationCalls } from '../../../../src/aws/organization/organization-calls.ts'
import { readOrganization } from '../../../../src/aws/organization/read-organization.ts'
import { signal } from '../hub-setup.ts'

/** An organization by names, each once. */
export interface Plan {
  /** Each after the one that holds it; null: the root. */
  readonly units: readonly { readonly name: string; readonly parent: string | null; readonly tags: Tags }[]
  /** Beside the management account, which is in the root. */
  readonly accounts: readonly { readonly name: string; readonly parent: string | null; readonly tags: Tags }[]
}
type Tags = Readonly<Record<string, string>>

export interface Played {
  readonly calls: OrganizationCalls
  /** 12 digits. */
  readonly managementAccount: string
  /** @param parent null: the root */
  move(account: string, parent: string | null): Promise<void>
  tag(name: string, tags: Tags): Promise<void>
}

/** More of each than a page has. */
const plan: Plan = {
  units: [
    { name: 'Production', parent: null, tags: { 'sallyport:managed': 'true' } },
    { name: 'Payments', parent: 'Production', tags: { team: 'payments', 'cost center': '=42/+' } },
    { name: 'Cards', parent: 'Payments', tags: {} },
    { name: 'Sandbox', parent: null, tags: {} },
    ...Array.from({ length: 23 }, (_, index) => ({ name: `Team ${index}`, parent: 'Sandbox', tags: {} })),
  ],
  accounts: [
    { name: 'orders', parent: 'Cards', tags: { env: 'production' } },
    { name: 'O’Neil & Söhne', parent: 'Payments', tags: {} },
    { name: 'audit', parent: null, tags: {} },
    ...Array.from({ length: 42 }, (_, index) => ({
      name: `sandbox ${index}`,
      parent: index < 22 ? 'Team 0' : `Team ${index - 20}`,
      tags: {},
    })),
  ],
}

/** @param play brings the plan about */
export async function organizationContract(t: Test, play: (t: Test, plan: Plan) => Promise<Played>): Promise<void> {
  const { calls, managementAccount, move, tag } = await play(t, plan)
  const byName = async () => {
    const picture = await readOrganization(calls, { signal })
    const nameOf = (id: string) => picture.units.find((unit) => unit.id === id)?.name ?? null
    const placed = (some: readonly { name: string; parent: string; tags: Tags }[]) =>
      Object.fromEntries(some.map(({ name, parent, tags }) => [name, { parent: nameOf(parent), tags }]))
    const others = picture.accounts.filter(({ id }) => id !== managementAccount)
    return { picture, units: placed(picture.units), accounts: placed(others) }
  }
  const planned = (some: Plan['units']) =>
    Object.fromEntries(some.map(({ name, parent, tags }) => [name, { parent, tags }]))

  await t.test('the whole tree is read, with tags', async (t) => {
    const { picture, units, accounts } = await byName()
    t.match(picture, { id: /^o-[a-z0-9]{10,32}$/, managementAccount, root: /^r-[0-9a-z]{4,32}$/ })
    t.same(units, planned(plan.units))
    t.same(accounts, planned(plan.accounts))
    t.equal(picture.accounts.find(({ id }) => id === managementAccount)?.parent, picture.root)
    for (const { id, arn, state, email, joinedAt } of picture.accounts) {
      t.match(arn, new RegExp(`^arn:aws:organizations::${managementAccount}:account/${picture.id}/${id}$`))
      t.match(email, /@/)
      t.equal(state, 'ACTIVE')
      t.ok(joinedAt > 1_600_000_000_000 && joinedAt <= Date.now())
    }
    for (const { id, arn } of picture.units) t.match(arn, `ou/${picture.id}/${id}`)
  })

  await t.test('an account that moved and a tag that changed are seen in the next reading', async (t) => {
    await move('orders', 'Sandbox')
    await move('audit', 'Production')
    await tag('Cards', { env: 'new' })
    const { units, accounts } = await byName()
    t.match(accounts, { orders: { parent: 'Sandbox' }, audit: { parent: 'Production' } })
    t.same(units.Cards, { parent: 'Payments', tags: { env: 'new' } })
    await move('orders', null)
    t.match((await byName()).accounts, { orders: { parent: null } })
  })

  await t.test('single things: parents, a unit, and what is not there', async (t) => {
    const { picture } = await byName()
    const [payments] = picture.units.filter(({ name }) => name === 'Payments')
    const [production] = picture.units.filter(({ name }) => name === 'Production')
    t.equal(await calls.parentOf(payments?.id ?? '', signal), production?.id)
    t.equal(await calls.parentOf(managementAccount, signal), picture.root)
    t.match(await calls.unit(payments?.id ?? '', signal), { name: 'Payments' })
    const prefix = picture.root.slice(2)
    t.equal(await calls.parentOf('999999999999', signal), null)
    t.equal(await calls.unit(`ou-${prefix}-zzzzzzzz`, signal), null)
    t.equal(await calls.units(`ou-${prefix}-zzzzzzzz`, signal), null)
    t.equal(await calls.accountsIn(`ou-${prefix}-zzzzzzzz`, signal), null)
    t.equal(await calls.tags('999999999999', signal), null)
  })
}
