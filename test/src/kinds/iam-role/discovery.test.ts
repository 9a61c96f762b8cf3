/** Roles that AWS shows as resources: which can be given at all, whether they are set up for the broker, and findings. */
import t from 'tap'
import { mismatch } from '../../../../src/access/rules/rule.ts'
import type { RoleSeen } from '../../../../src/aws/estate/roles.ts'
import { readPolicy } from '../../../../src/aws/policy-facts.ts'
import { toResource } from '../../../../src/kinds/iam-role/discovery.ts'
import { iamRole } from '../../../../src/kinds/iam-role/kind.ts'

const account = '111122223333'
const place = { partition: 'aws', account }
const spoke = `arn:aws:iam::${account}:role/sallyport/SallyportConnect`
const hub = 'arn:aws:iam::999900001111:role/SallyportHub'
const config = {
  accounts: {},
  connectRole: 'sallyport/SallyportConnect',
  hubRoleArn: hub,
  reachRole: 'sallyport-reach',
  revocationPolicy: 'sallyport/SallyportRevocations',
}
const now = Date.parse('2026-06-01T00:00:00Z')
const day = 86_400_000

const trustIn = (AWS: string | string[], more: object = {}) =>
  readPolicy(
    JSON.stringify({
      Statement: [
        {
          Effect: 'Allow',
          Principal: { AWS },
          Action: ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'],
          ...more,
        },
      ],
    }),
  )

function role(more: Partial<RoleSeen> = {}): RoleSeen {
  const name = more.name ?? 'Reports'
  return {
    arn: `arn:aws:iam::${account}:role/${name}`,
    name,
    path: '/',
    id: 'AROAREPORTS000000001',
    createdAt: now - 10 * day,
    lastUsedAt: null,
    tags: {},
    boundary: null,
    trust: trustIn(spoke),
    powers: { admin: [], escalation: [], wide: [] },
    profiles: [],
    isBounded: false,
    ...more,
  }
}

const mapping = { config, isOwnAccount: (other: string) => other === '777788889999', now }
const found = (more: Partial<RoleSeen> = {}) => toResource(role(more), place, mapping)
const codes = (more: Partial<RoleSeen>) => (found(more).risk ?? []).map(({ code, severity }) => `${code} ${severity}`)

t.test('a role is a resource by its name, whatever its path, and the same one by its RoleId', (t) => {
  t.same(found({ tags: { team: 'shop' } }), {
    id: `iam-role/${account}/Reports`,
    kind: 'iam-role',
    partition: 'aws',
    organization: null,
    account,
    region: null,
    name: 'Reports',
    tags: { team: 'shop' },
    attributes: { role_id: 'AROAREPORTS000000001' },
    source: 'discovery',
  })
  const odd = 'a+b=c,d.e@f-g_h'
  const arn = `arn:aws:iam::${account}:role/teams/shop/${odd}`
  const one = found({
    name: odd,
    path: '/teams/shop/',
    arn,
    boundary: `arn:aws:iam::${account}:policy/${config.revocationPolicy}`,
  })
  t.match(one, { id: `iam-role/${account}/${odd}`, attributes: { role: arn, revocable: true } })
  const read = iamRole.target.read(one)
  t.match(read, {
    ok: true,
    value: { roleArn: arn, isRevocable: true, roleId: 'AROAREPORTS000000001', managedBy: null },
  })
  t.equal(read.ok && iamRole.targetId(read.value), 'AROAREPORTS000000001')
  t.end()
})

t.test('roles of Identity Center, of AWS and of the broker itself can be given to no one', (t) => {
  const reserved = '/aws-reserved/sso.amazonaws.com/eu-west-1/'
  for (const [more, manager, why] of [
    [{ name: 'AWSReservedSSO_Admin_0123456789abcdef', path: reserved }, 'identity-center', /Identity Center/],
    [{ name: 'AWSReservedSSO_Admin_0123456789abcdef' }, 'identity-center', /Identity Center/],
    [{ name: 'Other', path: '/aws-reserved/other/' }, 'aws', /by AWS/],
    [{ name: 'SallyportConnect', path: '/sallyport/', arn: spoke }, 'sallyport', /broker itself/],
    [{ name: 'sallyport-reach' }, 'sallyport', /broker itself/],
  ] as const) {
    const name = more.name
    const path = 'path' in more ? more.path : '/'
    const one = found({ arn: `arn:aws:iam::${account}:role${path}${name}`, ...more })
    t.equal(one.attributes.managed_by, manager, name)
    const read = iamRole.target.read(one)
    if (!read.ok) throw new Error('it is read')
    const reason = iamRole.ungrantable?.(read.value) ?? ''
    t.match(reason, why)
    const entry = { ...one, target: read.value, targetId: '', ungrantable: reason }
    for (const selector of [{ ids: [one.id] }, { kinds: ['iam-role'] }, { accounts: [account] }])
      t.equal(mismatch(selector, entry), reason)
  }
  t.end()
})

t.test('what its trust policy lacks is shown', (t) => {
  const shown = (more: Partial<RoleSeen>) => {
    const read = iamRole.target.read(found(more))
    return read.ok && iamRole.shown?.(read.value)
  }
  t.same(shown({}), {})
  t.same(shown({ trust: trustIn(spoke, { Action: 'sts:AssumeRole' }) }), {
    'trust lacks': 'sts:TagSession, sts:SetSourceIdentity',
  })
  t.same(shown({ trust: null }), { 'trust lacks': 'sts:AssumeRole, sts:TagSession, sts:SetSourceIdentity' })
  t.end()
})

t.test('findings: what it may do', (t) => {
  const powers = (more: Partial<RoleSeen['powers']>) => ({ admin: [], escalation: [], wide: [], ...more })
  t.same(codes({}), [])
  t.same(codes({ powers: powers({ admin: ['AdministratorAccess'], wide: ['p: s3:*'] }) }), ['admin-policy high'])
  t.same(
    codes({
      powers: powers({ admin: ['AdministratorAccess'] }),
      isBounded: true,
      boundary: `arn:aws:iam::${account}:policy/b`,
    }),
    ['admin-policy medium'],
  )
  t.same(codes({ powers: powers({ escalation: ['p: iam:PutRolePolicy'], wide: ['p: s3:*'] }) }), [
    'escalation high',
    'over-broad medium',
  ])
  t.end()
})

t.test('findings: whom it lets in without the broker', (t) => {
  const other = '444455556666'
  for (const [trust, expected] of [
    [trustIn([spoke, hub]), []],
    [trustIn(`arn:aws:iam::${account}:user/jane`), ['permanent-access low']],
    [trustIn('*'), ['outside-access high']],
    [trustIn('*', { Condition: { StringEquals: { 'aws:PrincipalOrgID': 'o-1' } } }), ['permanent-access low']],
    [trustIn(`arn:aws:iam::${other}:root`), ['outside-access high']],
    [trustIn(other, { Condition: { StringEquals: { 'sts:ExternalId': 'x' } } }), ['outside-access medium']],
    [trustIn('999900001111'), ['permanent-access low']],
    [trustIn('777788889999'), ['permanent-access low']],
  ] as const)
    t.same(codes({ trust }), expected)
  const known = {
    ...config,
    accounts: {
      [other]: { connectRole: 'x', partition: 'aws', trust: 'hub', idToken: { sub: '*', amr: null, tags: {} } },
    },
  } as const
  t.match(toResource(role({ trust: trustIn(other) }), place, { ...mapping, config: known }).risk, [
    { code: 'permanent-access', reason: /^444455556666 may assume it at any time/ },
  ])
  t.same(
    toResource(role({ arn: spoke, name: 'SallyportConnect', path: '/sallyport/', trust: trustIn('*') }), place, mapping)
      .risk,
    undefined,
  )
  t.end()
})

t.test('findings: a role that is not used, from the 91st day on, in words that stay the same', (t) => {
  t.same(codes({ createdAt: now - 90 * day }), [])
  t.same(codes({ createdAt: now - 90 * day - 1 }), ['unused low'])
  t.same(codes({ createdAt: 0, lastUsedAt: now - 90 * day }), [])
  const unused = role({ createdAt: 0, lastUsedAt: Date.parse('2026-01-02T23:00:00Z') })
  const one = toResource(unused, place, mapping)
  t.match(one, {
    attributes: { last_used: '2026-01-02' },
    risk: [{ code: 'unused', reason: 'last used on 2026-01-02' }],
  })
  t.same(toResource(unused, place, { ...mapping, now: now + 5 * day }), one)
  const used = role({ createdAt: 0, lastUsedAt: now })
  t.same(
    toResource({ ...used, lastUsedAt: now + day }, place, { ...mapping, now: now + day }),
    toResource(used, place, mapping),
  )
  t.end()
})
