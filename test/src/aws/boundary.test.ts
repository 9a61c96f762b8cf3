import { pino } from 'pino'
import t, { type Test } from 'tap'
import { BrokerError } from '../../../proxy/session.ts'
import { createBoundary } from '../../../src/aws/boundary.ts'
import { createAws } from '../../../src/aws/create-aws.ts'
import type { Config } from '../../../src/config/config.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'
import { startAws } from '../../sandbox/aws.ts'
import { createClock } from '../../sandbox/clock.ts'
import { accounts, arns, computeKeys, createWorld, externalId, region } from '../../sandbox/default-world.ts'

// The default provider chain looks here first.
process.env.AWS_ACCESS_KEY_ID = computeKeys.accessKeyId
process.env.AWS_SECRET_ACCESS_KEY = computeKeys.secretAccessKey
for (const name of ['AWS_SESSION_TOKEN', 'AWS_PROFILE']) delete process.env[name]

const place = { partition: 'aws', account: accounts.data }
const minute = 60_000

async function start(t: Test, change: Partial<Config['aws']> = {}) {
  const leader = { check: () => {} }
  const clock = createClock()
  const double = await startAws({ world: createWorld(), clock })
  t.teardown(() => double.close())
  const config = {
    hubRoleArn: arns.hub,
    connectRole: 'sallyport/SallyportConnect',
    externalId: null,
    reachRole: 'sallyport-reach',
    revocationPolicy: 'sallyport/SallyportRevocations',
    regions: [region],
    accounts: {},
    endpoints: { '*': double.url },
    ...change,
  }
  const shared = { config, clock, leader, metrics: createMetrics(), logger: pino({ level: 'silent' }) }
  const boundary = createBoundary({ ...shared, aws: createAws({ ...shared, externalId }) })
  const policy = double.world.managedPolicies.find(({ arn }) => arn === arns.revocations)
  if (!policy) throw new Error('no policy')
  const text = () => JSON.stringify(policy.versions.find(({ id }) => id === policy.defaultVersion)?.document)
  const grant = (id: string, minutes = 60) => ({ by: 'grant' as const, id, until: clock.now() + minutes * minute })
  const another = () => createBoundary({ ...shared, aws: createAws({ ...shared, externalId }) })
  return { boundary, another, clock, double, leader, policy, text, grant }
}

t.test('a denial is a new version; the same again is none; both say when the next may go', async (t) => {
  const { boundary, grant, text } = await start(t)
  const first = await boundary.deny(place, [grant('grt_a')])
  t.match(first, { arn: arns.revocations, version: 'v2', isNew: true, nextEndsAt: Number })
  t.match(text(), /grt_a/)
  t.same(await boundary.deny(place, [grant('grt_a')]), { ...first, isNew: false, added: [] })
})

t.test('many at once: one after the other, all of them in the end, and never a sixth version', async (t) => {
  const { boundary, grant, text, policy } = await start(t)
  await Promise.all(Array.from({ length: 12 }, (_, i) => boundary.deny(place, [grant(`grt_${i}.`)])))
  for (let i = 0; i < 12; i++) t.ok(text().includes(`grt_${i}.`))
  t.equal(policy.versions.length, 5)
  t.equal(policy.defaultVersion, 'v13')
})

t.test('entries that ran out are dropped, and nothing is left to come back for', async (t) => {
  const { boundary, clock, grant, text } = await start(t)
  await boundary.deny(place, [grant('grt_a', 5), grant('grt_b', 25)])
  clock.advance(21 * minute) // entries end with a quarter of an hour
  const later = await boundary.deny(place, [])
  t.ok(later.isNew)
  t.notMatch(text(), /grt_a/)
  t.match(text(), /grt_b/)
  clock.advance(21 * minute)
  t.match(await boundary.deny(place, []), { isNew: true, nextEndsAt: null })
  t.match(text(), /"Ceiling"/)
})

t.test('a list that is full is said, and stays as it was', async (t) => {
  const { boundary, grant, text } = await start(t)
  const many = Array.from({ length: 200 }, (_, i) => grant(`grt_${String(i).padStart(26, '0')}`))
  await boundary.deny(place, many.slice(0, 100))
  const before = text()
  await t.rejects(boundary.deny(place, many), { code: 'LIMIT_REACHED', message: /deny list .* is full/ })
  t.equal(text(), before)
  await boundary.deny(place, [grant('grt_x')])
  t.match(text(), /grt_x/, 'the next that fits is taken')
})

t.test('no such policy; no permission: each with what to do', async (t) => {
  const missing = await start(t, { revocationPolicy: 'Other' })
  await t.rejects(missing.boundary.deny(place, [missing.grant('grt_a')]), {
    code: 'AWS_DENIED',
    message: /GetPolicy is not allowed/,
    hint: /aws policies --feature revocation/,
  })
  const gone = await start(t)
  gone.double.world.managedPolicies.splice(0)
  await t.rejects(gone.boundary.deny(place, [gone.grant('grt_a')]), { code: 'AWS_DENIED', message: /no such policy/ })
  const denied = await start(t)
  denied.double.faults.deny('iam:DeletePolicyVersion')
  for (let i = 0; i < 4; i++) await denied.boundary.deny(place, [denied.grant(`grt_${i}`)])
  await t.rejects(denied.boundary.deny(place, [denied.grant('grt_9')]), {
    message: /iam:DeletePolicyVersion is not allowed/,
  })
})

t.test('a daemon that no longer leads changes nothing, whatever it had begun', async (t) => {
  const { boundary, grant, leader, policy, text } = await start(t)
  await boundary.deny(place, [grant('grt_a')])
  const before = [policy.versions.length, text()]
  leader.check = () => {
    throw new BrokerError('NOT_LEADER')
  }
  await t.rejects(boundary.deny(place, [grant('grt_b')]), { code: 'NOT_LEADER' })
  t.same([policy.versions.length, text()], before)
  t.match(await boundary.deny(place, [grant('grt_a')]), { isNew: false }, 'reading is for everyone')
})

t.test(
  'a leader that was stopped between its check and its call: what it writes over is found and written again',
  async (t) => {
    const { boundary, another, double, grant, text } = await start(t)
    const written = () => double.calls.filter(({ action }) => action === 'CreatePolicyVersion').length
    const held = double.faults.hold('CreatePolicyVersion')
    const late = boundary.deny(place, [grant('grt_a')])
    await held.waits
    const next = another()
    t.match(await next.deny(place, [grant('grt_b')]), { isNew: true, added: [{ id: 'grt_b' }] })
    held.letGo()
    await late
    t.notMatch(text(), /grt_b/, 'its list was read before')
    const again = await next.deny(place, [grant('grt_b')])
    t.match(again, { isNew: true, added: [{ id: 'grt_b' }] })
    for (const id of [/grt_a/, /grt_b/]) t.match(text(), id)
    t.equal(written(), 3)
    t.match(await next.deny(place, [grant('grt_b')]), { isNew: false, added: [] })
    t.equal(written(), 3)
  },
)
