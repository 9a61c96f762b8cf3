/** Identity Center in the catalog of the real daemon: switched on and off by a reload, read on demand, with findings. */
import { readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { parse, stringify } from 'yaml'
import type { ConfigFile } from '../../src/config/schema.ts'
import type { InventoryScope } from '../../src/contract/inventory.ts'
import type { ResourceView } from '../../src/contract/resources.ts'
import { accounts } from '../sandbox/default-world.ts'
import { createIdentityCenterWorld, groups } from '../sandbox/identity-center-world.ts'
import { createOrganization } from '../sandbox/organization-world.ts'
import { waitUntil } from '../wait-until.ts'
import { startCompany } from './company.ts'

const company = await startCompany()
t.teardown(() => company.close())
const { world } = company.sandbox.aws
world.organization = createOrganization()
const center = createIdentityCenterWorld()
const { configFile } = company.daemon
const good: ConfigFile = parse(readFileSync(configFile, 'utf8'))
let loads = 0

async function put(
  inventory: ConfigFile['inventory'],
  resources: NonNullable<ConfigFile['resources']> = [],
): Promise<void> {
  writeFileSync(configFile, stringify({ ...good, resources: [...(good.resources ?? []), ...resources], inventory }))
  company.daemon.signal('SIGHUP')
  loads += 1
  const loaded = () => company.daemon.log().split('rules reloaded').length - 1
  await waitUntil(() => loaded() >= loads, 'the rules are reloaded', 30_000)
}

async function seen(kind: string): Promise<readonly ResourceView[]> {
  const { resources } = await company.api<{ resources: ResourceView[] }>(
    'carol',
    'GET',
    `/api/v1/resources?kind=${kind}`,
  )
  return resources
}

const sync = () => company.commands.dave.run(['sync', '--watch', '--json'])
const sets = async () => (await seen('permission-set')).map(({ id }) => id.slice('permission-set/'.length))
const become = (wanted: readonly string[]) =>
  waitUntil(async () => (await sets()).join() === wanted.join(), `the catalog has ${wanted.join()}`, 30_000)
const provisioned = [`${accounts.data}/Admin`, `${accounts.data}/ReadOnly`, `${accounts.web}/ReadOnly`].sort()

await t.test('not enabled: it says so, and what to do', async (t) => {
  await put({ identity_center: {}, every: '24h' })
  const { code, stdout } = await sync()
  t.equal(code, 1, stdout)
  const { scopes } = JSON.parse(stdout) as { scopes: InventoryScope[] }
  t.match(scopes, [{ scope: 'identity-center', state: 'failed', error: /is not in eu-west-1/, fix: /console/ }])
})

await t.test('groups, and permission sets in the accounts that have their roles', async (t) => {
  world.identityCenter = center
  const { code, stdout, stderr } = await sync()
  t.equal(code, 0, stdout + stderr)
  await become(provisioned)
  t.match(
    (await seen('identity-center-group')).find(({ name }) => name === groups.engineers),
    {
      shown: { title: 'Engineers', members: '2', assignments: '2' },
      levels: [],
      risk: [{ code: 'standing-members', severity: 'medium' }],
    },
  )
  t.match(
    (await seen('permission-set')).find(({ id }) => id.endsWith('/Admin')),
    { shown: { session: '1h30m', provisioned: 'yes' }, risk: [{ code: 'admin-policy', severity: 'high' }] },
  )
  const listed = await company.commands.carol.run(['ls', '--kind', 'permission-set'])
  t.match(listed.stdout, new RegExp(`^ReadOnly +permission-set/${accounts.web}/ReadOnly .*sallyport:managed=true`, 'm'))
})

await t.test('what a person asks for is read anew: a tag, and a set made anew under its old name', async (t) => {
  for (const set of center.permissionSets) set.tags = { changed: 'yes' }
  t.equal((await sync()).code, 0)
  await waitUntil(
    async () => (await seen('permission-set')).every(({ tags }) => tags.changed === 'yes'),
    'the tags are in the catalog',
    30_000,
  )
  const [set] = center.permissionSets
  if (set) set.id = 'ps-00000000000000ff'
  for (const one of center.assignments) if (one.permissionSet.endsWith('01')) one.permissionSet = 'ps-00000000000000ff'
  t.equal((await sync()).code, 0)
  const { events } = await company.api<{ events: { fields: { changed: string[] } }[] }>(
    'carol',
    'GET',
    '/api/v1/audit/events?type=inventory.changed',
  )
  t.same(
    events[0]?.fields.changed.sort(),
    [accounts.data, accounts.web].map((id) => `permission-set/${id}/ReadOnly`).sort(),
  )
})

await t.test('import by a reload: all, as it is written, and nothing', async () => {
  await put({ identity_center: { import: 'all' }, every: '24h' })
  await sync()
  await become([accounts.data, accounts.web, accounts.hub].flatMap((id) => [`${id}/Admin`, `${id}/ReadOnly`]).sort())
  await put({ identity_center: { import: 'manual' }, every: '24h' }, [
    { id: `permission-set/${accounts.web}/ReadOnly` },
  ])
  await become([`${accounts.web}/ReadOnly`])
  await put({ every: '24h' })
  await become([])
})
