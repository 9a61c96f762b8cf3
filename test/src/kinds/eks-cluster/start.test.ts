/** What a session of a cluster goes by: which cluster it is, by whose credentials, and what happens when one of them does not work. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { BrokerError, type FailedLease, type PermitFacts } from '../../../../proxy/session.ts'
import type { AwsCredentials, SessionAsk } from '../../../../src/aws/aws.ts'
import { eksCluster as kind } from '../../../../src/kinds/eks-cluster/kind.ts'
import { eksCluster } from '../../../../src/kinds/eks-cluster/module.ts'
import type { KindParts } from '../../../../src/kinds/module.ts'
import { createChanges } from '../../../../src/store/changes.ts'
import { createMetrics } from '../../../../src/telemetry/metrics.ts'
import { hour, resource, startedAt } from '../../access/access-setup.ts'

const minute = 60_000
const endpoint = '0123456789abcdef0123456789abcdef.gr7.eu-west-1.eks.amazonaws.com'
const id = 'eks-cluster/111122223333/eu-west-1/web'
const credential = { kind: 'login', id: 'lgn_1' } as const
const facts = {
  sessionId: 'ses_1',
  grantId: 'grt_1',
  requestId: 'req_1',
  principalName: 'alice@example.com',
  resourceId: id,
  level: 'readonly',
  endsAt: startedAt + hour,
} as PermitFacts

/** What EKS says of the cluster. */
function described(more: object = {}): object {
  const certificateAuthority = { data: Buffer.from('the authority').toString('base64') }
  return { cluster: { name: 'web', endpoint: `https://${endpoint.toUpperCase()}`, certificateAuthority, ...more } }
}

async function start(t: Test, { attributes = {}, trust = 'hub' as 'hub' | 'web_identity' } = {}) {
  const state = {
    now: startedAt,
    asks: [] as SessionAsk[],
    spokes: 0,
    keysLastMs: hour,
    describes: 0,
    answer: described() as object,
    status: 200,
    error: undefined as Error | undefined,
  }
  const eks = createServer((_: IncomingMessage, response: ServerResponse) => {
    state.describes += 1
    response.writeHead(state.status, {
      'content-type': 'application/json',
      'x-amzn-errortype': String((state.answer as { type?: string }).type ?? ''),
    })
    response.end(JSON.stringify(state.answer))
  })
  await new Promise<void>((resolve) => eks.listen(0, '127.0.0.1', resolve))
  t.teardown(() => void eks.close().closeAllConnections())
  let made = 0
  const keys = (): AwsCredentials => {
    made += 1
    return {
      accessKeyId: `ASIA${made}`,
      secretAccessKey: 'x',
      sessionToken: 'y',
      expiresAt: state.now + state.keysLastMs,
    }
  }
  const aws = {
    session: async (ask: SessionAsk) => {
      state.asks.push(ask)
      if (state.error) throw state.error
      return keys()
    },
    spoke: async () => {
      state.spokes += 1
      return keys()
    },
  }
  const entry = resource(id, { attributes: { endpoint, ...attributes } })
  const target = eksCluster.target.read(entry)
  const level = kind.level.read({ role: 'view', rules: [{ verbs: ['get'], resources: ['pods'] }] })
  if (!target.ok || !level.ok) throw new Error('the fixture is not valid')
  const held = { resource: entry, target: target.value, level: level.value }
  const parts: Partial<Record<keyof KindParts, unknown>> = {
    aws,
    changes: createChanges(),
    clock: { now: () => state.now },
    config: {
      aws: {
        accounts: { 111122223333: { trust } },
        endpoints: { eks: `http://127.0.0.1:${(eks.address() as AddressInfo).port}` },
      },
    },
    identity: { loginOf: async () => 'lgn_1', idToken: async () => 'the person’s' },
    logger: pino({ level: 'silent' }),
    metrics: createMetrics(),
    sessions: { known: () => ({ facts, held, credential }) },
  }
  const running = await eksCluster.start?.(parts as unknown as KindParts)
  const lease = async (failed?: FailedLease) => {
    if (!running?.lease) throw new Error('it has no lease')
    return await running.lease('ses_1', failed)
  }
  return { state, lease, permit: () => running?.permit?.(held) }
}

t.test('as the person, under a name without @, and with nothing that AWS lets them do', async (t) => {
  const { state, lease } = await start(t)
  const { user, secret, ca } = await lease()
  t.equal(user, 'arn:aws:iam::111122223333:role/view')
  t.match(secret, /^k8s-aws-v1\./)
  t.equal(ca, 'the authority')
  t.match(state.asks, [{ person: 'alice@example.com', sessionName: 'alice=40example.com', policy: /"Deny"/ }])
  t.equal(state.spokes, 1, 'the broker’s own credentials say what the cluster is')
})

t.test('a token that the cluster did not take is made anew once a minute, by new credentials', async (t) => {
  const { state, lease } = await start(t)
  const { secret: first } = await lease()
  t.equal((await lease()).secret, first)
  const [one, two] = await Promise.all([lease({ secret: first }), lease({ secret: first })])
  t.not(one.secret, first)
  t.equal(one.secret, two.secret)
  t.equal(state.asks.length, 2)
  t.equal((await lease({ secret: first })).secret, one.secret, 'it has been already')
  t.equal((await lease({ secret: one.secret })).secret, one.secret, 'and it was only now')
  state.now += minute
  t.not((await lease({ secret: one.secret })).secret, one.secret)
  t.equal(state.asks.length, 3)
})

t.test('K-8: for no longer than the credentials last that sign it', async (t) => {
  const { state, lease } = await start(t)
  state.keysLastMs = 3 * minute
  const { secret, expiresAt } = await lease()
  t.equal(expiresAt, startedAt + 3 * minute)
  state.now = expiresAt
  t.not((await lease()).secret, secret)
})

t.test('an authority that did not hold is asked for again once a minute, by all at once', async (t) => {
  const { state, lease } = await start(t)
  await lease()
  state.answer = described({ certificateAuthority: { data: Buffer.from('the next').toString('base64') } })
  t.equal((await lease()).ca, 'the authority')
  const found = await Promise.all([1, 2, 3].map(() => lease({ ca: 'the authority' })))
  t.same(
    found.map(({ ca }) => ca),
    ['the next', 'the next', 'the next'],
  )
  t.equal(state.describes, 2)
  t.equal((await lease({ ca: 'the next' })).ca, 'the next')
  t.equal(state.describes, 2)
})

t.test('a cluster with another endpoint, and one that is gone', async (t) => {
  const { state, lease } = await start(t)
  await lease()
  state.answer = described({ endpoint: 'https://ffffffffffffffffffffffffffffffff.gr7.eu-west-1.eks.amazonaws.com' })
  await t.rejects(lease({ ca: 'the authority' }), { code: 'TARGET_UNTRUSTED', message: /was made anew/ })
  state.status = 404
  state.answer = { type: 'ResourceNotFoundException', message: 'No cluster found for name: web.' }
  await t.rejects(lease(), { code: 'TARGET_UNREACHABLE', message: /there is no cluster web in eu-west-1/ })
})

t.test('in an account that takes ID tokens alone both are asked for by the person’s own', async (t) => {
  const { state, lease } = await start(t, { trust: 'web_identity' })
  t.equal((await lease()).ca, 'the authority')
  t.equal(state.spokes, 0, 'nothing by the broker’s own credentials')
  const [describe, sign] = [null, 'arn:aws:iam::111122223333:role/view'].map((role) =>
    state.asks.find((ask) => ask.role === role),
  )
  t.match(describe, { person: 'alice@example.com' })
  t.same(JSON.parse(describe?.policy ?? '').Statement, [
    {
      Effect: 'Allow',
      Action: 'eks:DescribeCluster',
      Resource: 'arn:aws:eks:eu-west-1:111122223333:cluster/web',
    },
  ])
  t.equal(await describe?.idToken(), 'the person’s')
  t.equal(await sign?.idToken(), 'the person’s')
})

t.test('where it may not be read, the configuration is to say it, and then nothing is read', async (t) => {
  const { state, lease } = await start(t, { trust: 'web_identity' })
  state.status = 403
  state.answer = { type: 'AccessDeniedException', message: 'not authorized to perform: eks:DescribeCluster' }
  await t.rejects(lease(), {
    code: 'AWS_DENIED',
    message: /the role that aws.connect_role names may not read .*cluster\/web/,
    hint: /put the certificate authority of the cluster into the configuration: ca/,
  })
  state.error = new BrokerError('AWS_DENIED', 'its trust policy does not allow this person', { hint: 'It must.' })
  await t.rejects(lease(), { code: 'AWS_DENIED' })
  const own = await start(t, { trust: 'web_identity', attributes: { ca: import.meta.filename } })
  t.notOk((await own.lease()).ca)
  t.match(own.permit()?.ca, /nothing is read/)
  t.equal(own.state.describes, 0)
})

t.test('through instances: by a document for clusters alone, shared where the account trusts the hub', async (t) => {
  const via = 'ec2-instance/111122223333/eu-west-1/i-0123456789abcdef0'
  const hub = await start(t, { attributes: { via } })
  const expected = { instances: ['i-0123456789abcdef0'], document: 'Sallyport-PortCluster' }
  t.match(hub.permit(), {
    address: { host: endpoint, port: 443 },
    serverName: endpoint,
    via: { ...expected, key: 'hub' },
  })
  const personal = await start(t, { attributes: { via: [via] }, trust: 'web_identity' })
  t.match(personal.permit(), { via: { ...expected, key: null } })
  const read = (attributes: object) =>
    eksCluster.target.read(resource(id, { attributes: { endpoint, via, ...attributes } }))
  t.match(read({ connect_address: '10.0.0.7:443' }), { ok: false, problems: [{ path: 'connect_address' }] })
  t.match(read({ endpoint: 'k8s.example.com' }), { ok: false, problems: [{ path: 'endpoint', message: /with via/ }] })
})
