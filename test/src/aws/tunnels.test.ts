/** Tunnels through instances, against an AWS that refuses what AWS refuses. */
import { pino } from 'pino'
import t, { type Test } from 'tap'
import type { PermitFacts, ViaInstances } from '../../../proxy/session.ts'
import { createAws } from '../../../src/aws/create-aws.ts'
import { createSessionManagers } from '../../../src/aws/session-manager.ts'
import { Tunnels } from '../../../src/aws/tunnels.ts'
import type { Config } from '../../../src/config/config.ts'
import { createChanges } from '../../../src/store/changes.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'
import { startAws } from '../../sandbox/aws.ts'
import { createClock } from '../../sandbox/clock.ts'
import { accounts, arns, bastions, computeKeys, createWorld, externalId, region } from '../../sandbox/default-world.ts'
import { waitUntil } from '../../wait-until.ts'

// The default provider chain looks here first.
process.env.AWS_ACCESS_KEY_ID = computeKeys.accessKeyId
process.env.AWS_SECRET_ACCESS_KEY = computeKeys.secretAccessKey
for (const name of ['AWS_SESSION_TOKEN', 'AWS_PROFILE']) delete process.env[name]

const via: ViaInstances = {
  key: 'hub',
  instances: Object.values(bastions),
  place: { partition: 'aws', account: accounts.data, region },
  document: 'Sallyport-PortDatabase',
}
const credential = { kind: 'login', id: 'log_1' } as const

function factsOf(by: ViaInstances, host = `orders.abc123.${region}.rds.amazonaws.com`): PermitFacts {
  const engine = { address: { host, port: 5432 }, serverName: host, ca: null, via: by, rules: {} }
  const ids = { sessionId: 'ses_1', grantId: 'grt_1', requestId: 'req_1', resourceId: 'rds-postgres/1/2/orders' }
  return { ...ids, principalName: 'alice@example.com', endsAt: Date.now() + 3_600_000, engine } as PermitFacts
}

async function start(t: Test) {
  const clock = createClock()
  const world = createWorld()
  const double = await startAws({ world, clock })
  t.teardown(() => double.close())
  const config = {
    hubRoleArn: arns.hub,
    connectRole: 'sallyport/SallyportConnect',
    reachRole: 'sallyport-reach',
    regions: [region],
    accounts: {},
    endpoints: { '*': double.url },
  } as unknown as Config['aws']
  const changes = createChanges()
  const shared = { config, clock, changes, metrics: createMetrics(), logger: pino({ level: 'silent' }) }
  const identity = { loginOf: async () => 'log_1', idToken: () => Promise.reject(new Error('no token is needed here')) }
  const sessionManagers = createSessionManagers(shared)
  const aws = createAws({ ...shared, externalId })
  const tunnels = new Tunnels({ ...shared, aws, sessionManagers, identity: identity as never, endingMs: 10 })
  const open = (by = via, instance: string = bastions.first) =>
    tunnels.open({ facts: factsOf(by), credential }, instance)
  return { double, world, tunnels, open, changes }
}

t.test('opened by a role of their own, resumed, ended at AWS', async (t) => {
  const { double, tunnels, open } = await start(t)
  const { tunnelId, ticket } = await open()
  t.match(tunnelId, /^sp-sallyport-tunnels-/)
  t.match(ticket, { url: /^ws:/, token: String, headers: { authorization: /ssmmessages/ } })
  const [session] = double.ssm.sessions
  t.match(session, {
    target: bastions.first,
    owner: `arn:aws:sts::${accounts.data}:assumed-role/sallyport-reach/sp-sallyport-tunnels`,
    reason: 'Sallyport: rds-postgres/1/2/orders',
    parameters: { host: `orders.abc123.${region}.rds.amazonaws.com`, portNumber: '5432' },
  })
  const again = await tunnels.ticket(tunnelId)
  t.ok(again && again.token !== ticket.token)
  await tunnels.end(tunnelId)
  t.ok(double.ssm.sessions[0]?.isTerminated)
  t.equal(await tunnels.ticket(tunnelId), null)
  await t.resolves(tunnels.end(tunnelId), 'again')
})

t.test('its credentials open that instance, by that document, and nothing else', async (t) => {
  const { double, open } = await start(t)
  await open()
  const { assumeRole } = double.calls.findLast(({ assumeRole: one }) => one?.roleArn === arns.reach) ?? {}
  t.equal(assumeRole?.sessionName, 'sp-sallyport-tunnels')
  const { Statement: statements } = JSON.parse(assumeRole?.policy ?? '')
  const name = `arn:aws:ssm:${region}:${accounts.data}`
  t.match(statements, [
    {
      Action: 'ssm:StartSession',
      Resource: [
        `arn:aws:ec2:${region}:${accounts.data}:instance/${bastions.first}`,
        `${name}:document/Sallyport-PortDatabase`,
      ],
    },
    {
      Action: ['ssm:ResumeSession', 'ssm:TerminateSession'],
      Resource: `${name}:session/sp-sallyport-tunnels-*`,
    },
    { Action: 'ssmmessages:OpenDataChannel', Resource: '*' },
  ])
  t.equal(statements.length, 3)
})

t.test('what the document does not allow is refused by AWS', async (t) => {
  const { tunnels } = await start(t)
  const open = tunnels.open({ facts: factsOf(via, '10.0.0.7'), credential }, bastions.first)
  await t.rejects(open, { code: 'AWS_DENIED', message: /allowedPattern/ })
})

t.test('a tunnel of one grant ends with it, and one that is shared does not', async (t) => {
  const { double, open, changes } = await start(t)
  const personal = await open({ ...via, key: null })
  t.match(personal.tunnelId, /^sp-alice@example.com-/)
  const shared = await open()
  changes.publish({ what: 'grant', id: 'grt_1', reason: 'grant-revoked', text: 'x', decidedAt: 0 } as never)
  await waitUntil(() => !double.ssm.isActive(personal.tunnelId), 'it is ended')
  t.ok(double.ssm.isActive(shared.tunnelId))
})

t.test('all that are open are ended when the daemon stops; one that AWS does not end holds nothing up', async (t) => {
  const { double, open, tunnels } = await start(t)
  const opened = [await open(), await open(via, bastions.second)]
  await tunnels.close()
  t.same(
    opened.map(({ tunnelId }) => double.ssm.isActive(tunnelId)),
    [false, false],
  )
  await open()
  double.faults.deny('ssm:TerminateSession')
  await t.resolves(tunnels.close())
})

t.test('an instance bears so many, then it is passed over', async (t) => {
  const { open } = await start(t)
  for (let count = 0; count < 20; count += 1) await open()
  await t.rejects(open(), { code: 'TARGET_UNREACHABLE', message: /20 tunnels/ })
  await t.resolves(open(via, bastions.second))
})
