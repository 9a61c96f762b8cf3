/** Data keys of KMS by signed requests, against an AWS that refuses what AWS refuses. */
import t, { type Test } from 'tap'
import { createDataKeys } from '../../../src/aws/data-keys.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'
import { startAws } from '../../sandbox/aws.ts'
import { createClock } from '../../sandbox/clock.ts'
import { arns, createWorld, shellKey } from '../../sandbox/default-world.ts'

const context = { 'aws:ssm:SessionId': 'sp-alice-0', 'aws:ssm:TargetId': 'i-1' }

async function start(t: Test) {
  const clock = createClock()
  const world = createWorld()
  const double = await startAws({ world, clock })
  t.teardown(() => double.close())
  const role = world.roles.find(({ arn }) => arn === arns.shells)
  if (!role) throw new Error('no role')
  const now = clock.now()
  const session = { roleArn: role.arn, name: 'sp-alice', issuedAt: now, expiresAt: now + 3_600_000, policy: null }
  const more = { tags: {}, transitiveTagKeys: [], sourceIdentity: null, isChained: true }
  const { accessKeyId, secretAccessKey, session: issued } = double.callers.issue(role, { ...session, ...more })
  const credentials = { accessKeyId, secretAccessKey, sessionToken: issued?.token ?? '', expiresAt: now + 3_600_000 }
  const metrics = createMetrics()
  const dataKeys = createDataKeys({ config: { endpoints: { kms: double.url } }, metrics })
  return {
    double,
    dataKey: (key: string, of: Readonly<Record<string, string>> = context) =>
      dataKeys(credentials, { key, context: of }),
    outcomes: async () => (await metrics.registry.metrics()).match(/aws_calls_total\{.*/g) ?? [],
  }
}

t.test('64 bytes, which KMS decrypts in the same context alone', async (t) => {
  const { double, dataKey, outcomes } = await start(t)
  const { plaintext, ciphertext } = await dataKey(shellKey)
  t.equal(plaintext.length, 64)
  const { decrypt } = double.kms.key(shellKey)
  t.same(decrypt(Buffer.from(ciphertext), { ...context })?.toString('hex'), Buffer.from(plaintext).toString('hex'))
  t.equal(decrypt(Buffer.from(ciphertext), { ...context, 'aws:ssm:TargetId': 'i-2' }), null)
  t.match(double.calls.at(-1), { action: 'GenerateDataKey', outcome: 'ok', parameters: { KeyId: shellKey } })
  t.match(await outcomes(), [/service="kms".*outcome="ok".* 1/])
})

t.test('what KMS refuses is told with what to do, and is not tried again', async (t) => {
  const { double, dataKey } = await start(t)
  await t.rejects(dataKey(`${shellKey}0`), { code: 'AWS_DENIED', message: /cannot be used \(NotFound\)/, hint: /\S/ })
  const another = dataKey(shellKey, { ...context, 'aws:ssm:SessionId': 'mallory-0' })
  await t.rejects(another, { code: 'AWS_DENIED', message: /kms:GenerateDataKey is not allowed on arn/, hint: /\S/ })
  t.equal(double.calls.length, 2)
})

t.test('a throttle is tried again; one that stays, and a network that fails, is an error', async (t) => {
  const { double, dataKey } = await start(t)
  double.faults.throttle(2)
  t.equal((await dataKey(shellKey)).plaintext.length, 64)
  double.faults.throttle(3)
  await t.rejects(dataKey(shellKey), { code: 'AWS_UNAVAILABLE', message: /KMS is throttling/ })
  await double.close()
  await t.rejects(dataKey(shellKey), { code: 'AWS_UNAVAILABLE', message: /KMS did not answer/ })
})
