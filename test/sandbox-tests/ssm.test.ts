/** The SSM API of the sandbox, called by the real SDK, and the gateway behind it. */
import {
  DescribeInstanceInformationCommand,
  DescribeSessionsCommand,
  GetConnectionStatusCommand,
  GetDocumentCommand,
  ResumeSessionCommand,
  SSMClient,
  StartSessionCommand,
  TerminateSessionCommand,
} from '@aws-sdk/client-ssm'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { channelTicket } from '../../src/aws/channel-ticket.ts'
import type { PolicyDocument, World } from '../sandbox/aws/world.ts'
import { startAws } from '../sandbox/aws.ts'
import { createClock } from '../sandbox/clock.ts'
import { accounts, allow, arns, bastions, createWorld, policy, region } from '../sandbox/default-world.ts'

const document = 'Sallyport-PortDatabase'
const host = 'orders.abc123.eu-west-1.rds.amazonaws.com'
const start = { Target: bastions.first, DocumentName: document, Parameters: { host: [host], portNumber: ['5432'] } }

async function open(t: Test, options: { policies?: PolicyDocument[]; change?: (world: World) => void } = {}) {
  const clock = createClock()
  const world = createWorld()
  options.change?.(world)
  const aws = await startAws({ world, clock })
  t.teardown(() => aws.close())
  const role = world.roles.find(({ arn }) => arn === arns.reach)
  if (!role) throw new Error('no role')
  if (options.policies) role.policies = options.policies
  const now = clock.now()
  const issue = (name: string) =>
    aws.callers.issue(role, {
      roleArn: role.arn,
      name,
      issuedAt: now,
      expiresAt: now + 3_600_000,
      policy: null,
      tags: {},
      transitiveTagKeys: [],
      sourceIdentity: null,
      isChained: true,
    })
  const caller = issue('sp-reach')
  const keysOf = ({ accessKeyId, secretAccessKey, session }: typeof caller) => {
    return { accessKeyId, secretAccessKey, sessionToken: session?.token ?? '', expiresAt: now + 3_600_000 }
  }
  const client = (keys = keysOf(caller), at = region) => {
    const made = new SSMClient({ endpoint: aws.url, region: at, credentials: keys, maxAttempts: 1 })
    t.teardown(() => made.destroy())
    return made
  }
  return { aws, clock, caller, client, issue, keysOf }
}

/** Resolves with the status that refuses the upgrade, or 101. */
async function upgrade(url: string, headers: Readonly<Record<string, string>>): Promise<number> {
  const socket = new WebSocket(url, { headers })
  return await new Promise((resolve) => {
    socket.once('unexpected-response', (_request, { statusCode = 0 }) => resolve(statusCode))
    socket.once('open', () => {
      socket.terminate()
      resolve(101)
    })
    socket.on('error', () => {})
  })
}

t.test('a session is started, resumed, listed and terminated', async (t) => {
  const { client, caller, aws } = await open(t)
  const ssm = client()
  const started = await ssm.send(new StartSessionCommand({ ...start, Reason: 'orders' }))
  t.match(started.SessionId, /^sp-reach-[0-9a-f]{17}$/)
  t.ok(started.TokenValue)
  const { SessionId } = started
  const listed = await ssm.send(
    new DescribeSessionsCommand({ State: 'Active', Filters: [{ key: 'Owner', value: caller.arn }] }),
  )
  t.match(listed.Sessions, [{ SessionId, Target: bastions.first, DocumentName: document, Reason: 'orders' }])
  const resumed = await ssm.send(new ResumeSessionCommand({ SessionId }))
  t.ok(resumed.TokenValue && resumed.TokenValue !== started.TokenValue)
  t.same(await ssm.send(new TerminateSessionCommand({ SessionId })).then((answer) => answer.SessionId), SessionId)
  t.notOk(aws.ssm.isActive(SessionId ?? ''))
  t.equal((await ssm.send(new ResumeSessionCommand({ SessionId }))).TokenValue, undefined)
  const history = await ssm.send(new DescribeSessionsCommand({ State: 'History' }))
  t.match(history.Sessions, [{ SessionId, Status: 'Terminated', EndDate: Date }])
  await t.rejects(ssm.send(new ResumeSessionCommand({ SessionId: 'sp-other-1' })), { name: 'DoesNotExistException' })
  t.match(aws.calls[0], { action: 'StartSession', caller: caller.arn, outcome: 'ok' })
})

t.test('lists of sessions come in pages', async (t) => {
  const { client } = await open(t)
  const ssm = client()
  for (let count = 0; count < 3; count += 1) await ssm.send(new StartSessionCommand(start))
  const first = await ssm.send(new DescribeSessionsCommand({ State: 'Active' }))
  t.equal(first.Sessions?.length, 2)
  const next = await ssm.send(new DescribeSessionsCommand({ State: 'Active', NextToken: first.NextToken }))
  t.equal(next.Sessions?.length, 1)
  t.equal(next.NextToken, undefined)
})

t.test('a start needs both the instance and the document', async (t) => {
  const instance = `arn:aws:ec2:${region}:${accounts.data}:instance/${bastions.first}`
  const port = `arn:aws:ssm:${region}:${accounts.data}:document/${document}`
  for (const [resources, isAllowed] of [
    [[instance, port], true],
    [[instance], false],
    [[port], false],
    [[instance.replace(bastions.first, bastions.second), port], false],
  ] as const) {
    const { client } = await open(t, { policies: [allow('ssm:StartSession', [...resources])] })
    const answer = client().send(new StartSessionCommand(start))
    if (isAllowed) await t.resolves(answer)
    else await t.rejects(answer, { name: 'AccessDeniedException', message: /ssm:StartSession on resource/ })
  }
})

t.test('other actions are judged too', async (t) => {
  const { client } = await open(t, { policies: [allow('ssm:StartSession', '*')] })
  const ssm = client()
  const { SessionId } = await ssm.send(new StartSessionCommand(start))
  for (const command of [new ResumeSessionCommand({ SessionId }), new TerminateSessionCommand({ SessionId })])
    await t.rejects(ssm.send(command as ResumeSessionCommand), { name: 'AccessDeniedException' })
  await t.rejects(ssm.send(new GetDocumentCommand({ Name: document })), { name: 'AccessDeniedException' })
  await t.rejects(ssm.send(new DescribeSessionsCommand({ State: 'Active' })), { name: 'AccessDeniedException' })
})

t.test('parameters must be those of the document, and match its patterns', async (t) => {
  const { client } = await open(t)
  const ssm = client()
  for (const change of [
    { host: ['169.254.169.254'] },
    { host: [`${host}.example.com`] },
    { portNumber: ['80'] },
    { portNumber: undefined },
    { other: ['x'] },
    { host: [host, host] },
  ]) {
    const { portNumber = change.portNumber, ...more } = { ...start.Parameters, ...change }
    const Parameters = { ...more, ...(portNumber ? { portNumber } : {}) } as Record<string, string[]>
    await t.rejects(ssm.send(new StartSessionCommand({ ...start, Parameters })), { name: 'InvalidParameters' })
  }
})

t.test('instances and documents: there or not', async (t) => {
  const { client, aws } = await open(t, {
    policies: [allow('ssm:*', '*')],
    change: ({ instances }) => {
      if (instances[1]) instances[1].isOnline = false
    },
  })
  const ssm = client()
  const at = (Target: string) => ssm.send(new StartSessionCommand({ ...start, Target }))
  await t.rejects(at(bastions.second), { name: 'TargetNotConnected' })
  await t.rejects(at('i-0b45710a00000ffff'), { name: 'TargetNotConnected' })
  const other = new StartSessionCommand({ ...start, DocumentName: 'Sallyport-Other' })
  await t.rejects(ssm.send(other), { name: 'InvalidDocument' })
  const status = async (Target: string) => (await ssm.send(new GetConnectionStatusCommand({ Target }))).Status
  t.equal(await status(bastions.first), 'connected')
  t.equal(await status(bastions.second), 'notconnected')
  const Filters = [{ Key: 'InstanceIds', Values: [bastions.second] }]
  const { InstanceInformationList: known } = await ssm.send(new DescribeInstanceInformationCommand({ Filters }))
  t.match(known, [{ InstanceId: bastions.second, PingStatus: 'ConnectionLost', AgentVersion: '3.3.987.0' }])
  const { Content, DocumentVersion } = await ssm.send(new GetDocumentCommand({ Name: document }))
  t.same(JSON.parse(Content ?? ''), aws.world.sessionDocuments[0]?.versions[0])
  t.equal(DocumentVersion, '1')
})

t.test(
  'another region has other instances and documents, and other keys are refused as JSON services do',
  async (t) => {
    const { client, caller, keysOf, clock } = await open(t)
    await t.rejects(client(undefined, 'us-east-1').send(new StartSessionCommand(start)), { name: 'InvalidDocument' })
    const wrong = client({ ...keysOf(caller), secretAccessKey: 'wrong' })
    await t.rejects(wrong.send(new StartSessionCommand(start)), { name: 'InvalidSignatureException' })
    const unknown = client({ ...keysOf(caller), accessKeyId: 'ASIAUNKNOWNUNKNOWN00' })
    await t.rejects(unknown.send(new StartSessionCommand(start)), { name: 'UnrecognizedClientException' })
    clock.advance(2 * 3_600_000)
    await t.rejects(client().send(new StartSessionCommand(start)), { name: 'InvalidSignatureException' }, 'too old')
  },
)

t.test(
  'the gateway accepts only keys that were issued, of the account, for the region, that may open channels',
  async (t) => {
    const { aws, client, caller, issue, keysOf } = await open(t)
    const { StreamUrl = '', TokenValue = '' } = await client().send(new StartSessionCommand(start))
    const stream = { streamUrl: StreamUrl, token: TokenValue }
    const attempt = async (keys: ReturnType<typeof keysOf>, at = region) =>
      await upgrade(StreamUrl, (await channelTicket(stream, at, keys)).headers)
    t.equal(await attempt(keysOf(caller)), 101)
    t.equal(await attempt(keysOf(issue('sp-other'))), 101, 'it is the token that says whose session it is')
    t.equal(await attempt({ ...keysOf(caller), accessKeyId: 'ASIAUNKNOWNUNKNOWN00' }), 403)
    t.equal(await attempt({ ...keysOf(caller), secretAccessKey: 'wrong' }), 403)
    t.equal(await attempt(keysOf(caller), 'us-east-1'), 403)
    t.equal(await upgrade(StreamUrl, {}), 403)
    const role = aws.world.roles.find(({ arn }) => arn === arns.reach)
    if (role) role.policies = [policy({ Effect: 'Allow', Action: 'ssm:*', Resource: '*' })]
    t.equal(await attempt(keysOf(caller)), 400)
    t.match(aws.ssm.gateway.refused.at(-1), /ssmmessages:OpenDataChannel/)
  },
)
