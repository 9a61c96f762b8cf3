import { createHash } from 'node:crypto'
/** The broker's way into an account, against an STS that refuses what AWS refuses. */
import { pino } from 'pino'
import t, { type Test } from 'tap'
import type { SessionAsk } from '../../../src/aws/aws.ts'
import { createAws } from '../../../src/aws/create-aws.ts'
import type { Config } from '../../../src/config/config.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'
import { startAws } from '../../sandbox/aws.ts'
import { createClock } from '../../sandbox/clock.ts'
import { accounts, arns, computeKeys, createWorld, externalId, instances, region } from '../../sandbox/default-world.ts'

const ask: SessionAsk = {
  partition: 'aws',
  account: accounts.data,
  role: arns.databases,
  person: 'alice@example.com',
  grantId: 'grt_1',
  requestId: 'req_1',
  policy: JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Action: 'rds-db:connect',
        Resource: `arn:aws:rds-db:${region}:${accounts.data}:dbuser:${instances.orders.resourceId}/sallyport_ro`,
      },
    ],
  }),
  until: Date.now() + 3_600_000,
  idToken: () => Promise.reject(new Error('the hub needs none')),
}

// The default provider chain looks here first.
process.env.AWS_ACCESS_KEY_ID = computeKeys.accessKeyId
process.env.AWS_SECRET_ACCESS_KEY = computeKeys.secretAccessKey
for (const name of ['AWS_SESSION_TOKEN', 'AWS_PROFILE']) delete process.env[name]

async function start(t: Test, options: { externalId?: string; config?: Partial<Config['aws']> } = {}) {
  const clock = createClock()
  const double = await startAws({ world: createWorld(), clock })
  t.teardown(() => double.close())
  const metrics = createMetrics()
  const aws = createAws({
    config: {
      hubRoleArn: arns.hub,
      connectRole: 'sallyport/SallyportConnect',
      externalId: null,
      revocationPolicy: 'sallyport/SallyportRevocations',
      regions: [region],
      accounts: { [accounts.data]: { connectRole: null } },
      endpoints: { '*': double.url },
      ...options.config,
    } as Config['aws'],
    externalId: options.externalId ?? externalId,
    clock,
    logger: pino({ level: 'silent' }),
    metrics,
  })
  const outcomes = async () => {
    const { values } = await metrics.awsCallsTotal.get()
    return Object.fromEntries(values.map(({ labels, value }) => [labels.outcome, value]))
  }
  return { aws, double, clock, outcomes }
}

t.test('hub, spoke and the role of the target: who and why are on the last hop, and nowhere else', async (t) => {
  const { aws, double, outcomes } = await start(t)
  const credentials = await aws.session(ask)
  t.match(credentials, { accessKeyId: /^ASIA/, secretAccessKey: /.{20}/, sessionToken: /.{100}/ })
  const hops = double.calls.map(({ parameters, outcome }) => [parameters.RoleArn, outcome])
  t.same(hops, [
    [arns.hub, 'ok'],
    [arns.connect, 'ok'],
    [arns.databases, 'ok'],
  ])
  const [hub, spoke, last] = double.calls.map(({ assumeRole }) => assumeRole)
  for (const hop of [hub, spoke]) t.match(hop, { externalId, sourceIdentity: null, policy: null })
  t.match(last, { sessionName: 'alice@example.com', sourceIdentity: 'alice@example.com' })
  t.same(last?.tags, {
    'sallyport:user': 'alice@example.com',
    'sallyport:grant': 'grt_1',
    'sallyport:request': 'req_1',
  })
  const caller = double.callers.find(credentials.accessKeyId)
  t.equal(caller?.session?.sourceIdentity, 'alice@example.com')
  t.ok(credentials.expiresAt - Date.now() <= 3_600_000, 'a chained role has an hour at most')
  t.same(await outcomes(), { ok: 3 })
})

t.test(
  'transitive tags and SourceIdentity only where they are wanted; session, managed policies and length as asked',
  async (t) => {
    const { aws, double, clock } = await start(t)
    const last = () => double.calls.at(-1)?.assumeRole
    const managed = ['arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess']
    const more = { sessionId: 'ses_1', policy: null, policyArns: managed, isTransitive: true, longestMs: 1_800_000 }
    const given = await aws.session({ ...ask, ...more, role: arns.reports, until: clock.now() + 7_200_000 })
    t.match(last(), {
      tags: { 'sallyport:session': 'ses_1' },
      transitiveTagKeys: ['sallyport:grant', 'sallyport:session'],
      policy: null,
      policyArns: managed,
      durationSeconds: 1800,
    })
    t.equal(given.sourceIdentity, 'alice@example.com')
    await aws.session({ ...ask, role: arns.databases, until: clock.now() + 60_000 })
    t.match(last(), { transitiveTagKeys: [], policyArns: [], durationSeconds: 900 })
    const role = double.world.roles.find(({ arn }) => arn === arns.deploy)
    if (!role) throw new Error('no such role')
    role.trust = JSON.parse(
      JSON.stringify(role.trust).replace('"sts:SourceIdentity":"?*",', '').replace(',"sts:SetSourceIdentity"', ''),
    )
    await t.rejects(aws.session({ ...ask, role: arns.deploy }), {
      code: 'AWS_DENIED',
      message: /sts:SetSourceIdentity is not allowed/,
    })
    const plain = await aws.session({ ...ask, role: arns.deploy, hasSourceIdentity: false })
    t.equal(plain.sourceIdentity, undefined)
    t.equal(last()?.sourceIdentity, null)
  },
)

t.test('more than the space that STS has for policies and tags', async (t) => {
  const { aws } = await start(t)
  const noise = Array.from(
    { length: 40 },
    (_, i) => `arn:aws:s3:::${createHash('sha256').update(`${i}`).digest('base64url').slice(0, 40)}`,
  )
  const policy = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: noise.slice(0, 34) }],
  })
  t.ok(policy.length <= 2048)
  await t.rejects(aws.session({ ...ask, policy }), { code: 'AWS_DENIED', message: /Packed size/, hint: /Shorten/ })
})

t.test('without a role of its own, the spoke role itself is the last hop', async (t) => {
  const { aws, double } = await start(t)
  await aws.session({ ...ask, role: null })
  t.same(
    double.calls.map(({ parameters }) => parameters.RoleArn),
    [arns.hub, arns.connect],
  )
  t.match(double.calls[1]?.assumeRole, { externalId, sourceIdentity: 'alice@example.com' })
})

t.test('credentials of hub and spoke are kept, and asked for once by many', async (t) => {
  const { aws, double } = await start(t)
  await Promise.all(Array.from({ length: 20 }, (_, i) => aws.session({ ...ask, grantId: `grt_${i}` })))
  const count = (arn: string) => double.calls.filter(({ parameters }) => parameters.RoleArn === arn).length
  t.same([count(arns.hub), count(arns.connect), count(arns.databases)], [1, 1, 20])
})

t.test(
  'the ExternalId of another installation opens nothing, and the operator is told which role to mend',
  async (t) => {
    const { aws, double, outcomes } = await start(t, { externalId: 'another-installation' })
    await t.rejects(aws.session(ask), {
      code: 'AWS_DENIED',
      message: new RegExp(`the hub role ${arns.hub}`),
      hint: /ExternalId/,
    })
    t.equal(double.calls.length, 1)
    t.same(await outcomes(), { denied: 1 })
  },
)

t.test('a role that does not trust the spoke', async (t) => {
  const { aws } = await start(t)
  const role = arns.databases.replace('SallyportDatabases', 'Admin')
  await t.rejects(aws.session({ ...ask, role }), {
    code: 'AWS_DENIED',
    message: new RegExp(`the role of the target ${role}`),
    hint: /sts:TagSession and sts:SetSourceIdentity/,
  })
})

t.test('a session policy that STS refuses', async (t) => {
  const { aws } = await start(t)
  await t.rejects(aws.session({ ...ask, policy: '{' }), { code: 'AWS_DENIED', hint: /session policy/ })
  await t.rejects(aws.session({ ...ask, policy: (ask.policy ?? '').padEnd(2049) }), {
    code: 'AWS_DENIED',
    message: /2048/,
  })
})

t.test('throttled once: tried again; throttled on and on: told to try later', async (t) => {
  const { aws, double, outcomes } = await start(t)
  double.faults.throttle(1)
  t.ok(await aws.session(ask))
  double.faults.throttle(100)
  await t.rejects(aws.session({ ...ask, grantId: 'grt_2' }), { code: 'AWS_UNAVAILABLE', message: /throttling/ })
  t.match(await outcomes(), { throttled: 1 })
})

t.test('a connection that is lost is tried again; an STS that is gone is said to be', async (t) => {
  const { aws, double } = await start(t)
  double.faults.drop(1)
  t.ok(await aws.session(ask))
  await double.close()
  await t.rejects(aws.session({ ...ask, grantId: 'grt_2' }), { code: 'AWS_UNAVAILABLE', message: /did not answer/ })
})

t.test('keys that AWS does not know', async (t) => {
  const { aws } = await start(t)
  process.env.AWS_ACCESS_KEY_ID = 'AKIAUNKNOWNUNKNOWN00'
  t.teardown(() => {
    process.env.AWS_ACCESS_KEY_ID = computeKeys.accessKeyId
  })
  await t.rejects(aws.session(ask), { code: 'AWS_DENIED', message: /own credentials/ })
})

t.test('no error says a secret', async (t) => {
  const { aws, double } = await start(t)
  const { secretAccessKey, sessionToken } = await aws.session(ask)
  double.faults.deny('sts:AssumeRole')
  const error = await aws.session(ask).then(
    () => t.fail('it was not denied'),
    (thrown: Error) => thrown,
  )
  const shown = `${error} ${JSON.stringify(error)} ${(error as Error).stack}`
  for (const secret of [secretAccessKey, sessionToken, computeKeys.secretAccessKey]) t.notMatch(shown, secret)
})
