import { randomBytes } from 'node:crypto'
import {
  AssumeRoleCommand,
  type AssumeRoleCommandInput,
  GetCallerIdentityCommand,
  STSClient,
} from '@aws-sdk/client-sts'
import t, { type Test } from 'tap'
import type { World } from '../sandbox/aws/world.ts'
import { startAws } from '../sandbox/aws.ts'
import { createClock } from '../sandbox/clock.ts'
import { allow, arns, computeKeys, createWorld, externalId, policy } from '../sandbox/default-world.ts'

const readOnly = 'arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess'

/** The real SDK against the double. */
async function start(t: Test, change: (world: World) => void = () => {}) {
  const clock = createClock()
  const world = createWorld()
  change(world)
  const aws = await startAws({ world, clock })
  t.teardown(() => aws.close())
  const client = (credentials: Keys = computeKeys, region = 'eu-west-1') => {
    const made = new STSClient({ endpoint: aws.url, region, credentials, maxAttempts: 1 })
    t.teardown(() => made.destroy())
    return made
  }
  const assume = async (
    by: STSClient,
    role: keyof typeof arns,
    input: Partial<AssumeRoleCommandInput> = {},
  ): Promise<Keys & { answer: Awaited<ReturnType<typeof send>> }> => {
    const answer = await send(by, { RoleArn: arns[role], RoleSessionName: 'test', ...input })
    const { AccessKeyId = '', SecretAccessKey = '', SessionToken = '' } = answer.Credentials ?? {}
    return { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken, answer }
  }
  const hub = async () => client(await assume(client(), 'hub', { ExternalId: externalId }))
  const spoke = async (input: Partial<AssumeRoleCommandInput> = {}) =>
    client(await assume(await hub(), 'connect', { ExternalId: externalId, ...input }))
  return { aws, clock, client, assume, hub, spoke }
}

const send = (by: STSClient, input: AssumeRoleCommandInput) => by.send(new AssumeRoleCommand(input))

interface Keys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/** What the last hop of the product carries. */
const named = {
  RoleSessionName: 'alice@example.com',
  SourceIdentity: 'alice@example.com',
  Tags: [
    { Key: 'sallyport:grant', Value: 'grt_1' },
    { Key: 'sallyport:user', Value: 'alice@example.com' },
  ],
  Policy: JSON.stringify(allow('rds-db:connect', 'arn:aws:rds-db:eu-west-1:111122223333:dbuser:db-X/sallyport_ro')),
}

t.test('the chain of an installation works: compute, hub, spoke, brokered role', async (t) => {
  const { aws, assume, client, spoke } = await start(t)
  const last = await assume(await spoke(), 'databases', { ...named, DurationSeconds: 3600 })
  t.match(last.accessKeyId, /^ASIA[A-Z2-7]{16}$/)
  t.match(last.answer, {
    AssumedRoleUser: {
      Arn: 'arn:aws:sts::111122223333:assumed-role/SallyportDatabases/alice@example.com',
      AssumedRoleId: 'AROASANDBOXDATABASE1:alice@example.com',
    },
    SourceIdentity: 'alice@example.com',
  })
  t.ok(last.answer.PackedPolicySize && last.answer.PackedPolicySize < 40)
  const expiresIn = (last.answer.Credentials?.Expiration?.getTime() ?? 0) - Date.now()
  t.ok(expiresIn > 3_590_000 && expiresIn <= 3_600_000, 'an hour')
  const who = await client(last).send(new GetCallerIdentityCommand({}))
  t.match(who, { Account: '111122223333', Arn: last.answer.AssumedRoleUser?.Arn ?? '' })
  t.match(aws.calls.at(-2), {
    action: 'AssumeRole',
    outcome: 'ok',
    caller: 'arn:aws:sts::111122223333:assumed-role/SallyportConnect/test',
    assumeRole: { sourceIdentity: 'alice@example.com', tags: { 'sallyport:grant': 'grt_1' } },
  })
})

t.test('the spoke itself takes tags, source identity and session policy', async (t) => {
  const { assume, hub } = await start(t)
  t.ok((await assume(await hub(), 'connect', { ExternalId: externalId, ...named })).sessionToken)
})

t.test('ExternalId: missing, wrong, and right', async (t) => {
  const { aws, assume, hub, client } = await start(t)
  const by = await hub()
  await t.rejects(assume(by, 'connect'), { name: 'AccessDenied', $metadata: { httpStatusCode: 403 } })
  await t.rejects(assume(by, 'connect', { ExternalId: 'of-another-installation' }), { name: 'AccessDenied' })
  t.equal(aws.calls.at(-1)?.reason, 'the trust policy does not allow it')
  await t.rejects(assume(client(), 'hub'), { name: 'AccessDenied' })
  t.ok(await assume(by, 'connect', { ExternalId: externalId }))
})

t.test(
  'an ExternalId condition on the statement for tags never matches: AWS knows the key for AssumeRole only',
  async (t) => {
    const { aws, assume, hub } = await start(t, (world) => {
      const spoke = world.roles.find(({ arn }) => arn === arns.connect)
      if (!spoke) throw new Error('no spoke')
      spoke.trust = policy({
        Effect: 'Allow',
        Principal: { AWS: arns.hub },
        Action: ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'],
        Condition: { StringEquals: { 'sts:ExternalId': externalId } },
      })
    })
    const by = await hub()
    t.ok(await assume(by, 'connect', { ExternalId: externalId }))
    await t.rejects(assume(by, 'connect', { ExternalId: externalId, Tags: named.Tags }), {
      name: 'AccessDenied',
      message: /sts:TagSession/,
    })
    await t.rejects(assume(by, 'connect', { ExternalId: externalId, SourceIdentity: 'alice' }), {
      message: /sts:SetSourceIdentity/,
    })
    t.equal(aws.calls.at(-1)?.outcome, 'AccessDenied')
  },
)

t.test('the brokered role wants a person and a grant, and only from the spoke', async (t) => {
  const { aws, assume, spoke, hub } = await start(t)
  const by = await spoke()
  const { SourceIdentity: _, ...anonymous } = named
  await t.rejects(assume(by, 'databases', anonymous), { name: 'AccessDenied' })
  const otherTag = { ...named, Tags: [{ Key: 'sallyport:grant', Value: 'nonsense' }] }
  await t.rejects(assume(by, 'databases', otherTag), { name: 'AccessDenied' })
  t.ok(await assume(by, 'databases', named))
  await t.rejects(assume(await hub(), 'databases', named), { name: 'AccessDenied' })
  t.equal(aws.calls.at(-1)?.reason, 'the trust policy does not allow it')
})

t.test(
  'a role without the managed tag is not minted: the identity policy counts across accounts and for account roots',
  async (t) => {
    const { aws, assume, spoke } = await start(t, (world) => {
      const role = world.roles.find(({ arn }) => arn === arns.databases)
      if (!role) throw new Error('no role')
      role.tags = {}
      role.trust = policy({
        Effect: 'Allow',
        Principal: { AWS: 'arn:aws:iam::111122223333:root' },
        Action: ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'],
      })
    })
    await t.rejects(assume(await spoke(), 'databases', named), { name: 'AccessDenied' })
    t.equal(aws.calls.at(-1)?.reason, 'no identity policy allows it')
  },
)

t.test(
  'in one account a trust policy that names the very role is enough, but an explicit deny is not overcome',
  async (t) => {
    let spokeRole: World['roles'][number] | undefined
    const { aws, assume, spoke } = await start(t, (world) => {
      spokeRole = world.roles.find(({ arn }) => arn === arns.connect)
    })
    const by = await spoke()
    if (!spokeRole) throw new Error('no spoke')
    spokeRole.policies = []
    t.ok(await assume(by, 'databases', named))
    spokeRole.policies = [policy({ Effect: 'Deny', Action: 'sts:*', Resource: '*' })]
    await t.rejects(assume(by, 'databases', named), { name: 'AccessDenied' })
    t.equal(aws.calls.at(-1)?.reason, 'an identity policy denies it')
  },
)

t.test('role chaining is capped at one hour, and a role at its own maximum', async (t) => {
  const { assume, hub, client } = await start(t)
  await t.rejects(assume(await hub(), 'connect', { ExternalId: externalId, DurationSeconds: 3601 }), {
    name: 'ValidationError',
    message: 'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.',
  })
  await t.rejects(assume(client(), 'hub', { ExternalId: externalId, DurationSeconds: 3601 }), {
    name: 'ValidationError',
    message: 'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
  })
  t.ok(await assume(await hub(), 'connect', { ExternalId: externalId, DurationSeconds: 3600 }))
})

t.test('parameters have the limits of the service model: one inside and one outside each', async (t) => {
  const { assume, hub } = await start(t)
  const by = await hub()
  const tags = (count: number) => Array.from({ length: count }, (_, index) => ({ Key: `k${index}`, Value: 'v' }))
  const ok: Partial<AssumeRoleCommandInput>[] = [
    { RoleSessionName: 'ab' },
    { RoleSessionName: 'a'.repeat(64) },
    { RoleSessionName: 'A_z+=,.@-9' },
    { DurationSeconds: 900 },
    { SourceIdentity: 'x'.repeat(64) },
    { Tags: tags(50) },
    { Tags: [{ Key: 'é k_.:/=+-@1', Value: '' }] },
    { Tags: [{ Key: 'k'.repeat(128), Value: 'v'.repeat(256) }] },
    { Tags: tags(2), TransitiveTagKeys: ['k1'] },
  ]
  for (const input of ok)
    t.ok(await assume(by, 'connect', { ExternalId: externalId, ...input }), JSON.stringify(input).slice(0, 80))
  const bad: [Partial<AssumeRoleCommandInput>, string][] = [
    [{ RoleSessionName: 'a' }, 'ValidationError'],
    [{ RoleSessionName: 'a'.repeat(65) }, 'ValidationError'],
    [{ RoleSessionName: 'a b!' }, 'ValidationError'],
    [{ RoleSessionName: 'zoë@example.com' }, 'ValidationError'],
    [{ DurationSeconds: 899 }, 'ValidationError'],
    [{ DurationSeconds: 43_201 }, 'ValidationError'],
    [{ SourceIdentity: 'x' }, 'ValidationError'],
    [{ SourceIdentity: 'x'.repeat(65) }, 'ValidationError'],
    [{ SourceIdentity: 'a/b' }, 'ValidationError'],
    [{ ExternalId: 'x' }, 'ValidationError'],
    [{ ExternalId: 'with space' }, 'ValidationError'],
    [{ RoleArn: 'arn:aws:iam::1:role' }, 'ValidationError'],
    [{ RoleArn: 'arn:aws:iam::111122223333:user/somebody' }, 'ValidationError'],
    [{ Tags: tags(51) }, 'ValidationError'],
    [{ Tags: [{ Key: 'k'.repeat(129), Value: 'v' }] }, 'ValidationError'],
    [{ Tags: [{ Key: 'k', Value: 'v'.repeat(257) }] }, 'ValidationError'],
    [{ Tags: [{ Key: 'k', Value: 'a;b' }] }, 'ValidationError'],
    [{ Tags: [{ Key: 'k#', Value: 'v' }] }, 'ValidationError'],
    [
      {
        Tags: [
          { Key: 'Team', Value: '1' },
          { Key: 'team', Value: '2' },
        ],
      },
      'InvalidParameterValue',
    ],
    [{ Tags: [{ Key: 'aws:x', Value: '1' }] }, 'InvalidParameterValue'],
    [{ Tags: tags(1), TransitiveTagKeys: ['k1'] }, 'InvalidParameterValue'],
    [{ PolicyArns: [{ arn: 'arn:aws:iam::aws:policy/NoSuchPolicy' }] }, 'AccessDenied'],
    [{ PolicyArns: [{ arn: 'ReadOnlyAccess' }] }, 'ValidationError'],
    [{ PolicyArns: Array(11).fill({ arn: readOnly }) }, 'InvalidParameterValue'],
    [{ PolicyArns: [{ arn: readOnly }], Policy: ' '.repeat(2048) }, 'ValidationError'],
  ]
  for (const [input, name] of bad)
    await t.rejects(
      assume(by, 'connect', { ExternalId: externalId, ...input }),
      { name },
      JSON.stringify(input).slice(0, 80),
    )
})

t.test('a validation error lists every problem', async (t) => {
  const { assume, client } = await start(t)
  await t.rejects(assume(client(), 'hub', { RoleSessionName: '!', DurationSeconds: 1 }), {
    message: /^3 validation errors detected: Value '!' at 'roleSessionName'.*length.*; .*pattern.*; .*durationSeconds/,
  })
})

t.test('session policies: grammar, 2,048 characters, characters, packed size', async (t) => {
  const { assume, hub } = await start(t)
  const by = await hub()
  const ask = (Policy: string) => assume(by, 'connect', { ExternalId: externalId, Policy })
  await t.rejects(ask('{'), { name: 'MalformedPolicyDocument' })
  await t.rejects(ask('{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*"}]}'), {
    name: 'MalformedPolicyDocument',
  })
  await t.rejects(ask(JSON.stringify(allow('rds-db:connect', 'db-X'))), { name: 'MalformedPolicyDocument' })
  const padded = (length: number) => JSON.stringify(allow('s3:GetObject', '*')).padEnd(length)
  t.ok(await ask(padded(2048)))
  await t.rejects(ask(padded(2049)), { name: 'ValidationError', message: /2048/ })
  await t.rejects(ask(`${padded(100)}\u2028`), { name: 'ValidationError' })
  const random = Array.from({ length: 34 }, () => `arn:aws:s3:::${randomBytes(30).toString('base64url')}`)
  await t.rejects(ask(JSON.stringify(allow('s3:GetObject', random))), {
    name: 'PackedPolicyTooLarge',
    message: /consumes 1\d\d% of allotted space/,
  })
})

t.test('what is transitive is handed on and cannot be given again; a source identity cannot be changed', async (t) => {
  const { aws, assume, client, spoke } = await start(t)
  const tagged = await spoke({
    Tags: [
      { Key: 'sallyport:grant', Value: 'grt_1' },
      { Key: 'stays', Value: 'here' },
    ],
    TransitiveTagKeys: ['sallyport:grant'],
    SourceIdentity: 'alice@example.com',
  })
  await t.rejects(assume(tagged, 'databases', named), { name: 'InvalidParameterValue', message: /transitive/ })
  const { Tags: _, ...untagged } = named
  // The trust policy asks for the grant in this very request, and an inherited tag is not one.
  await t.rejects(assume(tagged, 'databases', untagged), { name: 'AccessDenied' })
  const role = aws.world.roles.find(({ arn }) => arn === arns.databases)
  if (!role) throw new Error('no role')
  role.trust = policy({ Effect: 'Allow', Principal: { AWS: arns.connect }, Action: 'sts:*' })
  const last = await assume(tagged, 'databases', { RoleSessionName: 'alice' })
  t.strictSame(aws.callers.find(last.accessKeyId)?.session?.tags, { 'sallyport:grant': 'grt_1' })
  t.equal(last.answer.SourceIdentity, 'alice@example.com', 'the source identity persists')
  await t.rejects(assume(tagged, 'databases', { SourceIdentity: 'mallory' }), { message: /sts:SetSourceIdentity/ })
  t.ok(await client(last).send(new GetCallerIdentityCommand({})))
})

t.test('keys that are wrong, mixed or expired, clocks that are wrong, regions that are not', async (t) => {
  const { clock, assume, client } = await start(t)
  const whoAmI = (keys: Keys, region?: string) => client(keys, region).send(new GetCallerIdentityCommand({}))
  const session = await assume(client(), 'hub', { ExternalId: externalId, DurationSeconds: 900 })
  t.ok(await whoAmI(session))
  await t.rejects(whoAmI({ ...computeKeys, secretAccessKey: 'wrong' }), { name: 'SignatureDoesNotMatch' })
  await t.rejects(whoAmI({ ...session, accessKeyId: 'ASIAAAAAAAAAAAAAAAAA' }), { name: 'InvalidClientTokenId' })
  await t.rejects(whoAmI({ ...session, sessionToken: 'another' }), { name: 'InvalidClientTokenId' })
  const { sessionToken: _, ...tokenless } = session
  await t.rejects(whoAmI(tokenless), { name: 'InvalidClientTokenId' })
  await t.rejects(whoAmI(computeKeys, 'mars-north-1'), { name: 'SignatureDoesNotMatch' })
  clock.advance(880_000)
  t.ok(await whoAmI(session), 'within the skew that AWS allows')
  clock.advance(40_000)
  await t.rejects(whoAmI(computeKeys), { message: /Signature expired/ })
})

t.test('a session ends when it expires', async (t) => {
  const { clock, assume, client } = await start(t)
  const session = await assume(client(), 'hub', { ExternalId: externalId, DurationSeconds: 900 })
  const by = client(session) // the SDK learns the double's clock from its answers
  clock.advance(899_000)
  t.ok(await by.send(new GetCallerIdentityCommand({})))
  clock.advance(2_000)
  await t.rejects(by.send(new GetCallerIdentityCommand({})), { name: 'ExpiredToken' })
})

t.test('faults: deny, throttle, drop', async (t) => {
  const { aws, assume, client } = await start(t)
  const by = client()
  const ask = () => assume(by, 'hub', { ExternalId: externalId })
  aws.faults.deny('sts:AssumeRole')
  await t.rejects(ask(), { name: 'AccessDenied' })
  aws.faults.clear()
  aws.faults.throttle(1)
  await t.rejects(ask(), { name: 'Throttling' })
  aws.faults.drop(1)
  await t.rejects(ask(), /socket hang up|ECONNRESET/)
  t.ok(await ask())
})

t.test('nothing but a signed form reaches an action', async (t) => {
  const { aws } = await start(t)
  const post = (body: string, type = 'application/x-www-form-urlencoded') =>
    fetch(aws.url, { method: 'POST', body, headers: { 'content-type': type } })
  const unsigned = await post('Action=GetCallerIdentity&Version=2011-06-15')
  t.equal(unsigned.status, 403)
  t.match(await unsigned.text(), /<Code>MissingAuthenticationToken<\/Code>/)
  t.match(await (await post('Action=A&Action=B')).text(), /<Code>MalformedInput<\/Code>/)
  t.match(await (await post('{}', 'application/json')).text(), /<Code>MalformedInput<\/Code>/)
  t.match(await (await fetch(aws.url)).text(), /<Code>MalformedInput<\/Code>/)
})
