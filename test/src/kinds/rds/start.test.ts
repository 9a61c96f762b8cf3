/** Where a session goes, and as whom. */
import { pino } from 'pino'
import t from 'tap'
import { BrokerError, type PermitFacts } from '../../../../proxy/session.ts'
import type { AwsCredentials, SessionAsk } from '../../../../src/aws/aws.ts'
import type { KindParts } from '../../../../src/kinds/module.ts'
import type { RdsLevel } from '../../../../src/kinds/rds/level.ts'
import type { RdsTarget } from '../../../../src/kinds/rds/target.ts'
import { rdsPostgres } from '../../../../src/kinds/rds-postgres/module.ts'
import { createChanges } from '../../../../src/store/changes.ts'
import { hour, ordersId, resource, startedAt } from '../../access/access-setup.ts'

const endpoint = 'orders.abc123.eu-west-1.rds.amazonaws.com'
const level: RdsLevel = {
  dbUser: 'sallyport_ro',
  isPersonal: false,
  databases: ['shop'],
  statementTimeoutMs: 30_000,
  maxRows: 10,
  isRecordingStrict: false,
  budget: null,
}
const facts = {
  grantId: 'grt_1',
  requestId: 'req_1',
  principalName: 'alice@example.com',
  resourceId: ordersId,
  level: 'readonly',
  endsAt: startedAt + hour,
} as PermitFacts

const credential = { kind: 'login', id: 'lgn_1' } as const

const entry = (attributes: Record<string, unknown>) =>
  resource(ordersId, { attributes: { endpoint, resource_id: 'db-ORDERS', ...attributes } })

function targetOf(attributes: Record<string, unknown>): RdsTarget {
  const parsed = rdsPostgres.target.read(entry(attributes))
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems))
  return parsed.value
}

/** AWS answers once the test lets it, if it is held. */
async function start(attributes: Record<string, unknown>) {
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
  const held = { resource: entry(attributes), target: targetOf(attributes), level }
  const parts: Partial<Record<keyof KindParts, unknown>> = {
    aws,
    changes: createChanges(),
    clock: { now: () => startedAt },
    config: { aws: { accounts: {} } },
    logger: pino({ level: 'silent' }),
    sessions: { known: () => ({ facts, held, credential }) },
  }
  const running = await rdsPostgres.start?.(parts as unknown as KindParts)
  const release = () => {
    for (const resolve of waiting.splice(0)) resolve()
  }
  const lease = async () => {
    if (!running?.lease) throw new Error('it has no lease')
    return await running.lease('ses_1')
  }
  const atHand = () => running?.leaseAtHand?.({ facts, held, credential })
  return { state, release, lease, atHand, permit: () => running?.permit?.(held) }
}

t.test('connected to the address; certificate and token are for the endpoint', async (t) => {
  const { lease, permit, state } = await start({ connect_address: 'localhost:6000', port: 5433, database: 'shop' })
  t.same(permit(), {
    address: { host: 'localhost', port: 6000 },
    serverName: endpoint,
    isRecordingStrict: false,
    ca: null,
    connectTimeoutMs: 60_000,
    signInsPerSecond: 100,
    rules: { databases: ['shop'], defaultDatabase: 'shop', statementTimeoutMs: 30_000, maxRows: 10 },
  })
  const { user, secret } = await lease()
  t.equal(user, 'sallyport_ro')
  const token = new URL(`https://${secret}`)
  t.equal(token.host, `${endpoint}:5433`)
  t.equal(token.searchParams.get('DBUser'), 'sallyport_ro')
  t.equal(state.asks.length, 1)
})

t.test('a token that is there comes with the permit', async (t) => {
  const { atHand, lease } = await start({ connect_address: '127.0.0.1:6000' })
  t.equal(atHand(), null, 'nobody has asked for it yet')
  t.same(await lease(), atHand())
})

t.test('two sessions of a grant share one token', async (t) => {
  const { lease, state, release } = await start({ connect_address: '127.0.0.1:6000' })
  state.held = true
  const both = Promise.all([lease(), lease()])
  await new Promise((resolve) => setImmediate(resolve))
  t.equal(state.asks.length, 1)
  release()
  const [one, two] = await both
  t.equal(one.secret, two.secret)
})

t.test('a link-local address in the catalog itself', async (t) => {
  for (const host of ['169.254.169.254', '::ffff:169.254.169.254', 'fe80::1', 'fd00:ec2::254']) {
    const written = { connect_address: host.includes(':') ? `[${host}]:80` : `${host}:80` }
    t.match(
      rdsPostgres.target.read(entry(written)),
      { ok: false, problems: [{ path: 'connect_address', message: 'link-local addresses are not allowed' }] },
      host,
    )
  }
})

t.test('AWS refuses: the session is told, and the next one tries again', async (t) => {
  const { lease, state } = await start({ connect_address: '127.0.0.1:6000' })
  state.error = new BrokerError('AWS_DENIED', 'the hub role')
  await t.rejects(lease(), { code: 'AWS_DENIED', message: /the hub role/ })
  state.error = undefined
  t.match((await lease()).secret, /X-Amz-Signature=/)
})

t.test('a file of roots that cannot be read', async (t) => {
  const { permit } = await start({ connect_address: '127.0.0.1:6000', ca: '/nonexistent/roots.pem' })
  t.throws(permit, { code: 'TARGET_UNTRUSTED', message: /its file of trusted roots cannot be read/ })
})

t.test('M-9: signed for the endpoint and port of RDS, whatever name or address they lead to', async (t) => {
  const writer = 'orders.cluster-abc123.eu-west-1.rds.amazonaws.com'
  const { lease, permit } = await start({ endpoint: writer, port: 5433, resource_id: 'cluster-ORDERS' })
  t.equal(new URL(`https://${(await lease()).secret}`).host, `${writer}:5433`)
  t.match(permit(), { serverName: writer, address: { host: writer, port: 5433 }, isWriter: true })
})

t.test('what the engine must know of an endpoint', async (t) => {
  const region = 'eu-west-1.rds.amazonaws.com'
  const reader = await start({ endpoint: `orders.cluster-ro-abc123.${region}`, resource_id: 'cluster-ORDERS' })
  t.notMatch(reader.permit(), { isWriter: true })
  const proxy = await start({ endpoint: `orders.proxy-abc123.${region}`, resource_id: 'prx-ORDERS' })
  t.match(proxy.permit(), { isPooled: true })
})
