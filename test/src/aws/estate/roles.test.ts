/** The roles of an account, from the double, which refuses what IAM refuses, and from moto. */
import {
  AttachRolePolicyCommand,
  CreatePolicyCommand,
  CreateRoleCommand,
  CreateServiceLinkedRoleCommand,
  DeleteRoleCommand,
  IAMClient,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam'
import t from 'tap'
import { iamCaller } from '../../../../src/aws/estate/iam.ts'
import { type RoleSeen, readRoles } from '../../../../src/aws/estate/roles.ts'
import { newKeyId } from '../../../sandbox/aws/callers.ts'
import type { Role, World } from '../../../sandbox/aws/world.ts'
import { accounts, allow, arns, policy } from '../../../sandbox/default-world.ts'
import { motoMissing } from '../../../sandbox/moto.ts'
import { signal } from '../hub-setup.ts'
import { place, startEstate, startMotoEstate } from './estate-setup.ts'

const account = accounts.data
const read = (deps: Parameters<typeof iamCaller>[0]) => readRoles(iamCaller(deps)(place), account, { signal })
const named = (roles: readonly RoleSeen[], name: string) => roles.find((one) => one.name === name)

function addRole(world: World, path: string, more: Partial<Role> = {}): Role {
  const role: Role = {
    arn: `arn:aws:iam::${account}:role${path}`,
    roleId: newKeyId('AROA' as 'ASIA'),
    trust: policy({ Effect: 'Allow', Principal: { Service: 'ec2.amazonaws.com' }, Action: 'sts:AssumeRole' }),
    policies: [],
    maxSessionSeconds: 3600,
    tags: {},
    ...more,
  }
  world.roles.push(role)
  return role
}

t.test('roles with path, id, tags, last use, boundary, trust and what their policies give', async (t) => {
  const { deps, world, operations } = await startEstate(t, (world) => {
    const own = `arn:aws:iam::${account}:policy/teams/Everything`
    world.managedPolicies.push({
      ...{ arn: own, defaultVersion: 'v2', next: 3 },
      versions: [
        { id: 'v1', document: allow('*', '*'), createdAt: 0 },
        { id: 'v2', document: allow('s3:*', '*'), createdAt: 0 },
      ],
    })
    addRole(world, '/teams/shop/a+b=c,d.e@f-g_h', {
      tags: { 'cost center': '=42/+', Ünï: '"quoted" <&>' },
      createdAt: Date.parse('2025-01-02T03:04:05Z'),
      lastUsedAt: Date.parse('2026-01-02T03:04:05Z'),
      policies: [allow('iam:PutRolePolicy', '*')],
      policyNames: ['raise'],
      attached: [own, 'arn:aws:iam::aws:policy/AdministratorAccess'],
      boundary: arns.revocations,
    })
    addRole(world, '/aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS')
  })
  const roles = await read(deps)
  t.same(operations(), ['GetAccountAuthorizationDetails'])
  t.same(
    roles.map(({ arn }) => arn),
    world.roles
      .map(({ arn }) => arn)
      .filter((arn) => arn.includes(account) && !arn.includes('aws-service-role'))
      .sort(),
  )
  const odd = named(roles, 'a+b=c,d.e@f-g_h')
  t.match(odd, {
    path: '/teams/shop/',
    id: /^AROA/,
    createdAt: Date.parse('2025-01-02T03:04:05Z'),
    lastUsedAt: Date.parse('2026-01-02T03:04:05Z'),
    boundary: arns.revocations,
    isBounded: false,
    trust: [{ principals: { Service: ['ec2.amazonaws.com'] } }],
  })
  t.same(odd?.tags, { 'cost center': '=42/+', Ünï: '"quoted" <&>' })
  t.same(odd?.powers, {
    admin: ['AdministratorAccess'],
    escalation: ['raise: iam:PutRolePolicy'],
    wide: ['Everything: s3:*'],
  })
  t.match(named(roles, 'ReportsReader'), { lastUsedAt: null, path: '/', id: 'AROASANDBOXREPORTS01' })
})

t.test('N-1: pages, also empty ones, until one is not truncated; policies on a page behind their roles', async (t) => {
  const plain = await startEstate(t, (world) => grow(world))
  const paged = await startEstate(t, (world) => {
    grow(world, plain.world.roles)
    world.lists = { pageSize: 7, hasEmptyPages: true }
  })
  t.same(await read(paged.deps), await read(plain.deps))
  t.ok(paged.operations().length > 10)
})

function grow(world: World, like?: readonly Role[]): void {
  if (like) world.roles = [...like]
  else for (let index = 0; index < 40; index += 1) addRole(world, `/role-${index}`, { attached: [arns.revocations] })
}

t.test('N-2: a page that fails means that nothing was read, and says what to do', async (t) => {
  const { deps, aws } = await startEstate(t, (world) => {
    world.lists = { pageSize: 3, hasEmptyPages: false }
  })
  aws.faults.failOnce('GetAccountAuthorizationDetails', 2, 'AccessDenied')
  await t.rejects(read(deps), {
    code: 'AWS_DENIED',
    message: new RegExp(`iam:GetAccountAuthorizationDetails is not allowed in account ${account}`),
    hint: /aws policies --feature discovery/,
  })
  aws.faults.clear()
  aws.faults.failOnce('GetAccountAuthorizationDetails', 3, 'Throttling')
  t.ok((await read(deps)).length > 5, 'throttles are waited for')
})

t.test('a policy that cannot be read gives nothing, and a role without a readable trust is still a role', async (t) => {
  const { deps } = await startEstate(t, (world) => {
    addRole(world, '/broken', { trust: [] as never, policies: ['nonsense' as never] })
  })
  t.match(named(await read(deps), 'broken'), { trust: null, powers: { admin: [], escalation: [], wide: [] } })
})

t.test('a role made anew under its name has another id', async (t) => {
  const { deps, world } = await startEstate(t)
  const before = named(await read(deps), 'ReportsReader')?.id
  for (const role of world.roles) if (role.arn === arns.reports) role.roleId = 'AROASANDBOXREPORTS02'
  t.not(named(await read(deps), 'ReportsReader')?.id, before)
})

t.test('moto', { skip: motoMissing() }, async (t) => {
  const { client: options, deps } = await startMotoEstate(t)
  const iam = new IAMClient({ ...options, region: 'us-east-1' })
  t.teardown(() => iam.destroy())
  const trust = JSON.stringify(policy({ Effect: 'Allow', Principal: { AWS: arns.connect }, Action: 'sts:AssumeRole' }))
  const create = async (RoleName: string, Path = '/') =>
    await iam.send(
      new CreateRoleCommand({
        ...{ RoleName, Path, AssumeRolePolicyDocument: trust },
        Tags: [{ Key: 'cost center', Value: '=42/+' }],
      }),
    )
  await create('a+b=c,d.e@f-g_h', '/teams/shop/')
  const { Policy } = await iam.send(
    new CreatePolicyCommand({ PolicyName: 'Wide', PolicyDocument: JSON.stringify(allow('s3:*', '*')) }),
  )
  await iam.send(new AttachRolePolicyCommand({ RoleName: 'a+b=c,d.e@f-g_h', PolicyArn: Policy?.Arn }))
  await iam.send(
    new PutRolePolicyCommand({
      ...{ RoleName: 'a+b=c,d.e@f-g_h', PolicyName: 'all' },
      PolicyDocument: JSON.stringify(allow('*', '*')),
    }),
  )
  await iam.send(new CreateServiceLinkedRoleCommand({ AWSServiceName: 'rds.amazonaws.com' }))
  const first = named(await read(deps), 'a+b=c,d.e@f-g_h')
  t.match(first, {
    arn: `arn:aws:iam::${account}:role/teams/shop/a+b=c,d.e@f-g_h`,
    path: '/teams/shop/',
    id: /^AROA/,
    tags: { 'cost center': '=42/+' },
    trust: [{ principals: { AWS: [arns.connect] } }],
    powers: { admin: ['all'], wide: ['Wide: s3:*'] },
  })
  t.ok(Date.now() - (first?.createdAt ?? 0) < 60_000)
  await create('gone')
  await iam.send(new DeleteRoleCommand({ RoleName: 'gone' }))
  const again = await create('gone')
  const roles = await read(deps)
  t.equal(named(roles, 'gone')?.id, again.Role?.RoleId)
  t.same(roles.map(({ name }) => name).sort(), ['a+b=c,d.e@f-g_h', 'gone'])
})
