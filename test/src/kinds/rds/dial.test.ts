/** Where a session goes, and as whom. Names are resolved by the machine's own resolver; none of them leaves the machine. */
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { BrokerError, type SessionPermit } from '../../../../proxy/session.ts'
import type { AwsCredentials, SessionAsk } from '../../../../src/aws/aws.ts'
import { createRdsPostgresDial } from '../../../../src/kinds/rds/dial.ts'
import type { RdsLevel } from '../../../../src/kinds/rds/level.ts'
import type { RdsTarget } from '../../../../src/kinds/rds/target.ts'
import { rdsPostgres } from '../../../../src/kinds/rds-postgres/kind.ts'
import { createChanges } from '../../../../src/store/changes.ts'
import { createMetrics } from '../../../../src/telemetry/metrics.ts'
import { hour, ordersId, resource, startedAt } from '../../access/access-house.ts'

const endpoint = 'orders.abc123.eu-west-1.rds.amazonaws.com'
const level: RdsLevel = { dbUser: 'sallyport_ro', databases: ['shop'], statementTimeoutMs: 30_000, maxRows: 10 }
const permit = {
  grantId: 'grt_1',
  requestId: 'req_1',
  principalName: 'alice@example.com',
  resourceId: ordersId,
  level: 'readonly',
  endsAt: startedAt + hour,
} as SessionPermit

const entry = (attributes: Record<string, unknown>) =>
  resource(ordersId, { attributes: { endpoint, resource_id: 'db-ORDERS', ...attributes } })

function targetOf(attributes: Record<string, unknown>): RdsTarget {
  const parsed = rdsPostgres.target.read(entry(attributes))
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems))
  return parsed.value
}

/** AWS answers once the test lets it, unless told otherwise. */
function start(attributes: Record<string, unknown>, more: Partial<RdsTarget> = {}) {
  const state = { asks: [] as SessionAsk[], held: false, error: undefined as Error | undefined }
  const waiting: (() => void)[] = []
  const aws = {
    session: async (ask: SessionAsk): Promise<AwsCredentials> => {
      state.asks.push(ask)
      if (state.held) await new Promise<void>((resolve) => waiting.push(resolve))
      if (state.error) throw state.error
      return { accessKeyId: 'ASIA1', secretAccessKey: 'secret', sessionToken: 'token', expiresAt: startedAt + hour }
    },
  }
  const metrics = createMetrics()
  const target = { ...targetOf(attributes), ...more }
  const dial = createRdsPostgresDial({
    aws,
    changes: createChanges(),
    clock: { now: () => startedAt },
    logger: pino({ level: 'silent' }),
    metrics,
    kind: rdsPostgres,
    answerOf: () => ({ held: { resource: entry(attributes), target, level } }),
  })
  const release = () => {
    for (const resolve of waiting.splice(0)) resolve()
  }
  const timed = async () => {
    const { values } = await metrics.sessionOpenSeconds.get()
    return values
      .filter(({ metricName }) => metricName?.endsWith('_count'))
      .map(({ labels, value }) => ({ labels, value }))
  }
  return { state, release, timed, dial: () => dial(permit) }
}

/** Fails the test when a promise was left rejected with nobody to hear of it. */
function watchRejections(t: Test) {
  const unheard: unknown[] = []
  const listener = (error: unknown) => unheard.push(error)
  process.on('unhandledRejection', listener)
  t.teardown(() => process.off('unhandledRejection', listener))
  return async () => {
    await new Promise((resolve) => setTimeout(resolve, 20))
    return unheard
  }
}

t.test('connected to the address that the name has; certificate and token are for the endpoint', async (t) => {
  const { dial, state, timed } = start({ connect_address: 'localhost:6000', port: 5433, database: 'shop' })
  const route = await dial()
  t.match(route, {
    host: /^(127\.0\.0\.1|::1)$/,
    port: 6000,
    servername: endpoint,
    user: 'sallyport_ro',
    databases: ['shop'],
    defaultDatabase: 'shop',
    statementTimeoutMs: 30_000,
    maxRows: 10,
  })
  const token = new URL(`https://${await route.password()}`)
  t.equal(token.host, `${endpoint}:5433`)
  t.equal(token.searchParams.get('DBUser'), 'sallyport_ro')
  t.equal(state.asks.length, 1)
  t.same(await timed(), [{ labels: { kind: 'rds-postgres', phase: 'aws' }, value: 1 }])
})

t.test('the token is fetched while the connection is made, and two sessions share it', async (t) => {
  const { dial, state, release } = start({ connect_address: '127.0.0.1:6000' })
  state.held = true
  const [one, two] = await Promise.all([dial(), dial()])
  t.equal(state.asks.length, 1, 'asked before anybody wants a password')
  t.equal(one.secureContext, two.secureContext, 'the roots are read once')
  release()
  t.equal(await one.password(), await two.password())
})

t.test('a name that leads to a metadata service is not connected to, however it is written', async (t) => {
  const heard = watchRejections(t)
  // To the resolver each of these is 169.254.169.254; none is an address that the catalog could know by its form.
  for (const name of ['169.254.43518', '0xa9fea9fe', '2852039166', '0251.0376.0251.0376']) {
    const { dial, state } = start({ connect_address: `${name}:80` })
    state.error = new BrokerError('AWS_UNAVAILABLE')
    await t.rejects(dial(), { code: 'TARGET_UNREACHABLE', message: /its name leads to a link-local address/ }, name)
  }
  t.same(await heard(), [], 'a token that nobody takes may fail')
})

t.test('a link-local address in the catalog itself', async (t) => {
  for (const host of ['169.254.169.254', '::ffff:169.254.169.254', 'fe80::1', 'fd00:ec2::254']) {
    const written = { connect_address: host.includes(':') ? `[${host}]:80` : `${host}:80` }
    t.match(
      rdsPostgres.target.read(entry(written)),
      { ok: false, problems: [{ path: 'connect_address', message: 'link-local addresses are never reached' }] },
      host,
    )
    const { dial } = start({}, { connect: { host, port: 80 } })
    await t.rejects(
      dial(),
      { code: 'TARGET_UNREACHABLE', message: /link-local address/ },
      `${host}, had it been let in`,
    )
  }
})

t.test('a name that does not resolve', async (t) => {
  const { dial } = start({ connect_address: 'nowhere.invalid:5432' })
  await t.rejects(dial(), { code: 'TARGET_UNREACHABLE', message: /its name does not resolve/ })
})

t.test('AWS refuses: whoever asks for the password is told, and it is timed all the same', async (t) => {
  const heard = watchRejections(t)
  const { dial, state, timed } = start({ connect_address: '127.0.0.1:6000' })
  state.error = new BrokerError('AWS_DENIED', 'the hub role')
  const route = await dial()
  t.same(await heard(), [], 'the connection may take its time')
  await t.rejects(route.password(), { code: 'AWS_DENIED', message: /the hub role/ })
  t.match(await timed(), [{ value: 1 }])
  state.error = undefined
  t.match(await (await dial()).password(), /X-Amz-Signature=/, 'the next session tries again')
})

t.test('a file of roots that cannot be read', async (t) => {
  const { dial } = start({ connect_address: '127.0.0.1:6000', ca: '/nonexistent/roots.pem' })
  await t.rejects(dial(), { code: 'TARGET_UNTRUSTED', message: /the file of its roots cannot be read/ })
})
