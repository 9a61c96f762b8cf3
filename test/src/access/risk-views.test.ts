/** What was found about resources: who sees it, what accounts and units sum up, and the filter by severity. */
import t from 'tap'
import type { RiskFact } from '../../../src/catalog/risk.ts'
import { account } from '../../../src/kinds/account/kind.ts'
import { organizationalUnit } from '../../../src/kinds/organizational-unit/kind.ts'
import { kinds, openAccess, ordersId, resource } from './access-setup.ts'

const open: RiskFact = { code: 'public', severity: 'high', reason: 'it has a public address', fix: 'make it private' }
const noIam: RiskFact = { code: 'no-iam', severity: 'medium', reason: 'IAM authentication is off' }
const root = 'r-ab12'
const [production, payments, sandbox] = ['ou-ab12-11111111', 'ou-ab12-22222222', 'ou-ab12-33333333']
const [data, empty] = ['111122223333', '444455556666']

function unit(id: string, parent: string) {
  return resource(`organizational-unit/${id}`, { account: null, region: null, attributes: { title: id, parent } })
}

function accountIn(id: string, parent: string) {
  const attributes = { title: id, parent, state: 'ACTIVE' }
  return resource(`account/${id}`, { account: id, region: null, attributes })
}

const setup = {
  kinds: [...kinds, account, organizationalUnit],
  rules: { inventory: { organization: true, import: 'all' as const, everyMs: 900_000 } },
}

const found = [
  { ...resource(ordersId), attributes: { endpoint: 'orders.example.com' }, risk: [open, noIam] },
  accountIn(data, payments),
  accountIn(empty, sandbox),
  unit(production, root),
  unit(payments, production),
  unit(sandbox, root),
]

t.test('facts with their reasons, and the sums of accounts and of the units above them', async (t) => {
  const { access, login } = await openAccess(t, setup)
  await access.useInventory(found, [], 1)
  const carol = login('carol', { roles: ['auditor'] })
  const seen = async (query: Parameters<typeof access.resources>[1]) => (await access.resources(carol, query)).items
  const [orders] = await seen({ resourceId: ordersId })
  t.same(orders?.risk, [open, { ...noIam, fix: null }])
  t.equal(orders?.riskBeneath, null)
  const sums = [...(await seen({ kind: 'account' })), ...(await seen({ kind: 'organizational-unit' }))]
  const both = { low: 0, medium: 1, high: 1 }
  const none = { low: 0, medium: 0, high: 0 }
  t.same(
    sums.map(({ id, riskBeneath }) => [id, riskBeneath]),
    [
      [`account/${data}`, both],
      [`account/${empty}`, none],
      [`organizational-unit/${production}`, both],
      [`organizational-unit/${payments}`, both],
      [`organizational-unit/${sandbox}`, none],
    ],
  )
  const high = await seen({ risk: 'high' })
  t.same(
    high.map(({ id }) => id),
    [`account/${data}`, `organizational-unit/${production}`, `organizational-unit/${payments}`, ordersId],
  )
})

t.test('who is neither admin nor auditor sees none of it, and finds nothing by it', async (t) => {
  const { access, login } = await openAccess(t, setup)
  await access.useInventory(found, [], 1)
  const { items } = await access.resources(login('alice'), {})
  t.ok(items.some(({ id }) => id === ordersId))
  for (const { risk, riskBeneath } of items) t.same([risk, riskBeneath], [[], null])
  t.same((await access.resources(login('alice'), { risk: 'low' })).items, [])
})
