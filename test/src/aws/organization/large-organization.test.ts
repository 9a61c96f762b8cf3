/** What reading a large organization costs, in calls and in time at the broker's pace. */
import t from 'tap'
import { readOrganization } from '../../../../src/aws/organization/read-organization.ts'
import { Paced } from '../../../../src/aws/paced.ts'
import { createLargeOrganization } from '../../../sandbox/organization-world.ts'
import { signal } from '../hub-setup.ts'
import { startOrganization } from './organization-setup.ts'

const size = { units: 100, accounts: 1000 }

t.test('1,000 accounts in 100 units: no call more than the lists have pages', async (t) => {
  let now = 0
  const time = {
    now: () => now,
    wait: async (ms: number) => {
      now += ms
    },
  }
  const pace = { perSecond: 4, burst: 8, atOnce: 1 }
  const { calls, organization, outcomes } = await startOrganization(
    t,
    (organization) => Object.assign(organization, createLargeOrganization(size)),
    { paced: new Paced(pace, time) },
  )
  const total = async () => Object.values(await outcomes()).reduce((sum, count) => sum + count, 0)
  const first = await readOrganization(calls, { signal })
  t.equal(first.accounts.length, size.accounts)
  t.equal(first.units.length, size.units)
  t.same(await outcomes(), {
    'DescribeOrganization ok': 1,
    'ListRoots ok': 1,
    'ListOrganizationalUnitsForParent ok': 101,
    'ListAccounts ok': 50,
    'ListAccountsForParent ok': 101,
    'ListTagsForResource ok': 1100,
  })
  const afterFirst = await total()
  t.equal(now, (afterFirst - pace.burst) * 250, 'the time is that of the pace, and of nothing else')

  const tags = new Map([...first.accounts, ...first.units].map((one) => [one.id, one.tags]))
  const knownTags = (id: string) => tags.get(id)
  t.same(await readOrganization(calls, { signal, knownTags }), first)
  const afterSecond = await total()
  t.equal(afterSecond - afterFirst, 254, 'with tags at hand')

  organization.hasPaths = true
  t.same(await readOrganization(calls, { signal, knownTags }), first)
  t.equal((await total()) - afterSecond, 153, 'and where AWS gives paths')
})
