/** Tunnels through instances, against an AWS that refuses what AWS refuses. */
import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, SignJWT } from 'jose'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { BrokerError, type PermitFacts, type ViaInstances } from '../../../proxy/session.ts'
import { createAws } from '../../../src/aws/create-aws.ts'
import { createSessionManagers } from '../../../src/aws/session-manager.ts'
import { Tunnels } from '../../../src/aws/tunnels.ts'
import type { Config } from '../../../src/config/config.ts'
import { createChanges } from '../../../src/store/changes.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'
import { startAws } from '../../sandbox/aws.ts'
import { createClock } from '../../sandbox/clock.ts'
import {
  accounts,
  allow,
  arns,
  bastions,
  computeKeys,
  createWorld,
  externalId,
  region,
} from '../../sandbox/default-world.ts'
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

interface Differences {
  readonly oidc?: { readonly issuer: string; readonly clientId: string }
  readonly accounts?: object
  readonly idToken?: (login: string) => Promise<string>
  readonly loginOf?: () => Promise<string>
}

async function start(t: Test, { oidc, accounts: trusts = {}, idToken, loginOf }: Differences = {}) {
  const clock = createClock()
  const world = createWorld(oidc)
  const double = await startAws({ world, clock: createClock() })
  t.teardown(() => double.close())
  const config = {
    hubRoleArn: arns.hub,
    connectRole: 'sallyport/SallyportConnect',
    reachRole: 'sallyport-reach',
    regions: [region],
    accounts: trusts,
    endpoints: { '*': double.url },
  } as unknown as Config['aws']
  const changes = createChanges()
  const shared = { config, clock, changes, metrics: createMetrics(), logger: pino({ level: 'silent' }) }
  const identity = {
    loginOf: loginOf ?? (async () => 'log_1'),
    idToken: idToken ?? (() => Promise.reject(new Error('no token is needed here'))),
  }
  const sessionManagers = createSessionManagers(shared)
  const aws = createAws({ ...shared, externalId })
  const newTunnels = (daemon = 'dmn_1') =>
    new Tunnels({
      ...{ ...shared, aws, sessionManagers, identity: identity as never },
      ...{ daemons: { id: daemon }, endingMs: 10 },
    })
  const tunnels = newTunnels()
  const open = (by = via, instance: string = bastions.first) =>
    tunnels.open({ facts: factsOf(by), credential }, instance)
  return { double, world, tunnels, newTunnels, open, changes, clock }
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
    reason: /^sallyport tunnel dmn_1\/[0-9a-f]{12}: rds-postgres\/1\/2\/orders$/,
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

t.test('where an account takes ID tokens only, the person’s own opens the tunnel', async (t) => {
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'k1', use: 'sig', alg: 'RS256' }
  const server = createServer((request, response) => {
    const isKeys = request.url === '/keys'
    response.end(JSON.stringify(isKeys ? { keys: [jwk] } : { jwks_uri: `http://${request.headers.host}/keys` }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const tokens: string[] = []
  const found = { isErased: false }
  const { world, double, tunnels, clock } = await start(t, {
    loginOf: async () => {
      if (found.isErased) throw new BrokerError('LOGIN_REQUIRED', 'there is no such token any more')
      return 'log_1'
    },
    oidc: { issuer, clientId: 'sallyport' },
    accounts: { [accounts.web]: { trust: 'web_identity' } },
    idToken: async (login) => {
      tokens.push(login)
      const now = Math.floor(Date.now() / 1000)
      const claims = { iss: issuer, aud: 'sallyport', sub: 'alice', iat: now, exp: now + 60 }
      return await new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'k1' }).sign(keys.privateKey)
    },
  })
  const role = world.roles.find(({ arn }) => arn === arns.personal)
  const [instance] = world.instances
  const [document] = world.sessionDocuments
  if (!role || !instance || !document) throw new Error('the world has no such things')
  const reachArn = `arn:aws:iam::${accounts.web}:role/sallyport-reach`
  const actions = ['ssm:StartSession', 'ssm:ResumeSession', 'ssm:TerminateSession', 'ssmmessages:OpenDataChannel']
  const policies = [allow(actions, '*')]
  world.roles.push({ ...role, arn: reachArn, roleId: 'AROASANDBOXREACHWEB1', policies })
  world.instances.push({ ...instance, id: 'i-0b45710a000000003', account: accounts.web })
  world.sessionDocuments.push({ ...document, account: accounts.web })
  const place = { ...via.place, account: accounts.web }
  const facts = factsOf({ ...via, key: null, place, instances: ['i-0b45710a000000003'] })
  const { tunnelId } = await tunnels.open({ facts, credential }, 'i-0b45710a000000003')
  t.match(tunnelId, /^sp-alice@example.com-/)
  t.same(tokens, ['log_1'], 'of the login by which the session was opened')
  t.equal(double.calls.filter(({ action }) => action === 'AssumeRole').length, 0, 'the hub takes no part')
  found.isErased = true
  clock.advance(3_590_000)
  t.ok(await tunnels.ticket(tunnelId), 'renewed although the connect token by which it was opened is erased')
  t.same(tokens, ['log_1', 'log_1'])
  await tunnels.end(tunnelId)
  t.ok(double.ssm.sessions[0]?.isTerminated)
  const over = tunnels.open({ facts, credential: null }, 'i-0b45710a000000003')
  await t.rejects(over, { code: 'LOGIN_REQUIRED' }, 'not for what a killed daemon left')
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

t.test('an instance bears so many, then it is passed over, also when all are asked for at once', async (t) => {
  const { open, double } = await start(t)
  const opened = await Promise.allSettled(Array.from({ length: 22 }, () => open()))
  const refused = opened.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))
  t.match(
    refused,
    [1, 2].map(() => ({ code: 'TARGET_UNREACHABLE', message: /20 tunnels/ })),
  )
  t.equal(double.ssm.sessions.length, 20)
  await t.resolves(open(via, bastions.second))
})

t.test('what a process has left is known by the reason; what this one has open is not', async (t) => {
  const { open, double, tunnels, newTunnels } = await start(t)
  await open()
  const reason = double.ssm.sessions[0]?.reason ?? ''
  t.notOk(tunnels.isLeftBy('dmn_1', reason), 'its own')
  const next = newTunnels()
  t.ok(next.isLeftBy('dmn_1', reason), 'of the process before')
  t.notOk(next.isLeftBy('dmn_', reason), 'of another daemon')
  t.ok(newTunnels('dmn_2').isLeftBy('dmn_1', reason), 'at another daemon')
  t.notOk(next.isLeftBy('dmn_1', 'sallyport ses_1'), 'a shell')
})
