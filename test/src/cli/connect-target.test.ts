import t from 'tap'
import { chooseTarget, type ListedResource } from '../../../src/cli/target.ts'

const kinds = ['rds-postgres']
const orders: ListedResource = {
  id: 'rds-postgres/111122223333/eu-west-1/orders',
  kind: 'rds-postgres',
  name: 'orders',
  levels: ['readonly', 'admin'],
  attributes: { database: 'shop' },
  grants: [
    { id: 'grt_1', level: 'readonly', endsAt: 2000 },
    { id: 'grt_2', level: 'readonly', endsAt: 3000 },
  ],
}

t.test('a unique last part or the full id finds the resource, its database and the latest end', async (t) => {
  const expected = { id: orders.id, name: 'orders', level: 'readonly', database: 'shop', endsAt: 3000 }
  t.same(chooseTarget([orders], 'orders', undefined, kinds), expected)
  t.same(chooseTarget([orders], orders.id, 'readonly', kinds), expected)
  t.equal(chooseTarget([{ ...orders, attributes: {} }], 'orders', undefined, kinds).database, 'postgres')
})

t.test('an ambiguous name lists the full ids; another kind of the same name does not count', async (t) => {
  const other = { ...orders, id: 'rds-postgres/999988887777/eu-west-1/orders' }
  t.throws(() => chooseTarget([orders, other], 'orders', undefined, kinds), {
    code: 'RESOURCE_AMBIGUOUS',
    message: `more than one resource has this name: "orders" may be ${orders.id}, ${other.id}`,
    hint: 'give the full id',
  })
  const role = { ...orders, id: 'iam-role/111122223333/orders', kind: 'iam-role' }
  t.equal(chooseTarget([role, orders], 'orders', undefined, kinds).id, orders.id)
  t.throws(() => chooseTarget([role], 'orders', undefined, kinds), { code: 'UNSUPPORTED' })
})

t.test('an unknown name is refused', async (t) => {
  t.throws(() => chooseTarget([orders], 'order', undefined, kinds), { code: 'RESOURCE_UNKNOWN', hint: /sallyport ls/ })
})

t.test('without a live grant the refusal carries the command that asks for one', async (t) => {
  t.throws(() => chooseTarget([{ ...orders, grants: [] }], 'orders', undefined, kinds), {
    code: 'GRANT_DENIED',
    message: `access was not granted: you hold no live grant on ${orders.id}`,
    hint: 'ask for it: sallyport request orders --level readonly --for 1h --reason "…"',
  })
  t.throws(() => chooseTarget([orders], 'orders', 'admin', kinds), {
    code: 'GRANT_DENIED',
    hint: 'ask for it: sallyport request orders --level admin --for 1h --reason "…"',
  })
})

t.test('several levels held need --level; a level that does not exist is named as such', async (t) => {
  const both = { ...orders, grants: [...orders.grants, { id: 'grt_3', level: 'admin', endsAt: 1 }] }
  t.throws(() => chooseTarget([both], 'orders', undefined, kinds), {
    code: 'INVALID_INPUT',
    hint: 'name one: --level readonly',
  })
  t.equal(chooseTarget([both], 'orders', 'admin', kinds).level, 'admin')
  t.throws(() => chooseTarget([orders], 'orders', 'owner', kinds), {
    code: 'LEVEL_UNKNOWN',
    message: /readonly, admin, not "owner"/,
  })
})
