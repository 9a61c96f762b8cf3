/** Groups and permission sets as the catalog gets them, from an AWS that refuses what AWS refuses. */
import t from 'tap'
import { permissionSet } from '../../../../src/kinds/permission-set/kind.ts'
import { accounts, region } from '../../../sandbox/default-world.ts'
import {
  groups,
  instanceId,
  noPolicies,
  permissionSetArn,
  permissionSets,
  users,
  uuid,
} from '../../../sandbox/identity-center-world.ts'
import { closedShop } from '../../../sandbox/organization-world.ts'
import { provisioned, startDiscovery } from './discovery-setup.ts'

const idsOf = (resources: readonly { id: string }[]) => resources.map(({ id }) => id)
const organization = 'o-exampleorgid'

t.test(
  'groups with counts, permission sets in the accounts that have their role, each with what makes it risky',
  async (t) => {
    const { read } = await startDiscovery(t)
    const found = await read()
    t.same(idsOf(found), [
      `identity-center-group/${groups.engineers}`,
      `identity-center-group/${groups.admins}`,
      `identity-center-group/${groups.pushed}`,
      `permission-set/${accounts.data}/ReadOnly`,
      `permission-set/${accounts.web}/ReadOnly`,
      `permission-set/${accounts.data}/Admin`,
    ])
    const shared = { partition: 'aws', organization, region: null, source: 'discovery' }
    t.same(found[0], {
      ...shared,
      id: `identity-center-group/${groups.engineers}`,
      kind: 'identity-center-group',
      account: null,
      name: groups.engineers,
      tags: {},
      attributes: { title: 'Engineers', identity_store: 'd-1234567890', external: false, members: 2, assignments: 2 },
      risk: [
        {
          code: 'standing-members',
          severity: 'medium',
          reason: '2 people are in the group at all times; it has permission sets in accounts, 2 in all',
          fix: 'take them out of the group, and let them ask for what they need',
        },
      ],
    })
    t.match(found[1], { attributes: { title: 'Admins & "Owners"', members: 0 }, risk: undefined })
    t.match(found[2], {
      attributes: { external: true },
      risk: [{ severity: 'low', fix: /at the provider that keeps it/ }],
    })
    t.same(found[4], {
      ...shared,
      id: `permission-set/${accounts.web}/ReadOnly`,
      kind: 'permission-set',
      account: accounts.web,
      name: 'ReadOnly',
      tags: { 'sallyport:managed': 'true' },
      attributes: {
        arn: permissionSetArn(permissionSets.readOnly),
        session_seconds: 8 * 3600,
        provisioned: true,
        groups: 1,
        people: 0,
        policies: [
          'arn:aws:iam::aws:policy/ReadOnlyAccess',
          'arn:aws:iam::aws:policy/job-function/Billing',
          '/company/DenySecrets',
        ],
        inline_policy: true,
        boundary: '/sallyport/SallyportRevocations',
      },
      risk: [
        {
          code: 'long-session',
          severity: 'medium',
          reason: 'sessions last 8h, also when access is taken away meanwhile',
          fix: 'set its session duration to at most 4h in Identity Center',
        },
      ],
    })
    t.match(found[5], {
      attributes: { session_seconds: 5400, groups: 0, people: 1 },
      risk: [{ code: 'admin-policy', severity: 'high', reason: /AdministratorAccess/ }],
    })
  },
)

t.test('import all: also in active accounts without the role, where nobody has it', async (t) => {
  const { read } = await startDiscovery(t)
  const found = await read({ region: null, import: 'all' })
  const sets = found.filter(({ kind }) => kind === 'permission-set')
  t.same(
    idsOf(sets).sort(),
    [accounts.data, accounts.web, accounts.hub]
      .flatMap((id) => [`permission-set/${id}/Admin`, `permission-set/${id}/ReadOnly`])
      .sort(),
    `not in ${closedShop}, which is suspended`,
  )
  t.match(
    sets.find(({ id }) => id === `permission-set/${accounts.hub}/Admin`),
    { attributes: { provisioned: false, groups: 0, people: 0 }, risk: undefined },
  )
})

t.test('import manual: all is read, and what is written by hand is kept of it', async (t) => {
  const { discovery, settingsOf } = await startDiscovery(t)
  const manual = settingsOf({ region: null, import: 'manual' })
  t.equal(permissionSet.imports?.(manual, false), false)
  t.equal(permissionSet.imports?.(manual, true), true)
  t.equal(discovery.isOn?.({ organization: true, import: null, everyMs: 1 }), false)
})

t.test(
  'under a delegated administrator: by pairs, and never in the management account where it cannot assign',
  async (t) => {
    const { read, outcomes } = await startDiscovery(t, ({ center, organization }) => {
      center.ownerAccount = accounts.web
      center.delegatedAdministrators = [accounts.hub]
      organization.managementAccount = accounts.web
      organization.delegatedAdministrators = { [accounts.hub]: ['sso.amazonaws.com'] }
    })
    const found = await read({ region: null, import: 'all' })
    t.match(await outcomes(), { 'ListAccountAssignments ok': 3 })
    t.equal((await outcomes())['ListAccountAssignmentsForPrincipal ok'], undefined)
    t.ok(idsOf(found).includes(`permission-set/${accounts.hub}/Admin`))
    t.notOk(idsOf(found).includes(`permission-set/${accounts.web}/Admin`), 'it has no role there, and cannot get one')
    t.ok(idsOf(found).includes(`permission-set/${accounts.web}/ReadOnly`), 'the management account made that itself')
  },
)

t.test('tags and policies are asked for once a day, or when a person asks', async (t) => {
  const { read, outcomes, clock, center } = await startDiscovery(t)
  const asked = async () => {
    const { 'ListTagsForResource ok': tags, 'GetInlinePolicyForPermissionSet ok': policies } = await outcomes()
    return [tags, policies]
  }
  await read()
  await read()
  t.same(await asked(), [2, 2])
  for (const set of center.permissionSets) set.tags = { new: 'yes' }
  await read(provisioned, true)
  t.same(await asked(), [4, 4])
  t.match((await read()).at(-1), { tags: { new: 'yes' } }, 'from then on they are known')
  t.same(await asked(), [4, 4])
  clock.advance(25 * 3_600_000)
  await read()
  t.same(await asked(), [6, 6])
})

t.test('at home elsewhere: it says where, and how to set it', async (t) => {
  const { read, center } = await startDiscovery(t)
  center.region = 'us-east-1'
  await t.rejects(read(), {
    code: 'AWS_DENIED',
    message: new RegExp(`is in us-east-1, not in ${region}`),
    hint: /inventory.identity_center.region: us-east-1/,
  })
  t.equal((await read({ region: 'us-east-1', import: 'provisioned' })).length, 6)
})

t.test('nowhere, or of one account alone, or without an organization: it says so', async (t) => {
  const { read, center, organization, aws } = await startDiscovery(t)
  organization.managementAccount = accounts.web
  organization.delegatedAdministrators = { [accounts.hub]: ['sso.amazonaws.com'] }
  await t.rejects(read(), { code: 'AWS_DENIED', message: /an instance of the account \d+ alone/ })
  organization.managementAccount = accounts.hub
  delete aws.world.identityCenter
  await t.rejects(read(), { code: 'AWS_DENIED', message: /is not in eu-west-1/, hint: /may also not be enabled/ })
  aws.world.identityCenter = center
  delete aws.world.organization
  await t.rejects(read(), { code: 'AWS_DENIED', message: /belongs to no organization/ })
})

t.test('an organization of one account', async (t) => {
  const { read } = await startDiscovery(t, ({ center, organization }) => {
    organization.accounts = organization.accounts.filter(({ id }) => id === accounts.hub)
    organization.units = []
    for (const set of center.permissionSets) set.provisionedIn = []
    center.assignments = []
  })
  t.same(
    idsOf(await read({ region: null, import: 'all' })).filter((id) => id.startsWith('permission-set')),
    [`permission-set/${accounts.hub}/ReadOnly`, `permission-set/${accounts.hub}/Admin`],
  )
})

t.test('a set made anew under its old name is another one; two at once are not read', async (t) => {
  const { read, center } = await startDiscovery(t)
  const [set] = center.permissionSets
  const again = {
    ...set,
    ...noPolicies(),
    id: 'ps-0000000000000009',
    provisionedIn: [accounts.web],
  } as (typeof center.permissionSets)[number]
  center.permissionSets.push(again)
  await t.rejects(read(), { code: 'AWS_UNAVAILABLE', message: /two permission sets with the name ReadOnly/ })
  center.permissionSets.shift()
  t.match(
    (await read()).find(({ id }) => id === `permission-set/${accounts.web}/ReadOnly`),
    { attributes: { arn: `arn:aws:sso:::permissionSet/${instanceId}/ps-0000000000000009` } },
  )
})

t.test('an inline policy that allows everything makes administrators as well', async (t) => {
  const allow = { Effect: 'Allow', Action: ['*'], Resource: '*' }
  for (const [inline, isAdmin] of [
    [{ Statement: allow }, true],
    [{ Statement: [{ ...allow, Effect: 'Deny' }] }, false],
    [{ Statement: [{ ...allow, Condition: { Bool: { 'aws:MultiFactorAuthPresent': 'true' } } }] }, false],
    [{ Statement: [{ ...allow, Resource: 'arn:aws:s3:::logs' }] }, false],
    ['{', false],
    ['null', false],
  ] as const) {
    const { read } = await startDiscovery(t, ({ center }) => {
      center.permissionSets = center.permissionSets.slice(0, 1)
      for (const set of center.permissionSets)
        Object.assign(set, {
          ...noPolicies(),
          sessionDuration: 'PT1H',
          inlinePolicy: typeof inline === 'string' ? inline : JSON.stringify(inline),
        })
    })
    const set = (await read()).find(({ kind }) => kind === 'permission-set')
    t.same(
      set?.risk?.map(({ code, reason }) => [code, reason]),
      isAdmin ? [['admin-policy', 'makes its holder an administrator of the account: its inline policy']] : undefined,
    )
  }
})

t.test('one group or set again, in a few calls: as it is now, made anew, new, or gone', async (t) => {
  const { read, readOne, center, outcomes } = await startDiscovery(t)
  const group = `identity-center-group/${groups.admins}`
  const set = `permission-set/${accounts.web}/ReadOnly`
  const whole = await read()
  for (const id of [group, set])
    t.same(
      await readOne(id),
      whole.find((one) => one.id === id),
      id,
    )
  const before = await outcomes()
  center.groups[1]?.members.push({ membershipId: uuid(7), userId: users.carol })
  t.match(await readOne(group), { attributes: { members: 1, assignments: 0 } })
  for (const one of center.permissionSets) one.tags = { changed: 'yes' }
  center.assignments.push({
    account: accounts.web,
    permissionSet: permissionSets.readOnly,
    type: 'USER',
    principal: users.bob,
  })
  t.match(await readOne(set), { tags: { changed: 'yes' }, attributes: { groups: 1, people: 1 } })
  const after = await outcomes()
  t.equal(after['ListUsers ok'], before['ListUsers ok'], 'nothing else is read')
  t.match(
    (await read()).find(({ id }) => id === set),
    { tags: { changed: 'yes' } },
    'what was kept of it is not believed',
  )
  const [first] = center.permissionSets
  if (first) center.permissionSets[0] = { ...first, id: 'ps-00000000000000ff' }
  t.match(await readOne(set), { attributes: { arn: permissionSetArn('ps-00000000000000ff') } })
  center.permissionSets.push({
    ...noPolicies(),
    id: 'ps-00000000000000fe',
    name: 'New',
    description: '',
    sessionDuration: 'PT1H',
    tags: {},
    provisionedIn: [accounts.web],
  })
  t.match(await readOne(`permission-set/${accounts.web}/New`), { attributes: { provisioned: true } })
  t.equal(await readOne(`permission-set/${accounts.hub}/New`), null, 'it has no role there')
  t.match(await readOne(`permission-set/${accounts.hub}/New`, { region: null, import: 'all' }), {
    attributes: { provisioned: false },
  })
  center.permissionSets = []
  center.groups = []
  t.same([await readOne(set), await readOne(group)], [null, null])
})
