import t from 'tap'
import { rdsFeatures } from '../../../../src/kinds/rds/policies.ts'
import { clusterName, clusterPorts, databasePorts } from '../../../../src/kinds/reach/policies.ts'
import { readVia, viaOf } from '../../../../src/kinds/reach/via.ts'
import { kinds } from '../../../../src/kinds/registry.ts'

const endpoint = 'orders.abc123.eu-west-1.rds.amazonaws.com'
const placed = { account: '111122223333', region: 'eu-west-1', hasAddress: false, isNamedByAws: true }
const [one, two] = ['i-0123456789abcdef0', 'i-0123abcd'] as const
const id = (instance: string, account = placed.account, region = placed.region) =>
  `ec2-instance/${account}/${region}/${instance}`

t.test('one instance, or several in order', async (t) => {
  t.same(readVia(undefined, { ...placed, hasAddress: true, isNamedByAws: false }), { instances: [], problems: [] })
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
  t.match(problems(id(one), { isNamedByAws: false }), [/^endpoint: with via/])
})

t.test('the attribute is read with the rest of the target', async (t) => {
  const kind = kinds.find(({ name }) => name === 'rds-postgres')
  const read = (via: unknown, more: object = {}) =>
    kind?.target.read({
      ...{ id: 'x', kind: 'rds-postgres', partition: 'aws', organization: null, name: 'orders', tags: {} },
      ...{ account: placed.account, region: placed.region, source: 'config' },
      attributes: { endpoint, resource_id: 'db-ABC', via, ...more },
    })
  t.match(read(id(one)), { ok: true, value: { via: [one] } })
  t.match(read([id(one), id(two)]), { ok: true, value: { via: [one, two] } })
  t.match(read(id(one), { endpoint: 'db.example.com' }), { ok: false, problems: [{ path: 'endpoint' }] })
  t.match(read(id(one), { port: 443 }), { ok: false, problems: [{ path: 'port', message: /^with via/ }] })
  for (const wrong of ['i-1', id('i-1'), 7, [], Array.from({ length: 9 }, () => id(one))])
    t.match(read(wrong), { ok: false, problems: [{ path: /^via/ }] }, JSON.stringify(wrong))
})

t.test('tunnels are shared where the account trusts the hub, and belong to one grant elsewhere', async (t) => {
  const target = { partition: 'aws', account: '111122223333', region: 'eu-west-1', via: [one] }
  const by = (trust: 'hub' | 'web_identity') =>
    viaOf(target, { accounts: { 111122223333: { trust } } } as never, databasePorts)
  t.match(by('hub'), { key: 'hub', instances: [one], document: 'Sallyport-PortDatabase' })
  t.match(by('web_identity'), { key: null })
  t.equal(viaOf({ ...target, via: [] }, { accounts: {} }, clusterPorts), undefined)
  t.same(rdsFeatures(target), ['databases', 'reach'])
  t.same(rdsFeatures({ via: [] }), ['databases'])
})

t.test('of clusters only the names that AWS gives to their endpoints', async (t) => {
  const formed = new RegExp(`^${clusterName.source}$`)
  const id32 = '0123456789ABCDEF0123456789abcdef'
  for (const name of [
    `${id32}.gr7.eu-west-1.eks.amazonaws.com`,
    `${id32}.sk1.cn-north-1.eks.amazonaws.com.cn`,
    `${id32}.eks-cluster.eu-west-1.api.aws`,
    `${id32}.eks-cluster.cn-north-1.api.amazonwebservices.com.cn`,
  ])
    t.match(name, formed)
  for (const name of [
    'ec2.eu-west-1.api.aws',
    'eks.eu-west-1.amazonaws.com',
    `${id32}.eks.amazonaws.com.evil.example`,
    `${id32.slice(1)}.gr7.eu-west-1.eks.amazonaws.com`,
    `x.${id32}.gr7.eu-west-1.eks.amazonaws.com`,
    `${id32}eks.amazonaws.com`,
    '169.254.169.254',
    'localhost',
  ])
    t.notMatch(name, formed)
})
