/** Events of AWS with two daemons: what the one that leads had in hand when it stood still, or died, the other one follows. */
import t from 'tap'
import type { ResourceView } from '../../src/contract/resources.ts'
import { skipInShortRun } from '../long.ts'
import { accounts } from '../sandbox/default-world.ts'
import { addEventQueue } from '../sandbox/events-world.ts'
import { createOrganization } from '../sandbox/organization-world.ts'
import { waitFor, waitUntil } from '../wait-until.ts'
import { type DaemonName, daemonNames, startTwoDaemons } from './two-daemons.ts'

t.setTimeout(300_000)
const url = `https://sqs.eu-west-1.amazonaws.com/${accounts.hub}/sallyport-events`
const two = await startTwoDaemons({
  overrides: { inventory: { organization: true, every: '24h', events: { queue: url } } },
})
t.teardown(() => two.close())
const { aws, clock } = two.sandbox
const organization = createOrganization()
aws.world.organization = organization
const { queue, ...made } = addEventQueue(aws.world)
t.equal(made.url, url)
const account = organization.accounts.find(({ id }) => id === accounts.data)
if (!account) throw new Error('the account is in the organization')
const withinMs = 60_000
/** Longer than a message is hidden. */
const hiddenMs = 61_000

const leader = (among: readonly DaemonName[] = daemonNames) =>
  waitFor(
    async () => {
      for (const name of among) {
        const text = await fetch(`${two.daemons[name].metricsUrl}/metrics`).then(
          (answer) => answer.text(),
          () => '',
        )
        if (/^sallyport_is_leader 1$/m.test(text)) return name
      }
      return undefined
    },
    'one of them leads',
    withinMs,
    200,
  )

const teamAt = async (name: DaemonName) => {
  const path = '/api/v1/resources?kind=account'
  const { resources } = await two.at[name].api<{ resources: ResourceView[] }>('carol', 'GET', path)
  return resources.find(({ id }) => id === `account/${accounts.data}`)?.tags.team
}

/** @param id of the event: what has one of before is a copy */
function send(id: string): void {
  const eventTime = new Date().toISOString()
  const detail = {
    ...{ eventTime, eventSource: 'organizations.amazonaws.com', eventName: 'TagResource', awsRegion: 'us-east-1' },
    ...{ eventID: id, readOnly: false, recipientAccountId: accounts.hub },
    ...{ requestParameters: { resourceId: accounts.data }, responseElements: null },
  }
  const event = { id, 'detail-type': 'AWS API Call via CloudTrail', source: 'aws.organizations', detail }
  aws.sqs.put(url, JSON.stringify(event))
}

const other = (name: DaemonName): DaemonName => (name === 'a' ? 'b' : 'a')

await t.test('the catalog follows at both', async (t) => {
  const first = await leader()
  await two.at[first].commands.dave.run(['sync'])
  for (const name of daemonNames)
    await waitUntil(async () => (await teamAt(name)) === 'payments', `read at ${name}`, withinMs, 100)
  account.tags = { team: 'one' }
  send('one')
  for (const name of daemonNames)
    await waitUntil(async () => (await teamAt(name)) === 'one', `followed at ${name}`, withinMs, 100)
  await waitUntil(() => queue.messages.length === 0, 'the message is removed')
  t.pass()
})

for (const [how, signal] of [
  ['stands still', 'SIGSTOP'],
  ['is killed', 'SIGKILL'],
] as const)
  await t.test(
    `the one that leads ${how} amid a batch: nothing is lost`,
    { skip: signal === 'SIGSTOP' && skipInShortRun },
    async (t) => {
      const first = await leader()
      const second = other(first)
      const held = aws.faults.hold('DescribeAccount')
      const ids = ['x', 'y', 'z'].map((id) => `${how} ${id}`)
      for (const id of ids) send(id)
      await held.waits
      account.tags = { team: how }
      two.daemons[first].signal(signal)
      t.teardown(() => two.daemons[first].signal('SIGCONT'))
      held.letGo()
      t.ok(queue.messages.length >= 1, 'what is not read yet is not removed')
      t.equal(await leader([second]), second)
      // The poll of a process that stands still takes messages too, until SQS gives it up.
      if (signal === 'SIGSTOP') await waitUntil(() => aws.sqs.polls === 2, 'both wait for messages', withinMs)
      await waitUntil(() => aws.sqs.polls === 1, 'only one still does', withinMs)
      clock.advance(hiddenMs)
      await waitUntil(async () => (await teamAt(second)) === how, `followed at ${second}`, withinMs, 100)
      await waitUntil(() => queue.messages.length === 0, 'all are removed', withinMs, 100)
      if (signal === 'SIGSTOP') two.daemons[first].signal('SIGCONT')
      else await two.start(first)
      await waitUntil(async () => (await teamAt(first)) === how, `and at ${first}`, withinMs, 100)
      send(`${how} after`)
      await waitUntil(() => queue.messages.length === 0, 'one reads on', withinMs, 100)
    },
  )
