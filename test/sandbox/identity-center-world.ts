import { noChanges } from './aws/assignment.ts'
import type { IdentityCenter, IdentityCenterGroup, IdentityCenterUser } from './aws/world.ts'
import { accounts, policy, region } from './default-world.ts'

export const users = { alice: uuid(1), bob: uuid(2), carol: uuid(3) } as const
export const groups = { engineers: uuid(11), admins: uuid(12), pushed: uuid(13) } as const
export const permissionSets = { readOnly: 'ps-0000000000000001', admin: 'ps-0000000000000002' } as const
export const instanceId = 'ssoins-7223abcd12345678'

export function permissionSetArn(id: string): string {
  return `arn:aws:sso:::permissionSet/${instanceId}/${id}`
}

/** Identity Center of the sandbox's organization, at home in its first region. */
export function createIdentityCenterWorld(): IdentityCenter {
  return {
    instanceId,
    identityStoreId: 'd-1234567890',
    region,
    status: 'ACTIVE',
    ownerAccount: accounts.hub,
    delegatedAdministrators: [],
    users: [
      user(users.alice, 'alice'),
      user(users.bob, 'bob'),
      { ...user(users.carol, 'carol'), email: null, isEnabled: false, externalId: '00u3' },
    ],
    groups: [
      group(groups.engineers, 'Engineers', [users.alice, users.bob]),
      group(groups.admins, 'Admins & "Owners"', []),
      { ...group(groups.pushed, 'Pushed', [users.carol]), externalId: '00g1' },
    ],
    permissionSets: [
      {
        id: permissionSets.readOnly,
        name: 'ReadOnly',
        description: 'looks, and touches nothing',
        sessionDuration: 'PT8H',
        tags: { 'sallyport:managed': 'true' },
        managedPolicies: ['arn:aws:iam::aws:policy/ReadOnlyAccess', 'arn:aws:iam::aws:policy/job-function/Billing'],
        customerPolicies: [{ name: 'DenySecrets', path: '/company/' }],
        inlinePolicy: JSON.stringify(policy({ Sid: 'Logs', Effect: 'Allow', Action: 'logs:*', Resource: '*' })),
        boundary: { name: 'SallyportRevocations', path: '/sallyport/' },
        provisionedIn: [accounts.data, accounts.web],
      },
      {
        id: permissionSets.admin,
        name: 'Admin',
        description: '',
        sessionDuration: 'PT1H30M',
        tags: {},
        ...noPolicies(),
        managedPolicies: ['arn:aws:iam::aws:policy/AdministratorAccess'],
        provisionedIn: [accounts.data],
      },
    ],
    assignments: [
      { account: accounts.data, permissionSet: permissionSets.readOnly, type: 'GROUP', principal: groups.engineers },
      { account: accounts.web, permissionSet: permissionSets.readOnly, type: 'GROUP', principal: groups.engineers },
      { account: accounts.data, permissionSet: permissionSets.admin, type: 'USER', principal: users.bob },
    ],
    ...noChanges(),
    pageSize: 100,
    hasEmptyPages: false,
  }
}

export interface CenterSize {
  readonly users: number
  /** Each with one member. */
  readonly groups: number
  readonly permissionSets: number
  /** That every permission set is provisioned in. */
  readonly accounts: number
}

/** Each pair of account and permission set is assigned to one group. */
export function createLargeIdentityCenter(size: CenterSize): IdentityCenter {
  const many = <T>(count: number, make: (index: number) => T) =>
    Array.from({ length: count }, (_, index) => make(index))
  const people = many(size.users, (index) => user(uuid(index), `person-${index}`))
  const teams = many(size.groups, (index) => group(uuid(100_000 + index), `Team ${index}`, [uuid(index % size.users)]))
  const where = many(size.accounts, (index) => String(index).padStart(12, '0'))
  const sets = many(size.permissionSets, (index) => ({
    id: `ps-${String(index).padStart(16, '0')}`,
    name: `Set-${index}`,
    description: '',
    sessionDuration: 'PT1H',
    tags: {},
    ...noPolicies(),
    provisionedIn: where,
  }))
  return {
    ...createIdentityCenterWorld(),
    users: people,
    groups: teams,
    permissionSets: sets,
    assignments: sets.flatMap(({ id }, index) => {
      const principal = teams[index % teams.length]?.id ?? ''
      return where.map((account) => ({ account, permissionSet: id, type: 'GROUP' as const, principal }))
    }),
  }
}

export function noPolicies() {
  return { managedPolicies: [], customerPolicies: [], inlinePolicy: '', boundary: null } satisfies Partial<
    IdentityCenter['permissionSets'][number]
  >
}

/** A UUID that ends in this number. */
export function uuid(number: number): string {
  return `906712f8a5-0a1b2c3d-1111-4222-8333-${String(number).padStart(12, '0')}`
}

function user(id: string, userName: string): IdentityCenterUser {
  const email = `${userName}@example.com`
  return { id, userName, displayName: `${userName} of the company`, email, isEnabled: true, externalId: null }
}

function group(id: string, name: string, members: readonly string[]): IdentityCenterGroup {
  const memberOf = (userId: string, index: number) => ({
    userId,
    membershipId: uuid(Number(id.slice(-4)) * 100 + index),
  })
  return { id, name, description: '', externalId: null, members: members.map(memberOf) }
}
