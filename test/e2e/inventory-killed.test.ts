/**
 * A pass over several accounts that does not end where it began: the daemon is killed, or another one leads. What was read stays read, what was
 * missing once is still there, and what was under way is read again.
 */
import pg from 'pg'
import t, { type Test } from 'tap'
import type { InventoryScope, InventoryUnit } from '../../src/contract/inventory.ts'
import type { ResourceView } from '../../src/contract/resources.ts'
import { skipInShortRun } from '../long.ts'
import type { AwsDouble } from '../sandbox/aws.ts'
import { startDaemon } from '../sandbox/daemon.ts'
import { createInstance } from '../sandbox/databases-world.ts'
import { accounts, arns, region } from '../sandbox/default-world.ts'
import type { Held } from '../sandbox/faults.ts'
import { startSandbox } from '../sandbox/sandbox.ts'
import { waitUntil } from '../wait-until.ts'
import { companyIn, type Door } from './company.ts'
import { startTwoDaemons } from './two-daemons.ts'

t.setTimeout(300_000)
const more = ['300000000001', '300000000002', '300000000003'] as const
const overrides = {
  inventory: { import: 'all', every: '24h' },
  aws: { accounts: Object.fromEntries([accounts.data, ...more].map((account) => [account, {}])) },
  ...{ resources: [], levels: [], access: [] },
} as const
const gone = `iam-role/${more[0]}/Gone`
const late = `iam-role/${more[1]}/Late`

/** A spoke, a role and a database in each account. */
function fill({ world }: AwsDouble): void {
  const spoke = world.roles.find(({ arn }) => arn === arns.connect)
  if (!spoke) throw new Error('there is a spoke')
  for (const account of more) {
    const copy = (name: string) => ({
      ...spoke,
      arn: `arn:aws:iam::${account}:role/${name}`,
      roleId: `AROA${account}${name.length}X`,
    })
    world.roles.push(copy('sallyport/SallyportConnect'), copy('Gone'))
    world.rds.instances.push(createInstance({ account, region }, 'ledger'))
  }
}

/** What changes between two passes. */
function change({ world }: AwsDouble): void {
  const role = world.roles.find(({ arn }) => arn === `arn:aws:iam::${more[0]}:role/Gone`)
  if (!role) throw new Error('there is such a role')
  world.roles.splice(world.roles.indexOf(role), 1)
  world.roles.push({ ...role, arn: `arn:aws:iam::${more[1]}:role/Late`, roleId: 'AROALATE0000000000001' })
}

async function ids(door: Door): Promise<string[]> {
  const { resources } = await door.api<{ resources: ResourceView[] }>('carol', 'GET', '/api/v1/resources?limit=200')
  return resources.map(({ id }) => id).sort()
}

/** How many accounts are not read as they were asked for, as the store has it; the daemon knows more for up to ten seconds. */
async function requestsIn(t: Test, url: string): Promise<() => Promise<number | null>> {
  const store = new pg.Client({ connectionString: url })
  await store.connect()
  t.teardown(() => store.end())
  return async () =>
    (await store.query('select account from inventory_accounts where requested_at is not null')).rowCount
}

const units = async (door: Door) =>
  (await door.api<{ units: InventoryUnit[] }>('dave', 'GET', '/api/v1/inventory/units?limit=200')).units
const scopes = async (door: Door) =>
  (await door.api<{ scopes: InventoryScope[] }>('dave', 'GET', '/api/v1/inventory/scopes')).scopes
const ask = (door: Door) => door.api('dave', 'POST', '/api/v1/inventory/sync', {})

async function firstPass(door: Door): Promise<void> {
  const isFound = async () => {
    await ask(door) // at the very first the broker may have had no roles yet
    return (await ids(door)).includes(gone)
  }
  await waitUntil(isFound, 'all is in the catalog', 30_000, 500)
  await waitUntil(async () => (await scopes(door)).every(isDone), 'the first pass has ended', 30_000, 100)
}

const slow = more[2]

/** A second pass, in which everything is read but the databases of one account, for which AWS does not answer. */
async function heldPass(door: Door): Promise<Held> {
  change(door.sandbox.aws)
  const held = door.sandbox.aws.faults.stall('DescribeDBInstances', slow)
  await ask(door)
  await held.waits
  const isRead = async () =>
    (await units(door)).filter(({ state }) => state === 'reading').length === 1 && (await ids(door)).includes(late)
  await waitUntil(isRead, 'everything else is read', 20_000, 100)
  return held
}

/** Reads of AWS in accounts since then, by who made them. */
function readsSince({ calls }: AwsDouble, from: number): string[] {
  return calls
    .slice(from)
    .filter(({ action, outcome }) => outcome === 'ok' && /^(Describe|List|GetAccount)/.test(action))
    .map(({ action, caller }) => `${action} ${caller?.split(':')[4]}`)
}

const isDone = ({ state, requestedAt }: InventoryScope) => state === 'good' && requestedAt === null

async function settled(t: Test, door: Door, before: readonly string[]): Promise<void> {
  await waitUntil(async () => (await scopes(door)).every(isDone), 'the pass has ended', 60_000, 100)
  t.same(await ids(door), [...before, late].sort(), 'nothing is lost, and what was missing once is there')
  t.match(
    (await scopes(door)).find(({ scope }) => scope === 'iam-role'),
    { missing: 1, error: null },
  )
}

async function verified(t: Test, door: Door): Promise<void> {
  const { code, stdout, stderr } = await door.commands.carol.run(['audit', 'verify'])
  t.equal(code, 0, stdout + stderr)
}

await t.test(
  'the daemon is killed amid a pass: the next one goes on where it stood',
  { skip: skipInShortRun },
  async (t) => {
    const sandbox = await startSandbox({ stores: true })
    fill(sandbox.aws)
    const company = await companyIn(sandbox, { overrides }, ['carol', 'dave'])
    t.teardown(() => company.close())
    const { aws } = company.sandbox
    await firstPass(company)
    const before = await ids(company)
    const held = await heldPass(company)
    const requests = await requestsIn(t, company.daemon.storeUrl)
    await waitUntil(async () => (await requests()) === 1, 'what was read is written', 20_000, 50)
    company.daemon.signal('SIGKILL')
    await company.daemon.exited
    held.letGo()
    const from = aws.calls.length
    company.daemon = await startDaemon(company.sandbox, { files: company.daemon })
    await settled(t, company, before)
    const reads = readsSince(aws, from)
    t.ok(reads.includes(`DescribeDBInstances ${slow}`), 'what was under way is read again')
    t.ok(
      reads.every((read) => read.endsWith(slow)),
      'and no other account is',
    )
    await ask(company)
    await waitUntil(async () => !(await ids(company)).includes(gone), 'missing twice, it goes', 30_000, 100)
    t.same(await ids(company), [...before.filter((id) => id !== gone), late].sort())
    await verified(t, company)
  },
)

await t.test('another daemon leads amid a pass', { skip: skipInShortRun }, async (t) => {
  const two = await startTwoDaemons({ overrides: { ...overrides, store: { grace: '2s' } }, people: ['carol', 'dave'] })
  t.teardown(() => two.close())
  const { a, b } = two.at
  const { aws } = two.sandbox
  fill(aws)
  await firstPass(a)
  const before = await ids(a)
  const held = await heldPass(a)
  const requests = await requestsIn(t, two.daemons.a.storeUrl)
  await waitUntil(async () => (await requests()) === 1, 'what was read is written', 20_000, 100)
  const ledger = aws.world.rds.instances.find(({ account }) => account === slow)
  if (!ledger) throw new Error('there is a database')
  two.daemons.a.signal('SIGSTOP')
  const from = aws.calls.length
  ledger.tags = { env: 'before' }
  held.letGo()
  await waitUntil(() => readsSince(aws, from).length > 0, 'what the first one waited for is answered')
  ledger.tags = { env: 'after' }
  await settled(t, b, before)
  const reads = readsSince(aws, from)
  t.ok(reads.filter((read) => read === `DescribeDBInstances ${slow}`).length > 1, 'the other reads what was under way')
  t.ok(
    reads.every((read) => read.endsWith(slow)),
    'and no other account',
  )
  const changes = async () =>
    (await b.api<{ events: unknown[] }>('carol', 'GET', '/api/v1/audit/events?type=inventory.changed')).events.length
  const written = await changes()
  two.daemons.a.signal('SIGCONT')
  await waitUntil(async () => (await ids(a)).includes(late), 'the first one follows', 30_000, 100)
  for (const door of [a, b]) {
    const { resources } = await door.api<{ resources: ResourceView[] }>('carol', 'GET', '/api/v1/resources?limit=200')
    t.match(
      resources.find(({ id }) => id === `rds-postgres/${slow}/${region}/ledger`),
      { tags: { env: 'after' } },
    )
  }
  t.equal(await changes(), written, 'and has written nothing')
  await verified(t, b)
})
