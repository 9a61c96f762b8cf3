/** Session Manager by its client, against an AWS that refuses what AWS refuses. */
import t, { type Test } from 'tap'
import { createSessionManagers } from '../../../src/aws/session-manager.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'
import type { World } from '../../sandbox/aws/world.ts'
import { startAws } from '../../sandbox/aws.ts'
import { createClock } from '../../sandbox/clock.ts'
import { accounts, allow, arns, bastions, createWorld, region } from '../../sandbox/default-world.ts'

const ask = {
  target: bastions.first,
  document: 'Sallyport-PortDatabase',
  parameters: { host: 'orders.abc123.eu-west-1.rds.amazonaws.com', portNumber: '5432' },
}

async function start(t: Test, change: (world: World) => void = () => {}) {
  const clock = createClock()
  const world = createWorld()
  change(world)
  const double = await startAws({ world, clock })
  t.teardown(() => double.close())
  const role = world.roles.find(({ arn }) => arn === arns.reach)
  if (!role) throw new Error('no role')
  const now = clock.now()
  const session = { roleArn: role.arn, name: 'sp-reach', issuedAt: now, expiresAt: now + 3_600_000, policy: null }
  const more = { tags: {}, transitiveTagKeys: [], sourceIdentity: null, isChained: true }
  const caller = double.callers.issue(role, { ...session, ...more })
  const { accessKeyId, secretAccessKey } = caller
  const sessionToken = caller.session?.token ?? ''
  const metrics = createMetrics()
  const at = createSessionManagers({ config: { endpoints: { ssm: double.url } }, metrics })
  const credentials = async () => ({ accessKeyId, secretAccessKey, sessionToken, expiresAt: now + 3_600_000 })
  const ssm = at(region, credentials)
  const outcomes = async () => (await metrics.registry.metrics()).match(/aws_calls_total\{.*/g) ?? []
  return { double, role, ssm, caller, outcomes }
}

t.test('started, resumed, listed, terminated; and then it is over', async (t) => {
  const { double, ssm, caller, outcomes } = await start(t)
  const { sessionId, streamUrl, token } = await ssm.start({ ...ask, reason: 'x'.repeat(300) })
  t.match(sessionId, /^sp-reach-/)
  t.match(streamUrl, /^ws:.*role=publish_subscribe/)
  t.ok(token)
  const resumed = await ssm.resume(sessionId)
  t.ok(resumed && resumed.token !== token)
  for (let count = 0; count < 3; count += 1) await ssm.start(ask)
  const active = await ssm.active(caller.arn)
  t.equal(active.length, 4, 'of all pages')
  t.match(active[0], { sessionId, target: ask.target, document: ask.document, startedAt: Number, reason: /^x{256}$/ })
  t.same(await ssm.active(`${caller.arn}-of-another`), [])
  await ssm.terminate(sessionId)
  t.notOk(double.ssm.isActive(sessionId))
  t.equal(await ssm.resume(sessionId), null)
  await t.resolves(ssm.terminate(sessionId), 'again')
  t.match(await outcomes(), [/StartSession.*outcome="ok".* 4/, /ResumeSession/, /DescribeSessions/, /TerminateSession/])
})

t.test('a session that AWS does not know is over', async (t) => {
  const { ssm } = await start(t)
  t.equal(await ssm.resume('sp-reach-0'), null)
  await t.resolves(ssm.terminate('sp-reach-0'))
})

t.test('the default version of a document, by a digest that its form does not change', async (t) => {
  const { ssm, double } = await start(t, ({ roles }) => {
    roles.find(({ arn }) => arn === arns.reach)?.policies.push(allow('ssm:GetDocument', '*'))
  })
  const before = await ssm.document(ask.document)
  t.match(JSON.parse(before.content), { sessionType: 'Port' })
  const [document] = double.world.sessionDocuments
  const [version] = document?.versions ?? []
  if (!document || !version) throw new Error('no document')
  document.versions.push(Object.fromEntries(Object.entries(version).reverse()) as unknown as typeof version)
  t.not((await ssm.document(ask.document)).content, before.content)
  t.equal((await ssm.document(ask.document)).digest, before.digest)
  document.versions.push({ ...version, properties: { ...version.properties, host: 'localhost' } })
  t.not((await ssm.document(ask.document)).digest, before.digest)
  await t.rejects(ssm.document('Sallyport-Other'), { code: 'AWS_DENIED', message: /no such session document/ })
})

t.test('what AWS refuses is said in plain words', async (t) => {
  const { ssm, double, role, outcomes } = await start(t)
  const [instance] = double.world.instances
  if (!instance) throw new Error('no instance')
  instance.isOnline = false
  const offline = { code: 'TARGET_UNREACHABLE', message: /SSM agent of i-\w+ is not connected/, hint: /instance/ }
  await t.rejects(ssm.start(ask), offline)
  const elsewhere = { ...ask, parameters: { ...ask.parameters, host: '169.254.169.254' } }
  await t.rejects(ssm.start(elsewhere), { code: 'AWS_DENIED', message: /allowedPattern/ })
  role.policies = [allow('ssm:StartSession', `arn:aws:ec2:*:${accounts.data}:instance/*`)]
  await t.rejects(ssm.start(ask), {
    code: 'AWS_DENIED',
    message: /ssm:StartSession is not allowed on arn:\S+:document\//,
  })
  await t.rejects(ssm.terminate('sp-reach-0'), { code: 'AWS_DENIED', message: /ssm:TerminateSession is not allowed/ })
  double.faults.fail('StartSession', 'ExpiredTokenException')
  await t.rejects(ssm.start(ask), { code: 'AWS_DENIED', message: /does not accept the credentials/ })
  double.faults.clear()
  double.faults.fail('StartSession', 'ThrottlingException')
  await t.rejects(ssm.start(ask), { code: 'AWS_UNAVAILABLE', message: /throttling|throttled/ })
  double.faults.clear()
  double.faults.fail('StartSession', 'InternalServerError')
  await t.rejects(ssm.start(ask), { code: 'AWS_UNAVAILABLE', message: /InternalServerError/ })
  const counts = await outcomes()
  for (const outcome of ['denied', 'throttled', 'error'])
    t.ok(
      counts.some((line) => line.includes(`StartSession",outcome="${outcome}"`)),
      outcome,
    )
})
