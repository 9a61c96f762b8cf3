/** Both sides of the wire, the broker's calls and the double's answers, against AWS's models as botocore has them. */
import t from 'tap'
import { readDatabases } from '../../src/aws/estate/databases.ts'
import { iamCaller } from '../../src/aws/estate/iam.ts'
import { rdsCaller } from '../../src/aws/estate/rds.ts'
import { readRoles } from '../../src/aws/estate/roles.ts'
import { readIdentityCenter } from '../../src/aws/identity-center/read-identity-center.ts'
import { readOrganization } from '../../src/aws/organization/read-organization.ts'
import type { IdentityCenter, World } from '../sandbox/aws/world.ts'
import { createCluster, createInstance } from '../sandbox/databases-world.ts'
import { accounts, region } from '../sandbox/default-world.ts'
import { groups, permissionSetArn, permissionSets, users, uuid } from '../sandbox/identity-center-world.ts'
import { skipWithoutPython } from '../sandbox/programs.ts'
import { type Exchange, misfits } from '../sandbox/wire-models.ts'
import { place, startEstate } from '../src/aws/estate/estate-setup.ts'
import { signal } from '../src/aws/hub-setup.ts'
import { startIdentityCenter } from '../src/aws/identity-center/identity-center-setup.ts'
import { startWrites } from '../src/aws/identity-center/writes-setup.ts'
import { startOrganization } from '../src/aws/organization/organization-setup.ts'

const skip = skipWithoutPython('botocore')

t.test('Organizations', { skip }, async (t) => {
  for (const shape of [{}, { hasPaths: true }, { pageSize: 1, hasEmptyPages: true }]) {
    const exchanges: Exchange[] = []
    const { calls, organization, aws } = await startOrganization(
      t,
      (organization) => Object.assign(organization, shape),
      {
        onExchange: (one) => exchanges.push(one),
      },
    )
    await readOrganization(calls, { signal })
    for (const { id } of organization.accounts) await calls.parentOf(id, signal)
    for (const { id } of organization.units) await calls.unit(id, signal)
    for (const { id } of organization.accounts) await calls.account(id, signal)
    await calls.account('000000000099', signal)
    const nowhere = 'ou-ab12-zzzzzzzz'
    for (const ask of [calls.unit, calls.units, calls.accountsIn, calls.parentOf, calls.tags])
      await ask(nowhere, signal)
    aws.faults.failOnce('ListRoots', 1, 'TooManyRequestsException')
    await calls.roots(signal)
    t.same(misfits(exchanges), [])
    t.equal(new Set(exchanges.map(({ operation }) => operation)).size, 9)
  }
})

t.test('Identity Center', { skip }, async (t) => {
  for (const shape of [{}, { pageSize: 1, hasEmptyPages: true }]) {
    const exchanges: Exchange[] = []
    const change = (center: IdentityCenter) => Object.assign(center, shape)
    const { calls, aws } = await startIdentityCenter(t, change, { onExchange: (one) => exchanges.push(one) })
    const options = { managementAccount: accounts.hub, signal } as const
    const { instance } = await readIdentityCenter(calls, { ...options, assignments: 'principals' })
    await readIdentityCenter(calls, { ...options, assignments: 'pairs' })
    await calls.members(instance, uuid(99), signal)
    for (const id of [groups.pushed, uuid(99)]) await calls.group(instance, id, signal)
    await calls.assignmentsFor(instance, { principalType: 'USER', principalId: uuid(99) }, signal)
    for (const ask of [calls.permissionSet, calls.permissionSetTags, calls.policiesOf, calls.accountsOf])
      await ask(instance, permissionSetArn('ps-0000000000000009'), signal)
    aws.faults.failOnce('ListGroups', 1, 'ThrottlingException')
    await calls.groups(instance, signal)
    t.same(misfits(exchanges), [])
    t.equal(new Set(exchanges.map(({ operation }) => operation)).size, 15)
  }
})

t.test('changes of Identity Center', { skip }, async (t) => {
  for (const shape of [{}, { pageSize: 1, hasEmptyPages: true }]) {
    const exchanges: Exchange[] = []
    const change = (center: IdentityCenter) => Object.assign(center, { changesTake: 'told', ...shape })
    const started = await startWrites(t, change, { onExchange: (one) => exchanges.push(one) })
    const { writes, directory, outside, center } = started
    const key = { account: accounts.web, permissionSetArn: permissionSetArn(permissionSets.readOnly) }
    for (const reason of [undefined, 'Received a 403 status error: “no”']) {
      const made = await writes.createAssignment({ ...key, userId: users.alice }, signal)
      await writes.changesUnderWay(signal)
      outside.endChanges(reason)
      await writes.assignmentState(made, signal)
      await writes.assignmentState({ ...made, change: 'delete' }, signal)
    }
    outside.change(accounts.web, permissionSets.admin)
    const admin = { ...key, permissionSetArn: permissionSetArn(permissionSets.admin), userId: users.alice }
    await t.rejects(writes.createAssignment(admin, signal), { code: 'Conflict' })
    center.mostChanges = 1
    await t.rejects(writes.deleteAssignment({ ...key, userId: users.alice }, signal), { code: 'Busy' })
    center.mostChanges = 10
    const removed = await writes.deleteAssignment({ ...key, userId: users.alice }, signal)
    await writes.changesUnderWay(signal)
    outside.endChanges()
    await writes.assignmentState(removed, signal)
    await t.rejects(writes.deleteAssignment({ ...key, userId: users.alice }, signal), { code: 'NotFound' })
    await writes.hasAssignment({ ...key, userId: users.alice }, signal)
    const membership = await writes.createMembership(groups.admins, users.alice, signal)
    await t.rejects(writes.createMembership(groups.admins, users.alice, signal), { code: 'Conflict' })
    await writes.membershipId(groups.admins, users.alice, signal)
    for (const id of [membership, membership]) await writes.deleteMembership(id, signal)
    for (const group of [groups.admins, uuid(99)]) await writes.membershipId(group, users.alice, signal)
    for (const userName of ['alice', 'zoe']) await directory.findUsers({ userName }, signal)
    await directory.findUsers({ externalId: { issuer: 'https://scim.example.com', id: '00u3' } }, signal)
    await directory.findUsers({ email: 'bob@example.com' }, signal)
    await directory.user(uuid(99), signal)
    t.same(misfits(exchanges), [])
    t.equal(new Set(exchanges.map(({ operation }) => operation)).size, 14)
  }
})

t.test('IAM', { skip }, async (t) => {
  for (const lists of [
    { pageSize: 1000, hasEmptyPages: false },
    { pageSize: 3, hasEmptyPages: true },
  ]) {
    const exchanges: Exchange[] = []
    const change = (world: World) => {
      world.lists = lists
      world.roles.push({
        ...{ arn: `arn:aws:iam::${accounts.data}:role/teams/a+b`, roleId: 'AROASANDBOXODD000001', policies: [] },
        ...{ trust: {}, maxSessionSeconds: 3600, tags: { 'cost center': '=42/+' }, lastUsedAt: 1_764_000_000_000 },
        attached: ['arn:aws:iam::aws:policy/AdministratorAccess'],
      })
    }
    const { deps, aws } = await startEstate(t, change, { onExchange: (one) => exchanges.push(one) })
    aws.faults.failOnce('GetAccountAuthorizationDetails', 1, 'Throttling')
    await readRoles(iamCaller(deps)(place), accounts.data, { signal })
    const ours = exchanges.filter(({ service }) => service === 'iam')
    t.same(misfits(ours), [])
    t.ok(ours.length > 1)
  }
})

t.test('RDS', { skip }, async (t) => {
  for (const lists of [
    { pageSize: 1000, hasEmptyPages: false },
    { pageSize: 1, hasEmptyPages: true },
  ]) {
    const exchanges: Exchange[] = []
    const change = (world: World) => {
      world.lists = lists
      const where = { account: accounts.data, region }
      const custom = [{ name: 'reports', host: `reports.cluster-custom-abc123.${region}.rds.amazonaws.com` }]
      const { cluster, instances } = createCluster(where, 'ledger', { custom, database: 'ledger', tags: { a: 'b' } })
      world.rds.clusters.push(cluster)
      world.rds.instances.push(...instances, createInstance(where, 'new', { endpoint: null, status: 'creating' }))
    }
    const { deps, aws } = await startEstate(t, change, { onExchange: (one) => exchanges.push(one) })
    aws.faults.failOnce('DescribeDBClusters', 1, 'Throttling')
    await readDatabases(rdsCaller(deps)(place), accounts.data, { signal })
    const ours = exchanges.filter(({ service }) => service === 'rds')
    t.same(misfits(ours), [])
    t.equal(new Set(ours.map(({ operation }) => operation)).size, 3)
  }
})

t.test('what does not fit is found', { skip }, (t) => {
  const fits: Exchange = {
    service: 'organizations',
    operation: 'ListAccounts',
    status: 200,
    request: { MaxResults: 20 },
    answer: { Accounts: [{ Id: '111122223333', State: 'ACTIVE', JoinedTimestamp: 1709285400 }] },
  }
  t.same(misfits([fits]), [])
  t.same(
    misfits([
      { ...fits, operation: 'ListEverything' },
      { ...fits, request: { MaxResults: 21 } },
      { ...fits, request: { PageSize: 20 } },
      { ...fits, answer: { Accounts: [{ Id: 111122223333 }] } },
      { ...fits, answer: { Accounts: [{ Id: '1' }] } },
      { ...fits, answer: { Accounts: [{ State: 'MELTED' }] } },
      { ...fits, operation: 'ListParents', request: {}, answer: {} },
      { ...fits, status: 400, answer: { __type: 'ChildNotFoundException' } },
    ]).map((text) => text.replace(/ \^.*/, '')),
    [
      'organizations:ListEverything is unknown',
      'organizations:ListAccounts request.MaxResults: 21 is more than 20',
      'organizations:ListAccounts request.PageSize is unknown',
      'organizations:ListAccounts answer.Accounts[0].Id: int instead of string',
      'organizations:ListAccounts answer.Accounts[0].Id: 1 does not match',
      'organizations:ListAccounts answer.Accounts[0].State: MELTED is none of its values',
      'organizations:ListParents request.ChildId is missing',
      'organizations:ListAccounts does not answer ChildNotFoundException',
    ],
  )
  t.end()
})
