/** Resources of which only a part is written: there once the rest is found, with the written members before the found ones. */
import t from 'tap'
import { loadRules } from '../../../../src/access/rules/load-rules.ts'
import type { Config } from '../../../../src/config/config.ts'
import { kinds } from '../../../../src/kinds/registry.ts'
import { config, resource } from '../access-setup.ts'

const id = 'rds-postgres/111122223333/eu-west-1/orders'
const part = { id, connect_address: '127.0.0.1:6432', database: 'ledger' }
const found = resource(id, {
  attributes: {
    endpoint: 'orders.abc123.eu-west-1.rds.amazonaws.com',
    resource_id: 'db-ORDERS',
    database: 'orders',
    status: 'available',
    engine: 'postgres 16.4',
  },
  tags: { env: 'prod' },
  source: 'discovery',
})

function load(file: Config['resources'][number], mode: Config['inventory']['import']) {
  const { inventory, ...rest } = config({ resources: [file], levels: [], access: [] })
  return loadRules({ ...rest, inventory: { ...inventory, import: mode } }, kinds)
}

t.test('while nothing is found in accounts a part is not enough, and what is missing is named', (t) => {
  const loaded = load(part, null)
  t.match(loaded, {
    ok: false,
    problems: [
      { path: 'resources[0].endpoint', message: /expected the host name/ },
      { path: 'resources[0].resource_id', fix: /inventory\.import/ },
    ],
  })
  t.end()
})

for (const mode of ['all', 'tagged', 'manual'] as const)
  t.test(`inventory.import: ${mode}: it is there once the rest is found, and goes with it`, (t) => {
    const loaded = load(part, mode)
    if (!loaded.ok) throw new Error('it is accepted')
    const { catalog } = loaded
    t.same(catalog.all, [])
    t.ok(catalog.isWritten(id))
    catalog.use(new Map([[id, found]]))
    t.match(catalog.get(id), {
      source: 'config',
      targetId: 'db-ORDERS',
      tags: { env: 'prod' },
      target: { endpoint: /^orders\./, connect: { host: '127.0.0.1', port: 6432 }, database: 'ledger' },
    })
    catalog.use(new Map([[id, null]]))
    t.equal(catalog.get(id), undefined)
    t.end()
  })

t.test('a resource id that is written pins the resource: another one found under the name is not taken', (t) => {
  const loaded = load({ ...part, resource_id: 'db-PINNED' }, 'all')
  if (!loaded.ok) throw new Error('it is accepted')
  loaded.catalog.use(new Map([[id, found]]))
  t.match(loaded.catalog.get(id), { targetId: 'db-PINNED' })
  t.end()
})

t.test('what is written wrong is a problem in any case', (t) => {
  t.match(load({ ...part, connect_address: 'nowhere' }, 'all'), {
    ok: false,
    problems: [{ path: 'resources[0].connect_address' }],
  })
  t.end()
})
