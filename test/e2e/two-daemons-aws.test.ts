/** Credentials of a role from two daemons: what is taken away at one is dead whichever issued it, and the one that leads says so once. */
import t from 'tap'
import { arns, shellInstance } from '../sandbox/default-world.ts'
import { noPty } from '../sandbox/ssm/shell.ts'
import { waitUntil } from '../wait-until.ts'
import { type AwsKeys, listBuckets } from './aws-tool.ts'
import type { Door } from './company.ts'
import { openShell, openWatch } from './shell-client.ts'
import { startTwoDaemons } from './two-daemons.ts'

t.setTimeout(300_000)
const two = await startTwoDaemons({ sandbox: { shells: noPty === false } })
t.teardown(() => two.close())
const { a, b } = two.at
const endpoint = two.sandbox.aws.url
const withinMs = 30_000

interface Issued extends AwsKeys {
  readonly session: string
}

const ask = { resource: 'ReportsReader', level: 'readonly' }
const issue = (door: Door) => door.api<Issued>('alice', 'POST', '/api/v1/aws/credentials', ask)
const statusAt = async (door: Door) => (await door.call('alice', 'POST', '/api/v1/aws/credentials', ask)).status

const denyList = () => {
  const policy = two.sandbox.aws.world.managedPolicies.find(({ arn }) => arn === arns.revocations)
  return JSON.stringify(policy?.versions.find(({ id }) => id === policy.defaultVersion)?.document)
}

/** Sessions of which the log tells that their credentials are dead, one entry for each event. */
const killed = async () =>
  (
    await b.api<{ events: { fields: { session: string } }[] }>(
      'carol',
      'GET',
      '/api/v1/audit/events?type=credentials.killed',
    )
  ).events.map(({ fields }) => fields.session)
const killedAll = (...sessions: string[]) =>
  waitUntil(
    async () => {
      const told = await killed()
      return sessions.every((one) => told.includes(one))
    },
    'killed',
    withinMs,
    100,
  )

const areDead = async (keys: readonly Issued[]) => {
  for (const one of keys) await t.rejects(listBuckets(endpoint, one), { name: 'AccessDenied' }, one.session)
}

await t.test('a shell at one is watched at the other', { skip: noPty }, async (t) => {
  await a.grant(3_600_000, shellInstance)
  const origin = `http://127.0.0.1:${two.balancer.ports[0]}`
  const shell = await openShell({ ...a, daemon: two.daemons.a }, { origin })
  await shell.shows(/\$ /)
  const session = /ses_[0-9a-z]{26}/.exec(two.sandbox.aws.ssm.sessions.at(-1)?.reason ?? '')?.[0] ?? ''
  const carol = await openWatch({ door: b, who: 'carol', session, url: two.daemons.b.url, origin })
  await shell.hears('carol@example.com watches this session')
  shell.type('echo across$((1+1))\r')
  await carol.shows('across2')
  await shell.leave()
  t.match(await carol.closes(), { code: 1000 })
})

await t.test('a grant that is revoked at one: nothing new at either, and what both have issued is dead', async (t) => {
  const { id } = await a.grant(3_600_000, 'ReportsReader')
  const keys = [await issue(a), await issue(b)]
  for (const one of keys) t.equal((await listBuckets(endpoint, one)).length, 2, 'they work')
  t.not(keys[0]?.session, keys[1]?.session, 'each daemon has sessions of its own')
  await b.api('bob', 'POST', `/api/v1/grants/${id}/revoke`, { reason: 'incident 42' })
  for (const door of [b, a]) await waitUntil(async () => (await statusAt(door)) === 403, 'refused', 1000, 50)
  const sessions = keys.map(({ session }) => session)
  await killedAll(...sessions)
  await areDead(keys)
  t.match(denyList(), new RegExp(id))
  t.same((await killed()).sort(), sessions.sort(), 'each is told once')
})

await t.test(
  'two sessions are killed at once, each at the daemon that did not issue it: neither kill is lost',
  async (t) => {
    const { id } = await a.grant(7_200_000, 'ReportsReader')
    const [atA, atB] = [await issue(a), await issue(b)]
    const kill = (door: Door, { session }: Issued) =>
      door.api('dave', 'POST', `/api/v1/sessions/${session}/kill`, { reason: 'looked odd' })
    await Promise.all([kill(a, atB), kill(b, atA)])
    await killedAll(atA.session, atB.session)
    await areDead([atA, atB])
    for (const { session } of [atA, atB]) {
      t.match(denyList(), new RegExp(session))
      t.equal((await killed()).filter((one) => one === session).length, 1, 'told once')
    }
    await a.api('bob', 'POST', `/api/v1/grants/${id}/revoke`, { reason: 'enough' })
  },
)

await t.test('the one that leads dies: what is revoked then is dead once the other leads', async (t) => {
  const { id } = await b.grant(3_600_000, 'ReportsReader')
  const keys = await issue(b)
  two.balancer.to('b')
  two.daemons.a.signal('SIGKILL')
  await two.daemons.a.exited
  await b.api('bob', 'POST', `/api/v1/grants/${id}/revoke`, { reason: 'incident 43' })
  t.equal(await statusAt(b), 403)
  await killedAll(keys.session)
  await areDead([keys])
})
