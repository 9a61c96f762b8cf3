/** Events of AWS at the real daemon: what they are about is in the catalog within seconds, and what they say is not. */
import { readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { parse, stringify } from 'yaml'
import type { ConfigFile } from '../../src/config/schema.ts'
import type { InventoryScope } from '../../src/contract/inventory.ts'
import type { ResourceView } from '../../src/contract/resources.ts'
import { accounts } from '../sandbox/default-world.ts'
import { addEventQueue } from '../sandbox/events-world.ts'
import { createOrganization, units } from '../sandbox/organization-world.ts'
import { waitUntil } from '../wait-until.ts'
import { startCompany } from './company.ts'
import { openDatabase } from './database-client.ts'

const company = await startCompany()
t.teardown(() => company.close())
const { aws } = company.sandbox
const organization = createOrganization()
aws.world.organization = organization
const { url, queue, dead } = addEventQueue(aws.world)
const { configFile } = company.daemon
const good: ConfigFile = parse(readFileSync(configFile, 'utf8'))
const inventory = { organization: true, every: '24h', events: { queue: url } }
const account = organization.accounts.find(({ id }) => id === accounts.data)
if (!account) throw new Error('the account is in the organization')

async function put(change: Partial<ConfigFile>, loads: number): Promise<void> {
  writeFileSync(configFile, stringify({ ...good, ...change }))
  company.daemon.signal('SIGHUP')
  const loaded = () => company.daemon.log().split('rules reloaded').length - 1
  await waitUntil(() => loaded() >= loads, 'the rules are reloaded', 10_000)
}

async function accountSeen(): Promise<ResourceView | undefined> {
  const path = '/api/v1/resources?kind=account'
  const { resources } = await company.api<{ resources: ResourceView[] }>('carol', 'GET', path)
  return resources.find(({ id }) => id === `account/${accounts.data}`)
}

/** Within the limit on calls of one person. */
const lookEveryMs = 100

let events = 0
/** As EventBridge gives it. */
function send(eventName: string, requestParameters: object): void {
  events += 1
  const eventTime = new Date().toISOString()
  const detail = {
    ...{ eventVersion: '1.11', eventTime, eventSource: 'organizations.amazonaws.com', eventName },
    ...{ awsRegion: 'us-east-1', eventID: `event-${events}`, readOnly: false, eventType: 'AwsApiCall' },
    ...{ recipientAccountId: accounts.hub, requestParameters, responseElements: null },
  }
  const source = { source: 'aws.organizations', account: accounts.hub, region: 'us-east-1', time: eventTime }
  aws.sqs.put(
    url,
    JSON.stringify({
      version: '0',
      id: `${events}`,
      'detail-type': 'AWS API Call via CloudTrail',
      ...source,
      resources: [],
      detail,
    }),
  )
}

async function scope(name: string): Promise<InventoryScope | undefined> {
  const { scopes } = await company.api<{ scopes: InventoryScope[] }>('dave', 'GET', '/api/v1/inventory/scopes')
  return scopes.find((one) => one.scope === name)
}

const allRead = () => waitUntil(() => queue.messages.length === 0, 'the queue is empty', 20_000)

await t.test('a tag is in the catalog seconds after its event', async (t) => {
  await put({ inventory }, 1)
  await waitUntil(
    async () => (await accountSeen())?.tags.team === 'payments',
    'the organization is read',
    20_000,
    lookEveryMs,
  )
  const before = await scope('organization')
  account.tags = { team: 'ledger' }
  send('TagResource', { resourceId: accounts.data, tags: [{ key: 'team', value: 'ledger' }] })
  await waitUntil(
    async () => (await accountSeen())?.tags.team === 'ledger',
    'the tag is in the catalog',
    20_000,
    lookEveryMs,
  )
  await allRead()
  t.equal((await scope('organization'))?.triedAt, before?.triedAt, 'one account was read, not all of them')
})

await t.test('a forged event changes nothing, and one that cannot be read waits for its dead letters', async (t) => {
  const before = await accountSeen()
  send('TagResource', { resourceId: accounts.data, tags: [{ key: 'team', value: 'attackers' }] })
  send('MoveAccount', { accountId: accounts.data, destinationParentId: units.sandbox })
  send('TagResource', { resourceId: '999999999999' })
  aws.sqs.put(url, '{"team": "attackers"}')
  await waitUntil(() => queue.messages.length === 1, 'all but one are removed', 20_000)
  t.same(await accountSeen(), before)
  const { events: changes } = await company.api<{ events: { fields: object }[] }>(
    'carol',
    'GET',
    '/api/v1/audit/events?type=inventory.changed',
  )
  t.match(changes[0], { fields: { changed: [`account/${accounts.data}`] } }, 'the last change is the one before')
  queue.messages.length = 0
})

await t.test('a change that loosens gives nothing to a grant; one that tightens ends its session', async (t) => {
  const access = good.access?.map((rule) => ({ ...rule, what: { ...rule.what, account_tags: { team: 'ledger' } } }))
  await put({ inventory, ...(access ? { access } : {}) }, 2)
  await company.grant()
  const { client } = await openDatabase(company)
  const ended = new Promise<Error>((resolve) => client.once('error', resolve))
  account.tags = { team: 'ledger', env: 'prod' }
  send('TagResource', { resourceId: accounts.data })
  await waitUntil(
    async () => (await accountSeen())?.tags.env === 'prod',
    'the wider tags are in the catalog',
    20_000,
    lookEveryMs,
  )
  t.equal((await client.query('select 1')).rowCount, 1)
  account.tags = { env: 'prod' }
  const sentAt = performance.now()
  send('UntagResource', { resourceId: accounts.data, tagKeys: ['team'] })
  t.match((await ended).message, /by|rule/)
  t.ok(performance.now() - sentAt < 20_000, `within ${Math.round(performance.now() - sentAt)} ms`)
  await allRead()
})

await t.test('a queue that is gone is said, with its fix, and the organization is read as before', async (t) => {
  t.match(await scope('events'), { state: 'good', error: null })
  const { queues } = aws.world
  aws.world.queues = [dead]
  await waitUntil(async () => (await scope('events'))?.state === 'failed', 'it is said', 40_000, lookEveryMs)
  t.match(await scope('events'), { error: /there is no queue sallyport-events/, fix: /inventory.events.queue/ })
  const { code, stdout } = await company.commands.dave.run(['sync'])
  t.equal(code, 0, stdout)
  aws.world.queues = queues ?? []
  account.tags = { team: 'ledger' }
  send('TagResource', { resourceId: accounts.data })
  await waitUntil(
    async () => (await accountSeen())?.tags.team === 'ledger',
    'events are followed again',
    40_000,
    lookEveryMs,
  )
  await waitUntil(async () => (await scope('events'))?.state === 'good', 'and that is said', 20_000, lookEveryMs)
})

await t.test('sallyport aws validate sends a probe through, and shows the delay', async (t) => {
  const { stdout } = await company.commands.dave.run(['aws', 'validate'])
  t.match(stdout, /^events, queue https:\/\/sqs\.eu-west-1\.\S+sallyport-events$/m)
  t.match(stdout, /^ {2}ok {6}a probe came through after \d+\.\d s$/m)
})

await t.test('metrics: what became of messages, and how long it took', async (t) => {
  const text = await (await fetch(`${company.daemon.metricsUrl}/metrics`)).text()
  t.match(text, /^sallyport_inventory_messages_total\{outcome="read"\} [1-9]/m)
  t.match(text, /^sallyport_inventory_messages_total\{outcome="unreadable"\} 1$/m)
  t.match(text, /^sallyport_inventory_event_seconds_count [1-9]/m)
})
