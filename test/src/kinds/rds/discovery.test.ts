/** Databases that AWS shows as resources: names, endpoints, the database for clients that name none, and findings. */
import t from 'tap'
import type { DatabaseSeen } from '../../../../src/aws/estate/databases.ts'
import { toResources } from '../../../../src/kinds/rds/discovery.ts'
import { rdsMysql } from '../../../../src/kinds/rds-mysql/kind.ts'
import { rdsPostgres } from '../../../../src/kinds/rds-postgres/kind.ts'

const where = { partition: 'aws', account: '111122223333', region: 'eu-west-1' }
const host = (name: string, role = '') => `${name}.${role}abc123.eu-west-1.rds.amazonaws.com`

function instance(more: Partial<DatabaseSeen> = {}): DatabaseSeen {
  const name = more.name ?? 'orders'
  return {
    type: 'instance',
    protocol: 'postgres',
    engine: 'postgres',
    version: '16.4',
    name,
    arn: `arn:aws:rds:eu-west-1:111122223333:db:${name}`,
    resourceId: 'db-ORDERS',
    createdAt: 1000,
    status: 'available',
    endpoint: { host: host(name), port: 5432 },
    reader: null,
    custom: [],
    members: [],
    database: null,
    hasIam: true,
    isPublic: false,
    ca: 'rds-ca-rsa2048-g1',
    tags: {},
    ...more,
  }
}

function cluster(more: Partial<DatabaseSeen> = {}): DatabaseSeen {
  const name = more.name ?? 'ledger'
  return instance({
    type: 'cluster',
    engine: 'aurora-postgresql',
    name,
    resourceId: 'cluster-LEDGER',
    endpoint: { host: host(name, 'cluster-'), port: 5433 },
    reader: { host: host(name, 'cluster-ro-'), port: 5433 },
    custom: [{ name: 'reports', host: host('reports', 'cluster-custom-'), port: 5433 }],
    members: ['ledger-1', 'ledger-2'],
    ...more,
  })
}

const ids = (...seen: DatabaseSeen[]) =>
  toResources(seen, where).map(({ id, attributes }) => [id.split('/').at(-1), attributes.resource_id])

t.test('an instance is one resource, and its kind reads it', (t) => {
  const [found, ...others] = toResources([instance({ database: 'shop', tags: { env: 'prod' } })], where)
  t.same(others, [])
  t.same(found, {
    id: 'rds-postgres/111122223333/eu-west-1/orders',
    kind: 'rds-postgres',
    partition: 'aws',
    organization: null,
    account: '111122223333',
    region: 'eu-west-1',
    name: 'orders',
    tags: { env: 'prod' },
    attributes: {
      endpoint: host('orders'),
      port: 5432,
      resource_id: 'db-ORDERS',
      database: 'shop',
      engine: 'postgres 16.4',
      status: 'available',
      iam: true,
      authority: 'rds-ca-rsa2048-g1',
    },
    source: 'discovery',
  })
  if (!found) throw new Error('one is found')
  const read = rdsPostgres.target.read(found)
  t.match(read, {
    ok: true,
    value: { endpoint: host('orders'), port: 5432, resourceId: 'db-ORDERS', database: 'shop' },
  })
  t.equal(read.ok && rdsPostgres.targetId(read.value), 'db-ORDERS')
  t.same(read.ok && rdsPostgres.shown?.(read.value), { database: 'shop', engine: 'postgres 16.4', status: 'available' })
  t.end()
})

t.test('a cluster is its writer, its readers and each custom endpoint; its members are shown', (t) => {
  const found = toResources([cluster({ status: 'stopped' })], where)
  t.same(
    found.map(({ name, attributes }) => [name, attributes.endpoint, attributes.port, attributes.resource_id]),
    [
      ['ledger', host('ledger', 'cluster-'), 5433, 'cluster-LEDGER'],
      ['ledger.reader', host('ledger', 'cluster-ro-'), 5433, 'cluster-LEDGER'],
      ['ledger.custom-reports', host('reports', 'cluster-custom-'), 5433, 'cluster-LEDGER'],
    ],
  )
  for (const one of found) {
    const read = rdsPostgres.target.read(one)
    t.match(read, { ok: true })
    if (read.ok)
      t.match(rdsPostgres.shown?.(read.value), { members: 'ledger-1, ledger-2', status: 'stopped', engine: /aurora/ })
  }
  t.end()
})

t.test('MySQL and MariaDB are of the other kind', (t) => {
  const seen = [
    instance({
      protocol: 'mysql',
      engine: 'mariadb',
      version: '10.11',
      endpoint: { host: host('orders'), port: 3306 },
    }),
    cluster({ protocol: 'mysql', engine: 'aurora-mysql', endpoint: { host: host('ledger', 'cluster-'), port: 3306 } }),
  ]
  const found = toResources(seen, where)
  t.same([...new Set(found.map(({ kind }) => kind))], ['rds-mysql'])
  for (const one of found) t.match(rdsMysql.target.read(one), { ok: true, value: { database: '' } })
  t.end()
})

t.test('two with one name: the older keeps it, whatever comes later; of different engines both do', (t) => {
  const one = instance({ name: 'ledger', resourceId: 'db-1', createdAt: 1000 })
  const other = cluster({ resourceId: 'cluster-1', createdAt: 2000, reader: null, custom: [] })
  t.same(ids(one, other), [
    ['ledger', 'db-1'],
    ['ledger.cluster', 'cluster-1'],
  ])
  t.same(ids({ ...one, createdAt: 3000 }, other), [
    ['ledger.instance', 'db-1'],
    ['ledger', 'cluster-1'],
  ])
  t.same(ids({ ...one, createdAt: 2000 }, { ...other, reader: { host: host('ledger', 'cluster-ro-'), port: 1 } }), [
    ['ledger.instance', 'db-1'],
    ['ledger', 'cluster-1'],
    ['ledger.reader', 'cluster-1'],
  ])
  t.same(
    ids({ ...one, protocol: 'mysql' }, other).map(([name]) => name),
    ['ledger', 'ledger'],
  )
  t.end()
})

t.test('what is still being made has no endpoint, and is no resource; a stopped one is', (t) => {
  t.same(ids(instance({ endpoint: null, status: 'creating' })), [])
  t.same(ids(instance({ status: 'stopped' })), [['orders', 'db-ORDERS']])
  t.end()
})

for (const [what, tags, own, expected] of [
  ['its own', {}, 'shop', 'shop'],
  ['the tag before its own', { 'sallyport:database': 'ledger' }, 'shop', 'ledger'],
  ['the tag alone', { 'sallyport:database': 'Größe $1' }, null, 'Größe $1'],
  ['none', {}, null, undefined],
  ['an empty tag', { 'sallyport:database': '' }, 'shop', 'shop'],
  ['a tag that is no name', { 'sallyport:database': 'a b\n' }, 'shop', 'shop'],
  ['a tag that is a connection string', { 'sallyport:database': 'x?host=evil' }, null, undefined],
  ['a tag that is too long', { 'sallyport:database': 'a'.repeat(65) }, null, undefined],
] as const)
  t.test(`the database for clients that name none: ${what}`, (t) => {
    const [found] = toResources([instance({ tags, database: own })], where)
    t.equal(found?.attributes.database, expected)
    t.end()
  })

t.test('findings: a public address, and IAM authentication that is off', (t) => {
  const risk = (seen: DatabaseSeen) =>
    toResources([seen], where).map((one) => one.risk?.map(({ code, severity }) => [code, severity]))
  t.same(risk(instance()), [undefined])
  t.same(risk(instance({ isPublic: true, hasIam: false })), [
    [
      ['public', 'high'],
      ['iam-off', 'medium'],
    ],
  ])
  t.match(toResources([cluster({ isPublic: true })], where)[0]?.risk, [
    { reason: /^a member of the cluster has a public address/ },
  ])
  t.end()
})
