import t from 'tap'
import type { Organization } from '../../../sandbox/aws/world.ts'
import { accounts } from '../../../sandbox/default-world.ts'
import { root } from '../../../sandbox/organization-world.ts'
import { organizationContract, type Plan } from './contract.ts'
import { startOrganization } from './organization-setup.ts'

for (const [name, shape] of Object.entries({
  'the sandbox': {},
  'the sandbox with paths': { hasPaths: true },
  'the sandbox with small and empty pages': { pageSize: 3, hasEmptyPages: true },
}))
  t.test(name, (t) =>
    organizationContract(t, async (t, plan) => {
      const { calls, organization } = await startOrganization(t, (organization) =>
        Object.assign(organization, planned(plan), shape),
      )
      const find = (name: string) => [...organization.accounts, ...organization.units].find((one) => one.name === name)
      return {
        calls,
        managementAccount: accounts.hub,
        move: async (account, parent) => {
          Object.assign(find(account) ?? {}, { parent: parent === null ? root : find(parent)?.id })
        },
        tag: async (name, tags) => {
          Object.assign(find(name) ?? {}, { tags })
        },
      }
    }),
  )

function planned(plan: Plan): Pick<Organization, 'units' | 'accounts'> {
  const ids = new Map(plan.units.map(({ name }, index) => [name, `ou-ab12-${String(index).padStart(8, '0')}`]))
  const idOf = (name: string | null) => (name === null ? root : (ids.get(name) ?? ''))
  const account = { email: 'aws@example.com', state: 'ACTIVE', joinedAt: Date.parse('2024-03-01') } as const
  return {
    units: plan.units.map(({ name, parent, tags }) => ({ id: idOf(name), name, parent: idOf(parent), tags })),
    accounts: [
      { ...account, id: accounts.hub, name: 'management', parent: root, tags: {} },
      ...plan.accounts.map(({ name, parent, tags }, index) => ({
        ...account,
        id: String(index).padStart(12, '0'),
        name,
        parent: idOf(parent),
        tags,
      })),
    ],
  }
}
