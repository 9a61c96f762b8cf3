/** What reading Identity Center costs, in calls and in time at the broker's pace, both ways of reading assignments. */
import t from 'tap'
import { readIdentityCenter } from '../../../../src/aws/identity-center/read-identity-center.ts'
import { Paced } from '../../../../src/aws/paced.ts'
import { accounts } from '../../../sandbox/default-world.ts'
import { createLargeIdentityCenter } from '../../../sandbox/identity-center-world.ts'
import { signal } from '../hub-setup.ts'
import { startIdentityCenter } from './identity-center-setup.ts'

t.test(
  '200 people, 30 groups, 20 permission sets in 100 accounts: no call more than the lists have pages',
  async (t) => {
    let now = 0
    const time = {
      now: () => now,
      wait: async (ms: number) => {
        now += ms
      },
    }
    const size = { users: 200, groups: 30, permissionSets: 20, accounts: 100 }
    const { calls, outcomes } = await startIdentityCenter(
      t,
      (center) => Object.assign(center, createLargeIdentityCenter(size)),
      { paced: new Paced({ perSecond: 10, burst: 10, atOnce: 4 }, time) },
    )
    const total = async () => Object.values(await outcomes()).reduce((sum, count) => sum + count, 0)
    const options = { managementAccount: accounts.hub, signal } as const
    const picture = await readIdentityCenter(calls, { ...options, assignments: 'principals' })
    t.same(
      [picture.users, picture.groups, picture.permissionSets, picture.assignments].map(({ length }) => length),
      [200, 30, 20, 2000],
    )
    t.same(await outcomes(), {
      'ListInstances ok': 1,
      'ListUsers ok': 2,
      'ListGroups ok': 1,
      'ListGroupMemberships ok': 30,
      'ListPermissionSets ok': 1,
      'DescribePermissionSet ok': 20,
      'ListTagsForResource ok': 20,
      'ListManagedPoliciesInPermissionSet ok': 20,
      'ListCustomerManagedPolicyReferencesInPermissionSet ok': 20,
      'GetInlinePolicyForPermissionSet ok': 20,
      'GetPermissionsBoundaryForPermissionSet error': 20,
      'ListAccountsForProvisionedPermissionSet ok': 20,
      'ListAccountAssignmentsForPrincipal ok': 230,
    })
    const first = await total()
    t.ok(now >= (first - 10) * 100 && now < first * 100 * 1.1, `${now} ms for ${first} calls`)
    t.same(await readIdentityCenter(calls, { ...options, assignments: 'pairs' }), picture)
    t.match(await outcomes(), { 'ListAccountAssignments ok': 2000 })
  },
)
