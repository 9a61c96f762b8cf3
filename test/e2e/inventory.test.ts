/** The organization in the catalog of the real daemon: switched on by a reload, read on demand, and what a move ends. */
import { readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { parse, stringify } from 'yaml'
import type { ConfigFile } from '../../src/config/schema.ts'
import type { InventoryScope } from '../../src/contract/inventory.ts'
import type { ResourceView } from '../../src/contract/resources.ts'
import { accounts } from '../sandbox/default-world.ts'
import { closedShop, createOrganization, units } from '../sandbox/organization-world.ts'
import { waitUntil } from '../wait-until.ts'
import { startCompany } from './company.ts'
import { openDatabase } from './database-client.ts'

const company = await startCompany()
t.teardown(() => company.close())
const organization = createOrganization()
const { configFile } = company.daemon
const good: ConfigFile = parse(readFileSync(configFile, 'utf8'))

async function put(change: Partial<ConfigFile>, loads: number): Promise<void> {
  writeFileSync(configFile, stringify({ ...good, ...change }))
  company.daemon.signal('SIGHUP')
  const loaded = () => company.daemon.log().split('rules reloaded').length - 1
  await waitUntil(() => loaded() >= loads, 'the rules are reloaded', 10_000)
}

await t.test('off: there is nothing to read, and it says how to switch it on', async (t) => {
  const { code, stderr } = await company.commands.dave.run(['sync'])
  t.equal(code, 1)
  t.match(stderr, 'set inventory.organization: true')
})

await t.test('switched on by a reload where there is no organization: it says so', async (t) => {
  await put({ inventory: { organization: true, every: '24h' } }, 1)
  const { code, stdout } = await company.commands.dave.run(['sync', '--watch'])
  t.equal(code, 1, stdout)
  t.match(stdout, /failed/)
})

await t.test('read on demand: accounts with state, path and tags', async (t) => {
  company.sandbox.aws.world.organization = organization
  const { code, stdout, stderr } = await company.commands.dave.run(['sync', '--watch', '--json'])
  t.equal(code, 0, stdout + stderr)
  const { scopes } = JSON.parse(stdout) as { scopes: InventoryScope[] }
  t.match(scopes, [{ organization: 'o-exampleorgid', state: 'good', resources: 7, missing: 0, error: null }])
  await waitUntil(async () => (await accountsSeen()).length === 4, 'the accounts are in the catalog', 10_000)
  t.match(
    await accountsSeen(),
    [
      { id: `account/${closedShop}`, path: 'Sandbox', shown: { state: 'SUSPENDED' }, levels: [] },
      { id: `account/${accounts.data}`, path: 'Production/Payments & "Cards"', tags: { team: 'payments' } },
      { id: `account/${accounts.web}`, path: 'Production' },
      { id: `account/${accounts.hub}`, path: '' },
    ].sort((a, b) => (a.id < b.id ? -1 : 1)),
  )
})

await t.test('sallyport ls names accounts as people do, with unit and state', async (t) => {
  const { stdout } = await company.commands.carol.run(['ls', '--kind', 'account'])
  t.match(stdout, /^NAME +RESOURCE +UNIT +STATE +LEVELS/)
  t.match(stdout, new RegExp(`^shop, O'Neil & Söhne +account/${closedShop} +Sandbox +SUSPENDED`, 'm'))
  t.match(
    stdout,
    new RegExp(`^data +account/${accounts.data} +Production/Payments & "Cards" +ACTIVE .*team=payments`, 'm'),
  )
})

async function accountsSeen(): Promise<readonly ResourceView[]> {
  const { resources } = await company.api<{ resources: ResourceView[] }>(
    'carol',
    'GET',
    '/api/v1/resources?kind=account',
  )
  return resources
}

await t.test('a rule by a unit: the account moves out of it, and the open session is cut', async (t) => {
  const access = good.access?.map((rule) => ({
    ...rule,
    what: { ...rule.what, organizational_units: [units.production] },
  }))
  await put({ inventory: { organization: true, every: '24h' }, ...(access ? { access } : {}) }, 2)
  await company.grant()
  const { client } = await openDatabase(company)
  const ended = new Promise<Error>((resolve) => client.once('error', resolve))
  t.equal((await client.query('select 1')).rowCount, 1)
  const inForce = readFileSync(configFile, 'utf8')
  writeFileSync(configFile, stringify({ ...good, ...(access ? { access } : {}) }))
  const { stdout } = await company.commands.dave.run(['config', 'plan'])
  t.match(stdout, /inventory\.organization: true -> false/)
  t.match(stdout, /^7 resources \(account\/.* would leave the catalog\n1 session would end\n1 grant would end/m)
  t.match(
    stdout,
    /alice@example\.com +rds-postgres\/.*readonly +1 +ends +the rule engineers-read-prod-databases no longer/,
  )
  writeFileSync(configFile, inForce)
  t.match((await company.commands.dave.run(['config', 'plan'])).stdout, /^the file says what is in force\nno resources/)
  t.equal((await client.query('select 1')).rowCount, 1, 'a plan ends nothing')
  for (const account of organization.accounts)
    if (account.id === accounts.data) Object.assign(account, { parent: units.sandbox })
  t.equal((await company.commands.dave.run(['sync', '--watch'])).code, 0)
  t.match((await ended).message, /by|rule/)
  const { events } = await company.api<{ events: { fields: object }[] }>(
    'carol',
    'GET',
    '/api/v1/audit/events?type=inventory.changed',
  )
  t.match(events[0], { fields: { changed: [`account/${accounts.data}`], gone: [] } })
  const verified = await company.commands.carol.run(['audit', 'verify'])
  t.equal(verified.code, 0, verified.stdout + verified.stderr)
})

await t.test('a rule by an account that is suspended: the open session is cut, and the grant says why', async (t) => {
  for (const account of organization.accounts)
    if (account.id === accounts.data) Object.assign(account, { parent: units.payments })
  await put({ inventory: { organization: true, every: '24h' } }, 3)
  t.equal((await company.commands.dave.run(['sync', '--watch'])).code, 0)
  const { id } = await company.grant()
  const { client, lost } = await openDatabase(company)
  t.equal((await client.query('select 1')).rowCount, 1)
  for (const account of organization.accounts)
    if (account.id === accounts.data) Object.assign(account, { state: 'SUSPENDED' })
  t.equal((await company.commands.dave.run(['sync', '--watch'])).code, 0)
  t.match((await lost).message, /is SUSPENDED/)
  const { grants } = await company.api<{ grants: { id: string }[] }>('bob', 'GET', '/api/v1/grants?all=true')
  t.match(
    grants.find((grant) => grant.id === id),
    { endReason: 'rule-changed', endText: new RegExp(`account ${accounts.data} is SUSPENDED`) },
  )
})
