import t from 'tap'
import { chooseTarget, type ListedResource } from '../../../src/cli/connect/target.ts'

const protocols = ['postgres']
const orders: ListedResource = {
  id: 'rds-postgres/111122223333/eu-west-1/orders',
  name: 'orders',
  protocol: 'postgres',
  database: 'shop',
  grants: [
    { id: 'grt_1', level: 'readonly', endsAt: 2000 },
    { id: 'grt_2', level: 'readonly', endsAt: 3000 },
  ],
}

t.test('a unique last part or the full id finds the resource, its database and the latest end', async (t) => {
  const expected = {
    id: orders.id,
    name: 'orders',
    protocol: 'postgres',
    level: 'readonly',
    database: 'shop',
    endsAt: 3000,
    sessionMs: null,
  }
  t.same(chooseTarget([orders], 'orders', undefined, protocols), expected)
  t.same(chooseTarget([orders], orders.id, 'readonly', protocols), expected)
  t.equal(chooseTarget([{ ...orders, database: null }], 'orders', undefined, protocols).database, null)
})

t.test('an ambiguous name lists the full ids; one without a protocol does not count', async (t) => {
  const other = { ...orders, id: 'rds-postgres/999988887777/eu-west-1/orders' }
  t.throws(() => chooseTarget([orders, other], 'orders', undefined, protocols), {
    code: 'RESOURCE_AMBIGUOUS',
    message: `more than one resource has this name: "orders" matches ${orders.id}, ${other.id}`,
    hint: 'use the full id',
  })
  const role = { ...orders, id: 'iam-role/111122223333/orders', protocol: null }
  t.equal(chooseTarget([role, orders], 'orders', undefined, protocols).id, orders.id)
  t.throws(() => chooseTarget([role], 'orders', undefined, protocols), { code: 'UNSUPPORTED' })
})

t.test(
  'what is unknown, or held at no level, is left to the broker, which refuses it and writes it down',
  async (t) => {
    const left = { level: undefined, endsAt: null, sessionMs: null }
    t.same(chooseTarget([orders], 'order', undefined, protocols), {
      ...left,
      id: 'order',
      name: 'order',
      protocol: 'postgres',
      database: null,
    })
    const { id, name } = orders
    t.same(chooseTarget([{ ...orders, grants: [] }], 'orders', undefined, protocols), {
      ...left,
      id,
      name,
      protocol: 'postgres',
      database: 'shop',
    })
    for (const level of ['admin', 'owner'])
      t.match(chooseTarget([orders], 'orders', level, protocols), { level, endsAt: null })
  },
)

t.test('several levels held need --level', async (t) => {
  const both = { ...orders, grants: [...orders.grants, { id: 'grt_3', level: 'admin', endsAt: 1 }] }
  t.throws(() => chooseTarget([both], 'orders', undefined, protocols), {
    code: 'INVALID_INPUT',
    hint: 'choose one, e.g. --level readonly',
  })
  t.equal(chooseTarget([both], 'orders', 'admin', protocols).level, 'admin')
})
