import t from 'tap'
import { rdsFeatures } from '../../../../src/kinds/rds/policies.ts'
import { readVia, viaOf } from '../../../../src/kinds/rds/via.ts'
import { kinds } from '../../../../src/kinds/registry.ts'

const endpoint = 'orders.abc123.eu-west-1.rds.amazonaws.com'
const placed = { account: '111122223333', region: 'eu-west-1', endpoint, port: 5432, hasAddress: false }
const [one, two] = ['i-0123456789abcdef0', 'i-0123abcd'] as const
const id = (instance: string, account = placed.account, region = placed.region) =>
  `ec2-instance/${account}/${region}/${instance}`

t.test('one instance, or several in order', async (t) => {
  t.same(readVia(undefined, { ...placed, hasAddress: true, port: 80 }), { instances: [], problems: [] })
  t.same(readVia(id(one), placed), { instances: [one], problems: [] })
  t.same(readVia([id(two), id(one)], placed), { instances: [two, one], problems: [] })
})

t.test('what no tunnel could lead to is reported', async (t) => {
  const problems = (via: string | string[], more: Partial<typeof placed> = {}) =>
    readVia(via, { ...placed, ...more }).problems.map(({ path, message }) => `${path}: ${message}`)
  t.match(problems([id(one), id(two, '444455556666')]), [/^via\[1\]: the instance is in account 444455556666/])
  t.match(problems(id(one, placed.account, 'us-east-1')), [/^via: the instance is in us-east-1/])
  t.match(problems([id(one), id(one)]), [/^via\[1\]: is named twice/])
  t.match(problems(id(one), { hasAddress: true }), [/^connect_address: has no effect with via/])
  t.match(problems(id(one), { endpoint: 'db.example.com' }), [/^endpoint: with via/])
  t.match(problems(id(one), { port: 443 }), [/^port: with via/])
})

t.test('the attribute is read with the rest of the target', async (t) => {
  const kind = kinds.find(({ name }) => name === 'rds-postgres')
  const read = (via: unknown) =>
    kind?.target.read({
      ...{ id: 'x', kind: 'rds-postgres', partition: 'aws', organization: null, name: 'orders', tags: {} },
      ...{ account: placed.account, region: placed.region, source: 'config' },
      attributes: { endpoint, resource_id: 'db-ABC', via },
    })
  t.match(read(id(one)), { ok: true, value: { via: [one] } })
  t.match(read([id(one), id(two)]), { ok: true, value: { via: [one, two] } })
  for (const wrong of ['i-1', id('i-1'), 7, [], Array.from({ length: 9 }, () => id(one))])
    t.match(read(wrong), { ok: false, problems: [{ path: /^via/ }] }, JSON.stringify(wrong))
})

t.test('tunnels are shared where the account trusts the hub, and belong to one grant elsewhere', async (t) => {
  const target = { partition: 'aws', account: '111122223333', region: 'eu-west-1', via: [one] }
  const by = (trust: 'hub' | 'web_identity') => viaOf(target, { accounts: { 111122223333: { trust } } } as never)
  t.match(by('hub'), { key: 'hub', instances: [one], document: 'Sallyport-PortDatabase' })
  t.match(by('web_identity'), { key: null })
  t.equal(viaOf({ ...target, via: [] }, { accounts: {} }), undefined)
  t.same(rdsFeatures(target), ['databases', 'reach'])
  t.same(rdsFeatures({ via: [] }), ['databases'])
})
