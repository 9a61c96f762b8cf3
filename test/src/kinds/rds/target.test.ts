import t from 'tap'
import { isForbidden } from '../../../../proxy/reach/forbidden-addresses.ts'
import { rdsPostgres } from '../../../../src/kinds/rds-postgres/kind.ts'
import { ordersId, resource } from '../../access/access-setup.ts'

const endpoint = 'orders.abc123.eu-west-1.rds.amazonaws.com'
const good = { endpoint, resource_id: 'db-ORDERS' }

function parse(attributes: Record<string, unknown>, id = ordersId) {
  return rdsPostgres.target.read(resource(id, { attributes }))
}

/** `path: message` of each problem. */
function problems(attributes: Record<string, unknown>, id = ordersId): string[] {
  const parsed = parse(attributes, id)
  return parsed.ok ? [] : parsed.problems.map(({ path, message }) => `${path}: ${message}`)
}

t.test('an endpoint and its resource id are enough', async (t) => {
  t.match(parse(good), {
    ok: true,
    value: {
      account: '111122223333',
      region: 'eu-west-1',
      endpoint,
      port: 5432,
      connect: { host: endpoint, port: 5432 },
      resourceId: 'db-ORDERS',
      role: null,
      database: 'postgres',
      ca: null,
    },
  })
})

t.test(
  'another address to connect to changes neither the name that is checked nor the port that is signed',
  async (t) => {
    t.match(parse({ ...good, port: 5433, connect_address: '127.0.0.1:6000' }), {
      value: { endpoint, port: 5433, connect: { host: '127.0.0.1', port: 6000 } },
    })
    t.match(parse({ ...good, connect_address: '[::1]:6000' }), { value: { connect: { host: '::1', port: 6000 } } })
  },
)

t.test('every problem at once, and what to write instead', async (t) => {
  t.match(problems({}), [/^endpoint: expected the host name/, /^resource_id: expected its DbiResourceId/])
  t.match(
    problems({ ...good, endpoint: '10.0.0.1' }),
    [/^endpoint: expected the host name/],
    'certificates are for names',
  )
  t.match(problems({ ...good, endpoint: 'a b.example.com' }), [/^endpoint/])
  t.match(problems(good, 'rds-postgres/orders'), [/^id: expected KIND/])
  t.match(problems({ ...good, role: 'arn:aws:iam::444455556666:role/R' }), [
    'role: the role is in account 444455556666, but the resource is in 111122223333',
  ])
})

t.test('a part may be written, and what is wrong in it is said all the same', async (t) => {
  const role = 'arn:aws:iam::111122223333:role/R'
  for (const attributes of [
    {},
    { role },
    { endpoint },
    { resource_id: 'cluster-ORDERS' },
    { connect_address: '10.0.0.7:1' },
  ])
    t.match(parse(attributes), { ok: false, isPartial: true })
  for (const [attributes, path] of [
    [{ role: role.replace('1111', '4444') }, 'role'],
    [{ via: 'ec2-instance/444455556666/eu-west-1/i-0123456789abcdef0' }, 'via'],
    [{ endpoint: '10.0.0.1' }, 'endpoint'],
    [{ connect_address: '169.254.169.254:1' }, 'connect_address'],
    [{ connect_timeout: '1h' }, 'connect_timeout'],
  ] as const) {
    const found = parse(attributes)
    t.match(found, { ok: false, problems: [{ path }] })
    t.notOk('isPartial' in found && found.isPartial)
  }
})

t.test('attributes of another kind and of the wrong type are named', async (t) => {
  t.same(problems({ ...good, revocable: true }), [
    'revocable: unknown; a database has endpoint, port, connect_address, resource_id, connect_timeout, sign_ins_per_second, via, role, database, ca',
  ])
  t.same(problems({ ...good, connect_address: 'nowhere' }), [
    'connect_address: expected HOST:PORT with a port of 0–65535',
  ])
  t.match(problems({ ...good, port: '5432', ca: 7 }), [/^port: /, /^ca: /])
})

t.test('link-local addresses and metadata services are never reached, however they are written', async (t) => {
  for (const host of [
    '169.254.169.254',
    '169.254.170.2',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    'fe80::1',
    'fd00:ec2::254',
    'FD00:EC2:0:0::254',
  ]) {
    t.ok(isForbidden(host), host)
    const connect = host.includes(':') ? `[${host}]:5432` : `${host}:5432`
    t.match(problems({ ...good, connect_address: connect }), ['connect_address: link-local addresses are not allowed'])
  }
  for (const host of ['10.0.0.1', '127.0.0.1', '::1', 'fd00::1', '::ffff:10.0.0.1', endpoint])
    t.notOk(isForbidden(host), host)
})

t.test('what the name of an AWS endpoint says must fit the rest', async (t) => {
  const cluster = 'orders.cluster-abc123.eu-west-1.rds.amazonaws.com'
  t.same(problems({ endpoint: cluster, resource_id: 'cluster-ORDERS' }), [])
  t.match(problems({ endpoint: cluster, resource_id: 'db-ORDERS' }), [/^resource_id: the endpoint is one of a cluster/])
  t.match(problems({ ...good, endpoint: 'orders.abc123.eu-west-2.rds.amazonaws.com' }), [
    'endpoint: the endpoint is in eu-west-2, but the resource is in eu-west-1',
  ])
})
