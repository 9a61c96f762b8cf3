import t from 'tap'
import type { CatalogEntry } from '../../../src/catalog/resource.ts'
import { createPreparation } from '../../../src/inventory/preparation.ts'
import { kinds } from '../../../src/kinds/registry.ts'
import { loginOf, ordersId, principal, resource, startedAt } from '../access/access-setup.ts'

const attributes = { endpoint: 'orders.abc.eu-west-1.rds.amazonaws.com', resource_id: 'db-ORDERS' }

/** For one resource with these levels. */
function preparationOf(id: string, levels: Record<string, object>) {
  const bare = resource(id, { attributes })
  const kind = kinds.find(({ name }) => name === bare.kind)
  const read = kind?.target.read(bare)
  const entry: CatalogEntry = { ...bare, target: read?.ok ? read.value : undefined, targetId: '' }
  const meant = Object.entries(levels).map(([name, raw]): [string, unknown] => {
    const level = kind?.level?.read(raw)
    return [name, level?.ok ? level.value : undefined]
  })
  const access = { findResource: () => entry, levelsOf: () => new Map(meant) }
  return createPreparation({ access, config: { aws: { accounts: {} } }, kinds })(
    loginOf(principal('dave'), startedAt),
    id,
  )
}

t.test('the steps of the kind, for the levels as they are now', async (t) => {
  t.match(preparationOf(ordersId, { readonly: { db_user: 'app_ro' } }), {
    resource: ordersId,
    steps: [{ language: 'sh' }, { language: 'sql', levels: ['readonly'], text: /CREATE ROLE "app_ro"/ }],
  })
})

t.test('a resource without levels, and a kind that needs nothing, are said so', async (t) => {
  t.throws(() => preparationOf(ordersId, {}), { code: 'LEVEL_UNKNOWN' })
  t.throws(() => preparationOf('iam-role/111122223333/Deployer', { full: {} }), {
    code: 'UNSUPPORTED',
    hint: 'what its account needs is shown by: sallyport aws policies',
  })
})
