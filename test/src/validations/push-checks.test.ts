/** What the hub role may change in Identity Center: no less than rules need, and no more. */
import t, { type Test } from 'tap'
import { renderJson } from '../../../src/aws/policies/render-json.ts'
import { policiesOf, type Values } from '../../../src/aws/policies/table.ts'
import { kinds } from '../../../src/kinds/registry.ts'
import { checkHub } from '../../../src/validations/hub-checks.ts'
import type { Organization, PolicyDocument } from '../../sandbox/aws/world.ts'
import { accounts, allow, arns, region } from '../../sandbox/default-world.ts'
import { groups, instanceId, permissionSets, users } from '../../sandbox/identity-center-world.ts'
import { createOrganization } from '../../sandbox/organization-world.ts'
import { signal } from '../aws/hub-setup.ts'
import { startWrites } from '../aws/identity-center/writes-setup.ts'

const features = ['identity-center', 'push-groups', 'push-permission-sets']
const lists = {
  identityCenters: [instanceId],
  pushedPermissionSets: [`${instanceId}/${permissionSets.readOnly}`],
  pushedAccounts: [accounts.data],
  identityStores: ['d-1234567890'],
  pushedGroups: [groups.admins],
}
const others = {
  ...lists,
  pushedPermissionSets: [...lists.pushedPermissionSets, `${instanceId}/${permissionSets.admin}`],
  pushedGroups: [...lists.pushedGroups, groups.engineers],
}
const usual = Object.fromEntries(
  Object.entries(policiesOf(kinds).values).map(([name, { default: one }]) => [name, one]),
)
const values: Values = {
  ...usual,
  ...{ partition: 'aws', account: accounts.hub, compute: arns.compute, hubRole: arns.hub, hubName: 'SallyportHub' },
  ...{ externalId: 'e', organization: 'o-exampleorgid', connectRole: 'c', revocationPolicy: 'r' },
  ...{ issuer: 'login.example.com', clientId: 'sallyport', subject: '?*' },
}
const printed = renderJson(kinds, { features, trusts: ['hub'] }, values, lists)

/** Documents of `aws policies` for these rules. */
function documents(...names: string[]): PolicyDocument[] {
  return printed.flatMap(({ name, document }) => (names.includes(name) ? [document as PolicyDocument] : []))
}

async function found(t: Test, policies: readonly PolicyDocument[], more: object = {}, organization?: Organization) {
  const { broker, metrics, clock, config, aws } = await startWrites(
    t,
    (_, world) => {
      if (organization) world.organization = organization
      world.roles.find(({ arn }) => arn === arns.hub)?.policies.push(...policies)
    },
    { isAllowed: false },
  )
  const needs = { table: policiesOf(kinds), features, values: lists, pushable: others, config, ...more }
  const deps = { aws: broker, config, clock, metrics, needs, identityCenterRegion: region, signal }
  const all = await checkHub(deps)
  return { all, aws, rights: all.find(({ check }) => check === 'rights to assign') }
}

t.test('what is printed for the rules is enough, and not too much', async (t) => {
  const { all, rights } = await found(t, documents('hubAssignments', 'hubMemberships'))
  t.match(rights, { status: 'ok' })
  t.same(
    all.filter(({ check, status }) => /^(sso|identitystore):/.test(check) && status !== 'ok'),
    [],
  )
})

t.test('without it each action is missing, with what to do', async (t) => {
  const { all, rights } = await found(t, [])
  t.match(rights, { status: 'ok' })
  const missing = all.filter(({ status }) => status === 'failed').map(({ check }) => check)
  for (const action of [
    'sso:CreateAccountAssignment',
    'identitystore:DeleteGroupMembership',
    'identitystore:GetGroupMembershipId',
  ])
    t.ok(missing.includes(action), action)
})

t.test('what is wider is a failure, with what may be changed', async (t) => {
  const own = documents('hubAssignments', 'hubMemberships')
  const all = await found(t, [...own, allow('sso:*', '*')])
  t.match(all.rights, {
    status: 'failed',
    severity: 'high',
    detail: /sso:CreateAccountAssignment on any permission set, the permission set ssoins-\w+\/ps-0+2, any account$/,
    fix: /--feature push-permission-sets/,
  })
  const group = `arn:aws:identitystore:::group/${groups.engineers}`
  const one = await found(t, [...own, allow('identitystore:CreateGroupMembership', group)])
  t.match(one.rights, { status: 'failed', detail: new RegExp(`on the group ${groups.engineers}$`) })
  const without = await found(t, [allow(['identitystore:*'], '*')], { features: ['identity-center'], values: {} })
  t.match(without.rights, { status: 'failed', detail: /any group/ }, 'also where no rule needs any')
})

t.test('in the management account more is needed, and a delegated administrator can do nothing', async (t) => {
  const values = { ...lists, pushedAccounts: [accounts.hub], pushedPermissionSetNames: ['ReadOnly'] }
  const organization = createOrganization()
  const { all } = await found(t, [], { values }, organization)
  t.ok(all.some(({ check, status }) => check === 'iam:GetSAMLProvider' && status === 'failed'))
  const elsewhere = {
    ...organization,
    managementAccount: accounts.web,
    delegatedAdministrators: { [accounts.hub]: ['sso'] },
  }
  const delegated = await found(t, [], { values: { ...values, pushedAccounts: [accounts.web] } }, elsewhere)
  t.match(
    delegated.all.find(({ check }) => check === 'permission sets in the management account'),
    { status: 'failed', detail: new RegExp(accounts.web) },
  )
  t.notOk(delegated.all.some(({ check }) => check === 'iam:GetSAMLProvider'))
})

t.test('what is printed lets the broker do its work', async (t) => {
  const { writes, outside } = await startWrites(
    t,
    (center, world) => {
      center.changesTake = 'told'
      world.roles.find(({ arn }) => arn === arns.hub)?.policies.push(...documents('hubAssignments', 'hubMemberships'))
    },
    { isAllowed: false },
  )
  const permissionSetArn = `arn:aws:sso:::permissionSet/${instanceId}/${permissionSets.readOnly}`
  const key = { account: accounts.data, permissionSetArn, userId: users.alice }
  const ticket = await writes.createAssignment(key, signal)
  t.equal((await writes.changesUnderWay(signal)).length, 1)
  outside.endChanges()
  t.match(await writes.assignmentState(ticket, signal), { state: 'succeeded' })
  t.equal(await writes.hasAssignment(key, signal), true)
  const id = await writes.createMembership(groups.admins, users.alice, signal)
  t.equal(await writes.membershipId(groups.admins, users.alice, signal), id)
  await writes.deleteMembership(id, signal)
  await t.rejects(writes.createAssignment({ ...key, account: accounts.web }, signal), { code: 'AccessDenied' })
  await t.rejects(writes.createMembership(groups.engineers, users.carol, signal), { code: 'AccessDenied' })
})
