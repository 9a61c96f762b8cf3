import t from 'tap'
import type { ClusterSeen } from '../../../../src/aws/estate/clusters.ts'
import { clusterResource } from '../../../../src/kinds/eks-cluster/discovery.ts'
import { eksCluster } from '../../../../src/kinds/eks-cluster/kind.ts'

const place = { partition: 'aws', account: '111122223333', region: 'eu-west-1' } as const
const host = '0123456789abcdef0123456789abcdef.gr7.eu-west-1.eks.amazonaws.com'
const seen: ClusterSeen = {
  name: 'web',
  arn: 'arn:aws:eks:eu-west-1:111122223333:cluster/web',
  status: 'ACTIVE',
  endpoint: `https://${host.toUpperCase()}`,
  ca: 'the authority',
  version: '1.33',
  createdAt: 1_772_000_000_000,
  isPublic: false,
  isPrivate: true,
  publicCidrs: [],
  authenticationMode: 'API',
  hasAuditLog: true,
  admins: [],
  tags: { team: 'web' },
}

function read(more: Partial<ClusterSeen>) {
  const found = eksCluster.target.read(clusterResource(place, { ...seen, ...more }))
  return found.ok ? { id: eksCluster.targetId(found.value), shown: eksCluster.shown?.(found.value) } : found
}

t.test('a cluster of AWS in the catalog', (t) => {
  t.match(clusterResource(place, seen), {
    id: 'eks-cluster/111122223333/eu-west-1/web',
    tags: { team: 'web' },
    source: 'discovery',
    risk: undefined,
  })
  t.same(read({}), { id: host, shown: { state: 'ACTIVE', version: '1.33', reached_from: 'its network' } })
  t.match(read({ isPublic: true, publicCidrs: ['203.0.113.0/24'] }), {
    shown: { reached_from: 'its network, 203.0.113.0/24' },
  })
  t.match(read({ isPublic: true, publicCidrs: ['0.0.0.0/0'] }), { shown: { reached_from: 'anywhere' } })
  t.end()
})

t.test('one made anew under its name is another, and one without an endpoint is none yet', (t) => {
  t.match(read({ endpoint: `https://${host.replace('0', 'F')}` }), { id: host.replace('0', 'f') })
  t.match(read({ endpoint: null, status: 'CREATING' }), { ok: false })
  t.end()
})

t.test('what is written by hand wins', (t) => {
  const resource = clusterResource(place, seen)
  const attributes = { ...resource.attributes, connect_address: '10.0.0.7:443' }
  const found = eksCluster.target.read({ ...resource, attributes, source: 'config' })
  t.match(found, { ok: true, value: { endpoint: host, connect: { host: '10.0.0.7' } } })
  t.end()
})

t.test('a part may be written, and what is wrong in it is said all the same', (t) => {
  const part = (attributes: Record<string, unknown>) =>
    eksCluster.target.read({ ...clusterResource(place, seen), attributes, source: 'config' })
  const via = 'ec2-instance/111122223333/eu-west-1/i-0123456789abcdef0'
  for (const attributes of [{}, { via }, { connect_address: '10.0.0.7:443' }])
    t.match(part(attributes), {
      ok: false,
      isPartial: true,
      problems: [{ path: 'endpoint', fix: /inventory\.import/ }],
    })
  const wrong = [
    [{ via: 'ec2-instance/444455556666/eu-west-1/i-0123456789abcdef0' }, 'via'],
    [{ via, connect_address: '10.0.0.7:443' }, 'connect_address'],
    [{ connect_address: '169.254.169.254:443' }, 'connect_address'],
    [{ name: 'web' }, 'name'],
  ] as const
  for (const [attributes, path] of wrong) {
    const found = part(attributes)
    t.match(found, { ok: false, problems: [{ path }] })
    t.notOk('isPartial' in found && found.isPartial)
  }
  t.end()
})

t.test('risks, each with its reason and what to do', (t) => {
  const codes = (more: Partial<ClusterSeen>) =>
    clusterResource(place, { ...seen, ...more }).risk?.map(({ code }) => code)
  const role = (account: string, name: string) => `arn:aws:iam::${account}:role/${name}`
  t.equal(codes({}), undefined)
  t.same(codes({ isPublic: true, publicCidrs: ['0.0.0.0/0'] }), ['public-endpoint'])
  t.equal(codes({ isPublic: true, publicCidrs: ['203.0.113.0/24'] }), undefined)
  t.equal(codes({ isPublic: false, publicCidrs: ['0.0.0.0/0'] }), undefined)
  t.same(codes({ admins: [role('999999999999', 'x'), role(place.account, 'y')] }), ['foreign-admin', 'standing-admin'])
  t.equal(
    codes({ admins: [role(place.account, 'aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS')] }),
    undefined,
  )
  t.same(codes({ authenticationMode: 'CONFIG_MAP', admins: null, hasAuditLog: false }), [
    'aws-auth-only',
    'no-audit-log',
  ])
  const many = Array.from({ length: 8 }, (_, index) => role(place.account, `admin-${index}`))
  t.match(clusterResource(place, { ...seen, admins: many }).risk, [
    { reason: /admin-4, and 3 more$/, fix: /delete-access-entry/ },
  ])
  t.end()
})
