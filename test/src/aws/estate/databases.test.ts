/** Databases of a region, from the double, which lists what RDS lists, and from moto. */
import { CreateDBClusterCommand, CreateDBInstanceCommand, RDSClient } from '@aws-sdk/client-rds'
import t from 'tap'
import { readDatabases } from '../../../../src/aws/estate/databases.ts'
import { rdsCaller } from '../../../../src/aws/estate/rds.ts'
import type { World } from '../../../sandbox/aws/world.ts'
import { createCluster, createInstance } from '../../../sandbox/databases-world.ts'
import { accounts, instances, region } from '../../../sandbox/default-world.ts'
import { motoMissing } from '../../../sandbox/moto.ts'
import { signal } from '../hub-setup.ts'
import { place, startEstate, startMotoEstate } from './estate-setup.ts'

const account = accounts.data
const where = { account, region }
const read = (deps: Parameters<typeof rdsCaller>[0]) => readDatabases(rdsCaller(deps)(place), account, { signal })

function addCluster(world: World, ...args: Parameters<typeof createCluster> extends [unknown, ...infer R] ? R : never) {
  const { cluster, instances: members } = createCluster(where, ...args)
  world.rds.clusters.push(cluster)
  world.rds.instances.push(...members)
  return { cluster, members }
}

t.test('instances with endpoint, resource id, tags, IAM authentication and authority', async (t) => {
  const { deps, operations } = await startEstate(t)
  const found = await read(deps)
  t.same(operations(), ['DescribeDBInstances', 'DescribeDBClusters'])
  t.same(
    found.map(({ name, protocol, engine }) => [name, protocol, engine]),
    [
      ['billing', 'postgres', 'postgres'],
      ['orders', 'postgres', 'postgres'],
      ['shop', 'mysql', 'mysql'],
    ],
  )
  t.same(found[1], {
    type: 'instance',
    protocol: 'postgres',
    engine: 'postgres',
    version: '16.4',
    name: 'orders',
    arn: `arn:aws:rds:${region}:${account}:db:orders`,
    resourceId: instances.orders.resourceId,
    createdAt: Date.parse('2024-03-01T09:30:00Z'),
    status: 'available',
    endpoint: { host: instances.orders.endpoint, port: 5432 },
    reader: null,
    custom: [],
    members: [],
    database: 'orders',
    hasIam: true,
    isPublic: false,
    ca: 'rds-ca-rsa2048-g1',
    tags: { env: 'prod', team: 'shop' },
  })
})

t.test('a cluster is seen once, with its members, the writer first, and its endpoints', async (t) => {
  const { deps, operations } = await startEstate(t, (world) => {
    const custom = [
      { name: 'reports', host: `reports.cluster-custom-abc123.${region}.rds.amazonaws.com` },
      { name: 'batch', host: `batch.cluster-custom-abc123.${region}.rds.amazonaws.com` },
    ]
    const { members } = addCluster(world, 'ledger', { custom, writer: 1, database: 'ledger', tags: { env: 'prod' } })
    for (const one of members) if (one.name === 'ledger-2') one.isPublic = true
    addCluster(world, 'other', { reader: null })
  })
  const found = (await read(deps)).filter(({ type }) => type === 'cluster')
  t.same(operations(), ['DescribeDBInstances', 'DescribeDBClusters', 'DescribeDBClusterEndpoints'])
  t.match(found, [
    {
      name: 'ledger',
      resourceId: /^cluster-/,
      endpoint: { host: /^ledger\.cluster-abc123/, port: 5432 },
      reader: { host: /^ledger\.cluster-ro-abc123/, port: 5432 },
      custom: [
        { name: 'batch', port: 5432 },
        { name: 'reports', host: /^reports\.cluster-custom/ },
      ],
      members: ['ledger-2', 'ledger-1'],
      database: 'ledger',
      isPublic: true,
      ca: 'rds-ca-rsa2048-g1',
      tags: { env: 'prod' },
    },
    { name: 'other', reader: null, custom: [], isPublic: false },
  ])
  t.equal((await read(deps)).length, 5)
})

t.test('clusters over several zones are listed as both, and seen once', async (t) => {
  const { deps } = await startEstate(t, (world) => {
    addCluster(world, 'wide', { engine: 'postgres', members: ['wide-1', 'wide-2', 'wide-3'] })
  })
  const found = await read(deps)
  t.same(
    found.filter(({ name }) => name.startsWith('wide')).map(({ type, name, members }) => [type, name, members.length]),
    [['cluster', 'wide', 3]],
  )
})

t.test('Neptune, DocumentDB, Oracle and databases of other regions and accounts are left out', async (t) => {
  const { deps } = await startEstate(t, (world) => {
    addCluster(world, 'graph', { engine: 'neptune' })
    addCluster(world, 'documents', { engine: 'docdb' })
    world.rds.instances.push(
      createInstance(where, 'ora', { engine: 'oracle-ee' }),
      createInstance({ ...where, region: 'us-east-1' }, 'far'),
      createInstance({ ...where, account: accounts.web }, 'foreign'),
      createInstance(where, 'orphan', { engine: 'aurora-postgresql', cluster: 'deleted' }),
    )
  })
  t.same((await read(deps)).map(({ name }) => name).sort(), ['billing', 'orders', 'shop'])
})

t.test('what is still being made is seen without an endpoint', async (t) => {
  const { deps } = await startEstate(t, (world) => {
    world.rds.instances.push(createInstance(where, 'new', { endpoint: null, status: 'creating' }))
  })
  const found = await read(deps)
  t.match(
    found.find(({ name }) => name === 'new'),
    { endpoint: null, status: 'creating', createdAt: 0 },
  )
})

t.test('N-1: a page without items has a marker, and the list goes on', async (t) => {
  const grow = (world: World) => {
    for (let index = 0; index < 130; index += 1) world.rds.instances.push(createInstance(where, `db-${index}`))
    addCluster(world, 'ledger')
  }
  const plain = await startEstate(t, grow)
  const paged = await startEstate(t, (world) => {
    grow(world)
    world.lists = { pageSize: 20, hasEmptyPages: true }
  })
  t.same(await read(paged.deps), await read(plain.deps))
  t.equal((await read(plain.deps)).length, 134)
  t.equal(plain.operations().filter((one) => one === 'DescribeDBInstances').length, 4, 'a hundred a page')
})

t.test('N-2: a page that fails means that nothing was read', async (t) => {
  const { deps, aws } = await startEstate(t, (world) => {
    world.lists = { pageSize: 2, hasEmptyPages: false }
  })
  aws.faults.failOnce('DescribeDBInstances', 2, 'AccessDenied')
  await t.rejects(read(deps), {
    code: 'AWS_DENIED',
    message: `rds:DescribeDBInstances is not allowed in account ${account}, ${region}`,
    hint: /aws policies --feature discovery/,
  })
  aws.faults.deny('rds:DescribeDBClusters')
  await t.rejects(read(deps), { code: 'AWS_DENIED', message: /rds:DescribeDBClusters/ })
})

t.test('a region that is off is a state of its own', async (t) => {
  const { deps, aws } = await startEstate(t)
  aws.faults.fail('DescribeDBInstances', 'InvalidClientTokenId')
  await t.rejects(read(deps), { code: 'AWS_REGION_OFF' })
})

t.test('moto', { skip: motoMissing() }, async (t) => {
  const { client: options, deps } = await startMotoEstate(t)
  const rds = new RDSClient(options)
  t.teardown(() => rds.destroy())
  const shared = { MasterUsername: 'master', MasterUserPassword: 'not-a-secret-1' }
  const create = async (DBInstanceIdentifier: string, Engine: string, more = {}) =>
    await rds.send(
      new CreateDBInstanceCommand({
        ...{ ...shared, DBInstanceIdentifier, Engine, DBInstanceClass: 'db.t4g.medium', AllocatedStorage: 20, ...more },
      }),
    )
  await create('orders', 'postgres', {
    ...{ DBName: 'shop', EnableIAMDatabaseAuthentication: true, Tags: [{ Key: 'env', Value: 'prod' }] },
  })
  await create('reports', 'mysql', { PubliclyAccessible: true })
  for (const [DBClusterIdentifier, Engine] of [
    ['ledger', 'aurora-postgresql'],
    ['graph', 'neptune'],
  ] as const)
    await rds.send(new CreateDBClusterCommand({ ...shared, DBClusterIdentifier, Engine, DatabaseName: 'ledger' }))
  await create('ledger-1', 'aurora-postgresql', { DBClusterIdentifier: 'ledger' })
  const call = rdsCaller(deps)(place)
  // moto has no custom endpoints.
  const found = await readDatabases(
    async (operation, one, send) =>
      operation === 'DescribeDBClusterEndpoints'
        ? ({ DBClusterEndpoints: [] } as unknown as Awaited<ReturnType<typeof send>>)
        : await call(operation, one, send),
    account,
    { signal },
  )
  t.same(
    found.map(({ type, name, protocol }) => [type, name, protocol]),
    [
      ['cluster', 'ledger', 'postgres'],
      ['instance', 'orders', 'postgres'],
      ['instance', 'reports', 'mysql'],
    ],
  )
  t.match(found, [
    { resourceId: /^cluster-/, members: ['ledger-1'], database: 'ledger', endpoint: { host: /ledger/ } },
    {
      ...{ resourceId: /^db-/, hasIam: true, isPublic: false, database: 'shop', tags: { env: 'prod' } },
      ...{ status: 'available', endpoint: { host: /orders/, port: 5432 } },
    },
    { isPublic: true, hasIam: false, endpoint: { port: 3306 } },
  ])
})
