/** The catalog finds a page without looking at what is not on it. */
import t from 'tap'
import { LiveCatalog } from '../../../src/catalog/catalog.ts'
import type { CatalogEntry } from '../../../src/catalog/resource.ts'
import { resource } from '../access/access-setup.ts'

const kinds = ['rds-postgres', 'iam-role', 'rds-mysql']

function entry(id: string): CatalogEntry {
  return { ...resource(id), target: undefined, targetId: id }
}

/** In no order: every third is of one kind. */
const entries = Array.from({ length: 999 }, (_, i) =>
  entry(`${kinds[i % 3]}/111122223333/eu-west-1/db-${String((i * 7919) % 999).padStart(3, '0')}`),
)
const catalog = new LiveCatalog(
  [],
  entries.map((one) => ({ entry: one, file: { id: one.id } })),
)

for (const kind of [undefined, ...kinds]) {
  t.test(`pages of ${kind ?? 'every kind'} give each resource once, in the order of ids`, async (t) => {
    const seen: string[] = []
    for (let last: string | undefined; ; ) {
      const page = catalog.behind(last, 100, kind)
      if (page.length === 0) break
      seen.push(...page.map(({ id }) => id))
      last = seen.at(-1)
    }
    const wanted = entries.filter((one) => kind === undefined || one.kind === kind).map(({ id }) => id)
    t.same(seen, wanted.sort())
    t.equal(catalog.count(kind), wanted.length)
  })
}

t.test('a page begins behind an id that is no longer there', async (t) => {
  const [first = '', second = ''] = entries.map(({ id }) => id).sort()
  const [page] = catalog.behind(`${first}-gone`, 1)
  t.equal(page?.id, second)
  t.same(catalog.behind('zzz', 10), [])
  t.same(catalog.behind(undefined, 10, 'unknown'), [])
  t.equal(catalog.count('unknown'), 0)
})
