/** Clusters of a region and who administers them, against an AWS that refuses what AWS refuses. */
import t from 'tap'
import { createClusterReader } from '../../../../src/aws/estate/clusters.ts'
import type { Cluster, ClusterEntry, World } from '../../../sandbox/aws/world.ts'
import { accounts, region } from '../../../sandbox/default-world.ts'
import { signal } from '../hub-setup.ts'
import { place, startEstate } from './estate-setup.ts'

function cluster(name: string, more: Partial<Cluster> = {}): Cluster {
  return {
    name,
    account: accounts.data,
    region,
    endpoint: `0123456789abcdef0123456789abcdef.gr7.${region}.eks.amazonaws.com`,
    ca: 'the authority of the cluster\n',
    version: '1.33',
    createdAt: Date.parse('2026-02-01T10:00:00Z'),
    authenticationMode: 'API',
    hasAuditLog: true,
    accessEntries: [],
    awsAuth: [],
    ...more,
  }
}

function entry(role: string, policy: string): ClusterEntry {
  const principalArn = `arn:aws:iam::${accounts.data}:role/${role}`
  const policies = [{ name: policy, namespaces: null }]
  return { principalArn, principalId: 'AROA1', username: role, type: 'STANDARD', groups: [], policies }
}

async function start(
  t: Parameters<typeof startEstate>[0],
  clusters: Cluster[],
  change: (world: World) => void = () => {},
) {
  const started = await startEstate(t, (world) => {
    world.clusters = clusters
    change(world)
  })
  return { ...started, reader: createClusterReader(started.deps) }
}

t.test('what EKS says of a cluster, and who administers it', async (t) => {
  const admins = ['a', 'path/b', 'c'].map((role) => entry(role, 'AmazonEKSClusterAdminPolicy'))
  const { reader, outcomes } = await start(t, [
    cluster('web', { accessEntries: [...admins, entry('view', 'AmazonEKSViewPolicy')], tags: { team: 'web' } }),
    cluster('elsewhere', { region: 'us-east-1' }),
    cluster('theirs', { account: accounts.web }),
  ])
  t.same(await reader.all(place, signal), [
    {
      name: 'web',
      arn: `arn:aws:eks:${region}:${accounts.data}:cluster/web`,
      status: 'ACTIVE',
      endpoint: `https://0123456789ABCDEF0123456789ABCDEF.gr7.${region}.eks.amazonaws.com`,
      ca: 'the authority of the cluster\n',
      version: '1.33',
      createdAt: Date.parse('2026-02-01T10:00:00Z'),
      isPublic: true,
      isPrivate: true,
      publicCidrs: ['0.0.0.0/0'],
      authenticationMode: 'API',
      hasAuditLog: true,
      admins: admins.map(({ principalArn }) => principalArn).sort(),
      tags: { team: 'web' },
    },
  ])
  t.same(await outcomes('eks'), { 'ListClusters ok': 1, 'DescribeCluster ok': 1, 'ListAccessEntries ok': 2 })
})

t.test('N-1: pages, also empty ones, and how far it is', async (t) => {
  const names = Array.from({ length: 7 }, (_, index) => `cluster-${index}`)
  const { reader } = await start(
    t,
    names.map((name) => cluster(name)),
    (world) => {
      world.lists = { pageSize: 2, hasEmptyPages: true }
    },
  )
  const seen: string[] = []
  const found = await reader.all(place, signal, (done, total) => seen.push(`${done}/${total}`))
  t.same(
    found.map(({ name }) => name),
    names,
  )
  t.equal(seen.at(-1), '7/7')
})

t.test('one whose mode has no entries, one that is private, one that is being made', async (t) => {
  const { reader, operations } = await start(t, [
    cluster('classic', { authenticationMode: 'CONFIG_MAP', hasAuditLog: false }),
    cluster('private', { access: { isPublic: false, isPrivate: true, publicCidrs: [] } }),
    cluster('young', { status: 'CREATING', authenticationMode: 'CONFIG_MAP' }),
  ])
  t.match(await reader.all(place, signal), [
    { name: 'classic', admins: null, hasAuditLog: false },
    { name: 'private', isPublic: false, isPrivate: true, publicCidrs: [], admins: [] },
    { name: 'young', status: 'CREATING', endpoint: null, ca: null },
  ])
  t.equal(operations().filter((name) => name === 'ListAccessEntries').length, 1)
})

t.test('one that is deleted while it is read is not there', async (t) => {
  const { reader, aws } = await start(t, [cluster('a'), cluster('b')])
  aws.faults.failOnce('DescribeCluster', 1, 'ResourceNotFoundException')
  t.equal((await reader.all(place, signal)).length, 1)
  t.equal(await reader.one(place, 'c', signal), null)
  t.match(await reader.one(place, 'b', signal), { name: 'b', admins: [] })
})

for (const [operation, nth] of [
  ['ListClusters', 2],
  ['DescribeCluster', 3],
  ['ListAccessEntries', 2],
] as const)
  t.test(`N-2: a denial of ${operation} in the middle ends it`, async (t) => {
    const { reader, aws } = await start(
      t,
      ['a', 'b', 'c', 'd'].map((name) => cluster(name)),
      (world) => {
        world.lists.pageSize = 2
      },
    )
    aws.faults.failOnce(operation, nth, 'AccessDeniedException')
    await t.rejects(reader.all(place, signal), {
      code: 'AWS_DENIED',
      message: new RegExp(`eks:${operation} is not allowed in account ${accounts.data}, ${region}`),
      hint: /aws policies --feature discovery/,
    })
  })

t.test('a region that is off, throttles, keys that expire', async (t) => {
  const { reader, aws, world } = await start(
    t,
    ['a', 'b', 'c'].map((name) => cluster(name)),
  )
  aws.faults.failOnce('ListClusters', 1, 'ThrottlingException')
  aws.faults.failOnce('DescribeCluster', 2, 'ExpiredTokenException')
  t.equal((await reader.all(place, signal)).length, 3)
  world.regionsOff = { [accounts.data]: [region] }
  await t.rejects(reader.all(place, signal), { code: 'AWS_REGION_OFF' })
})
