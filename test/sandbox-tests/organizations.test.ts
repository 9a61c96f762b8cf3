/** The double of Organizations, by the real SDK. */
import {
  DescribeAccountCommand,
  DescribeOrganizationalUnitCommand,
  DescribeOrganizationCommand,
  ListAccountsCommand,
  ListAccountsForParentCommand,
  ListDelegatedAdministratorsCommand,
  ListHandshakesForAccountCommand,
  ListOrganizationalUnitsForParentCommand,
  ListParentsCommand,
  ListRootsCommand,
  ListTagsForResourceCommand,
  OrganizationsClient,
} from '@aws-sdk/client-organizations'
import t, { type Test } from 'tap'
import type { Organization, World } from '../sandbox/aws/world.ts'
import { startAws } from '../sandbox/aws.ts'
import { createClock } from '../sandbox/clock.ts'
import { accounts, allow, arns, computeKeys, createWorld } from '../sandbox/default-world.ts'
import { createOrganization, root, units } from '../sandbox/organization-world.ts'

async function start(t: Test, change: (organization: Organization, world: World) => void = () => {}) {
  const world = createWorld()
  const organization = createOrganization()
  world.organization = organization
  for (const user of world.users) user.policies.push(allow('organizations:*', '*'))
  change(organization, world)
  const aws = await startAws({ world, clock: createClock() })
  t.teardown(() => aws.close())
  const client = (region = 'us-east-1', credentials = computeKeys) => {
    const made = new OrganizationsClient({ endpoint: aws.url, region, credentials, maxAttempts: 1 })
    t.teardown(() => made.destroy())
    return made
  }
  return { aws, world, client, organization }
}

t.test('what is there is described and listed', async (t) => {
  const client = (
    await start(t, (organization) => {
      organization.hasPaths = true
      organization.delegatedAdministrators = { [accounts.web]: ['sso.amazonaws.com'] }
    })
  ).client()
  t.match(await client.send(new DescribeOrganizationCommand({})), {
    Organization: { Id: 'o-exampleorgid', MasterAccountId: accounts.hub, FeatureSet: 'ALL' },
  })
  t.match(await client.send(new ListRootsCommand({})), { Roots: [{ Id: root, Name: 'Root' }] })
  t.match(await client.send(new DescribeAccountCommand({ AccountId: accounts.data })), {
    Account: {
      Arn: `arn:aws:organizations::${accounts.hub}:account/o-exampleorgid/${accounts.data}`,
      State: 'ACTIVE',
      Paths: [`o-exampleorgid/${root}/${units.production}/${units.payments}/${accounts.data}/`],
      JoinedTimestamp: new Date('2024-03-01T09:30:00Z'),
    },
  })
  t.match(await client.send(new DescribeOrganizationalUnitCommand({ OrganizationalUnitId: units.payments })), {
    OrganizationalUnit: {
      Name: 'Payments & "Cards"',
      Path: `o-exampleorgid/${root}/${units.production}/${units.payments}/`,
    },
  })
  t.match(await client.send(new ListParentsCommand({ ChildId: accounts.hub })), {
    Parents: [{ Id: root, Type: 'ROOT' }],
  })
  t.match(await client.send(new ListParentsCommand({ ChildId: units.payments })), {
    Parents: [{ Id: units.production, Type: 'ORGANIZATIONAL_UNIT' }],
  })
  t.match(await client.send(new ListDelegatedAdministratorsCommand({ ServicePrincipal: 'sso.amazonaws.com' })), {
    DelegatedAdministrators: [{ Id: accounts.web }],
  })
  const none = await client.send(new ListDelegatedAdministratorsCommand({ ServicePrincipal: 'ssm.amazonaws.com' }))
  t.same(none.DelegatedAdministrators, [])
})

t.test('pages: of the size that was asked for, never more than the service gives, empty ones too', async (t) => {
  const { client, organization } = await start(t)
  const pages = async (MaxResults?: number) => {
    const sizes: number[] = []
    for (let NextToken: string | undefined; ; ) {
      const page = await client().send(new ListAccountsCommand({ NextToken, MaxResults }))
      sizes.push(page.Accounts?.length ?? -1)
      NextToken = page.NextToken
      if (NextToken === undefined) return sizes
    }
  }
  t.same(await pages(), [4])
  t.same(await pages(3), [3, 1])
  t.same(await pages(4), [4], 'no empty page at the end')
  organization.pageSize = 2
  t.same(await pages(20), [2, 2])
  organization.hasEmptyPages = true
  t.same(await pages(20), [0, 2, 0, 2])
})

t.test('it refuses what AWS refuses', async (t) => {
  const { client, organization } = await start(t)
  organization.pageSize = 1
  const { NextToken } = await client().send(new ListAccountsCommand({}))
  const invalid = { name: 'InvalidInputException' }
  const refused = [
    [new ListAccountsCommand({ MaxResults: 21 }), invalid],
    [new ListAccountsCommand({ MaxResults: 0 }), invalid],
    [new ListAccountsCommand({ NextToken: 'made up' }), invalid],
    [new ListRootsCommand({ NextToken }), invalid],
    [new ListAccountsForParentCommand({ ParentId: root, NextToken }), invalid],
    [new ListAccountsForParentCommand({ ParentId: '111122223333' }), invalid],
    [new ListOrganizationalUnitsForParentCommand({ ParentId: undefined }), invalid],
    [new ListParentsCommand({ ChildId: root }), invalid],
    [new ListTagsForResourceCommand({ ResourceId: 'ou-x' }), invalid],
    [new DescribeAccountCommand({ AccountId: '1' }), invalid],
    [new ListAccountsForParentCommand({ ParentId: 'ou-ab12-00000000' }), { name: 'ParentNotFoundException' }],
    [new ListOrganizationalUnitsForParentCommand({ ParentId: 'r-zz99' }), { name: 'ParentNotFoundException' }],
    [new ListParentsCommand({ ChildId: '999999999999' }), { name: 'ChildNotFoundException' }],
    [new ListTagsForResourceCommand({ ResourceId: '999999999999' }), { name: 'TargetNotFoundException' }],
    [new DescribeAccountCommand({ AccountId: '999999999999' }), { name: 'AccountNotFoundException' }],
    [
      new DescribeOrganizationalUnitCommand({ OrganizationalUnitId: 'ou-ab12-00000000' }),
      { name: 'OrganizationalUnitNotFoundException' },
    ],
    [new ListHandshakesForAccountCommand({}), { name: 'UnknownOperationException' }],
  ] as const
  for (const [command, error] of refused)
    await t.rejects(client().send(command as ListAccountsCommand), error, JSON.stringify(command.input))
})

t.test('it is one endpoint: another region’s signature, another key’s, are refused', async (t) => {
  const { client } = await start(t)
  await t.rejects(client('eu-west-1').send(new ListRootsCommand({})), { name: 'InvalidSignatureException' })
  const other = { ...computeKeys, secretAccessKey: 'another' }
  await t.rejects(client('us-east-1', other as never).send(new ListRootsCommand({})), {
    name: 'InvalidSignatureException',
  })
})

t.test('policies are evaluated on the unit, account or root in question', async (t) => {
  const at = (type: string, id: string) => `arn:aws:organizations::${accounts.hub}:${type}/o-exampleorgid/${id}`
  const { client } = await start(t, (_, { users }) => {
    for (const user of users)
      user.policies = [
        allow('organizations:ListAccountsForParent', at('ou', units.sandbox)),
        allow('organizations:ListTagsForResource', at('account', accounts.data)),
      ]
  })
  await client().send(new ListAccountsForParentCommand({ ParentId: units.sandbox }))
  await client().send(new ListTagsForResourceCommand({ ResourceId: accounts.data }))
  await t.rejects(client().send(new ListAccountsForParentCommand({ ParentId: root })), {
    name: 'AccessDeniedException',
    message: `User: ${arns.compute} is not authorized to perform: organizations:ListAccountsForParent on resource: ${at('root', root)}`,
  })
  await t.rejects(client().send(new ListTagsForResourceCommand({ ResourceId: accounts.web })), {
    name: 'AccessDeniedException',
  })
})

t.test('a member may ask which organization it is, and nothing else', async (t) => {
  const { client, organization, world } = await start(t, (organization) => {
    organization.managementAccount = accounts.web
  })
  await client().send(new DescribeOrganizationCommand({}))
  for (const command of [
    new ListRootsCommand({}),
    new ListAccountsCommand({}),
    new ListDelegatedAdministratorsCommand({}),
  ])
    await t.rejects(client().send(command as ListAccountsCommand), {
      name: 'AccessDeniedException',
      message: "You don't have permissions to access this resource.",
    })
  organization.delegatedAdministrators = { [accounts.hub]: ['config.amazonaws.com'] }
  await client().send(new ListAccountsCommand({}))
  delete world.organization
  await t.rejects(client().send(new DescribeOrganizationCommand({})), { name: 'AWSOrganizationsNotInUseException' })
})
