/** Whatever comes and goes in whatever order, the catalog is the one that is made of what is there at the end. */
import t from 'tap'
import { LiveCatalog } from '../../../src/catalog/catalog.ts'
import type { Kinds } from '../../../src/catalog/kind.ts'
import type { Place, TreeNode } from '../../../src/catalog/place.ts'
import type { CatalogEntry, Resource, ResourceFile } from '../../../src/catalog/resource.ts'
import { SortedIds } from '../../../src/catalog/sorted-ids.ts'
import { account } from '../../../src/kinds/account/kind.ts'
import { organizationalUnit } from '../../../src/kinds/organizational-unit/kind.ts'
import fc from '../../fast-check.ts'
import { resource, kinds as some } from '../access/access-setup.ts'

const kinds: Kinds = [...some, account, organizationalUnit]
const accounts = ['111122223333', '222233334444']
const units = ['ou-ab12-11111111', 'ou-ab12-22222222', 'ou-ab12-33333333']
const tags = fc.constantFrom<Resource['tags']>({}, { env: 'prod' }, { env: 'dev', team: 'a' })
const parent = fc.constantFrom('r-ab12', ...units, 'ou-ab12-99999999', null)

const node = (kind: string, id: string) =>
  fc.record({ tags, parent, title: fc.constantFrom('one', 'two') }).map(({ tags: own, parent: above, title }) =>
    found(`${kind}/${id}`, {
      account: kind === 'account' ? id : null,
      tags: own,
      attributes: { title, ...(above === null ? {} : { parent: above }) },
    }),
  )
const database = fc
  .record({ of: fc.constantFrom(...accounts), name: fc.constantFrom('orders', 'a-b', 'a'), tags })
  .map(({ of, name, tags: own }) => found(`rds-postgres/${of}/eu-west-1/${name}`, { account: of, tags: own }))
const anyResource = fc.oneof(
  ...accounts.map((id) => node('account', id)),
  ...units.map((id) => node('organizational-unit', id)),
  database,
  database,
)
const change = fc.record({ resource: anyResource, isGone: fc.boolean() })

function found(id: string, more: Partial<Resource>): Resource {
  const region = id.startsWith('rds') ? 'eu-west-1' : null
  return resource(id, { region, organization: 'o-exampleorgid', source: 'discovery', ...more })
}

/** Written by hand, of which one is found as well, and one can be read only by itself. */
const files: readonly ResourceFile[] = [
  { id: `account/${accounts[0]}`, title: 'Data', tags: { owner: 'dba' } },
  { id: `rds-postgres/${accounts[0]}/eu-west-1/orders` },
]
const written = files.map((file) => {
  const { id, tags: own = {}, title } = file
  const attributes: Resource['attributes'] = title === undefined ? {} : { title }
  const of = id.split('/')[1] ?? ''
  const entry = read(found(id, { account: of, organization: null, source: 'config', tags: own, attributes }))
  if (!entry) throw new Error(`${id} cannot be read`)
  return { entry, file }
})

function read(one: Resource): CatalogEntry | undefined {
  const kind = kinds.find(({ name }) => name === one.kind)
  const target = kind?.target.read(one)
  return kind && target?.ok ? { ...one, target: target.value, targetId: kind.targetId(target.value) } : undefined
}

/** As one who knows everything at once would make it. */
function wanted(all: ReadonlyMap<string, Resource>): Map<string, CatalogEntry> {
  const entries = new Map<string, CatalogEntry>()
  for (const { entry } of written) entries.set(entry.id, entry)
  for (const one of all.values()) {
    const by = written.find(({ entry }) => entry.id === one.id)
    const merged: Resource = by
      ? {
          ...one,
          source: 'config',
          attributes: { ...one.attributes, ...by.entry.attributes },
          ...(by.file.tags ? { tags: by.file.tags } : {}),
        }
      : one
    const entry = read(merged)
    if (entry) entries.set(one.id, entry)
  }
  const nodes = new Map<string, { node: TreeNode; tags: Resource['tags'] }>()
  for (const entry of entries.values()) {
    const of = kinds.find(({ name }) => name === entry.kind)?.node?.(entry.target)
    if (of) nodes.set(of.id, { node: of, tags: entry.tags })
  }
  for (const [id, entry] of entries) {
    const at = nodes.get(entry.kind === 'organizational-unit' ? entry.name : (entry.account ?? ''))
    if (at) entries.set(id, { ...entry, place: placeOf(at) })
  }
  return entries

  function placeOf({ node: own, tags: ownTags }: { node: TreeNode; tags: Resource['tags'] }): Place {
    const above: string[] = []
    let next: TreeNode | undefined = own
    while (next?.parent && above.length < 10 && !above.at(-1)?.startsWith('r-')) {
      above.push(next.parent)
      next = nodes.get(next.parent)?.node
    }
    const isKnown = above.at(-1)?.startsWith('r-') === true
    const titles = above.flatMap((id) => nodes.get(id)?.node.title ?? []).reverse()
    return {
      units: isKnown ? (own.isAccount ? above : [own.id, ...above]) : null,
      accountTags: own.isAccount ? ownTags : null,
      path: isKnown ? titles.join('/') : null,
      unusable: own.unusable,
    }
  }
}

t.test('in any order, in parts of any size', async (t) => {
  fc.assert(
    fc.property(fc.array(fc.array(change, { maxLength: 6 }), { maxLength: 20 }), (parts) => {
      const catalog = new LiveCatalog(kinds, written)
      const all = new Map<string, Resource>()
      for (const part of parts) {
        const before = new Map(catalog.all.map((entry) => [entry.id, entry]))
        const changes = new Map(part.map(({ resource: one, isGone }) => [one.id, isGone ? null : one]))
        for (const [id, one] of changes) {
          if (one) all.set(id, one)
          else all.delete(id)
        }
        const changed = catalog.use(changes)
        const now = new Map(catalog.all.map((entry) => [entry.id, entry]))
        for (const id of new Set([...before.keys(), ...now.keys()]))
          if (before.get(id) !== now.get(id) && !changed.has(id)) throw new Error(`${id} has changed unsaid`)
      }
      const expected = [...wanted(all).values()].sort((a, b) => (a.id < b.id ? -1 : 1))
      if (!t.same(catalog.all, expected)) throw new Error('other entries')
      for (const kind of [undefined, 'account', 'rds-postgres', 'organizational-unit', 'rds']) {
        const of = expected.filter((entry) => kind === undefined || entry.kind === kind)
        if (catalog.count(kind) !== of.length) throw new Error(`${catalog.count(kind)} of ${kind}`)
        for (const from of [undefined, ...expected.map(({ id }) => id), 'a', 'zz'])
          if (
            !t.same(catalog.behind(from, 3, kind), of.filter(({ id }) => from === undefined || id > from).slice(0, 3))
          )
            throw new Error(`behind ${from} of ${kind}`)
      }
      for (const name of ['orders', 'a', accounts[0] ?? ''])
        if (
          !t.same(
            catalog.named(name),
            expected.filter((entry) => entry.name === name),
          )
        )
          throw new Error(name)
    }),
    { numRuns: 60 },
  )
})

t.test('ids stay in their order, however many come and go', async (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 3000 })), { minLength: 2000, maxLength: 5000 }),
      (steps) => {
        const sorted = new SortedIds()
        const ids = new Set<string>()
        for (const [isAdded, i] of steps) {
          const id = `id-${i}`
          if (isAdded) ids.add(id)
          else ids.delete(id)
          if (isAdded) sorted.add(id)
          else sorted.delete(id)
        }
        const all = [...ids].sort()
        if ([...sorted.behind()].join() !== all.join()) throw new Error('another order')
        for (const from of ['id-1500', 'id-2', 'x', ''])
          if ([...sorted.behind(from)].join() !== all.filter((id) => id > from).join())
            throw new Error(`behind ${from}`)
      },
    ),
    { numRuns: 30 },
  )
  t.pass()
})
