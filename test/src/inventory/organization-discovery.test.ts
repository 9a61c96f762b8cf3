/** Accounts and units as the catalog gets them: tags once a day, or when something has changed; one of them by itself. */
import t from 'tap'
import { readNode } from '../../../src/aws/organization/read-one.ts'
import { readOrganization } from '../../../src/aws/organization/read-organization.ts'
import { organizationDiscovery } from '../../../src/inventory/organization-discovery.ts'
import { accounts } from '../../sandbox/default-world.ts'
import { root, units } from '../../sandbox/organization-world.ts'
import { signal } from '../aws/hub-setup.ts'
import { startOrganization } from '../aws/organization/organization-setup.ts'

const place = { partition: 'aws', account: accounts.hub, region: null }
const settings = { organization: true, import: null, everyMs: 1000 } as const

async function start(t: Parameters<typeof startOrganization>[0]) {
  const setup = await startOrganization(t)
  const { calls, clock, organization } = setup
  const discovery = organizationDiscovery(
    (options) => readOrganization(calls, options),
    (id, stop) => readNode(calls, id, stop),
    clock,
  )
  const find = (id: string) => {
    const found = organization.accounts.find((one) => one.id === id) ?? organization.units.find((one) => one.id === id)
    if (!found) throw new Error(`no ${id}`)
    return found
  }
  return {
    ...setup,
    find,
    read: (isAsked = false) => discovery.read(place, { signal, settings, isAsked }),
    readOne: async (id: string) => await discovery.readOne?.(place, id, { signal, settings }),
    tagsAsked: async () => (await setup.outcomes())['ListTagsForResource ok'],
  }
}

t.test('tags are asked for once a day, or when a person asks', async (t) => {
  const { read, find, tagsAsked, clock } = await start(t)
  await read()
  await read()
  t.equal(await tagsAsked(), 7)
  Object.assign(find(accounts.data), { tags: { team: 'billing' } })
  const tagsOf = (found: Awaited<ReturnType<typeof read>>) =>
    found.find(({ id }) => id === `account/${accounts.data}`)?.tags
  t.match(tagsOf(await read()), { team: 'payments' })
  t.same(tagsOf(await read(true)), { team: 'billing' })
  t.equal(await tagsAsked(), 14)
  clock.advance(25 * 3_600_000)
  await read()
  t.equal(await tagsAsked(), 21)
})

t.test('one account or unit again: three calls, and its tags are not believed any more', async (t) => {
  const { read, readOne, find, organization, outcomes } = await start(t)
  const account = `account/${accounts.data}`
  const unit = `organizational-unit/${units.payments}`
  t.match(await readOne(account), { attributes: { parent: units.payments } }, 'before anything was read')
  const whole = await read()
  for (const id of [account, unit])
    t.same(
      await readOne(id),
      whole.find((one) => one.id === id),
      id,
    )
  const before = await outcomes()
  Object.assign(find(accounts.data), { parent: units.sandbox, tags: { team: 'billing' }, state: 'SUSPENDED' })
  Object.assign(find(units.payments), { parent: root, name: 'Paying' })
  t.match(await readOne(account), {
    tags: { team: 'billing' },
    attributes: { parent: units.sandbox, state: 'SUSPENDED' },
  })
  t.match(await readOne(unit), { attributes: { parent: root, title: 'Paying' } })
  t.equal((await outcomes())['ListAccounts ok'], before['ListAccounts ok'])
  t.match(
    (await read()).find(({ id }) => id === account),
    { tags: { team: 'billing' } },
  )
  organization.accounts = organization.accounts.filter(({ id }) => id !== accounts.data)
  t.equal(await readOne(account), null)
})
