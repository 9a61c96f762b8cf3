import { readFileSync } from 'node:fs'
import { mock } from 'node:test'
import { pino } from 'pino'
import t from 'tap'
import type { Identity } from '../../../../proxy/doorman.ts'
import { BrokerError, type SessionPermit } from '../../../../proxy/session.ts'
import type { AwsCredentials, SessionAsk } from '../../../../src/aws/aws.ts'
import type { Config } from '../../../../src/config/config.ts'
import { Leases } from '../../../../src/kinds/leases.ts'
import { databaseLease, sign } from '../../../../src/kinds/rds/lease.ts'
import type { RdsLevel } from '../../../../src/kinds/rds/level.ts'
import { rdsPostgres } from '../../../../src/kinds/rds-postgres/kind.ts'
import { createChanges } from '../../../../src/store/changes.ts'
import { waitUntil } from '../../../wait-until.ts'
import { hour, minute, ordersId, resource, startedAt } from '../../access/access-setup.ts'

interface Vector {
  readonly name: string
  readonly input: {
    readonly hostname: string
    readonly port: number
    readonly username: string
    readonly region: string
    readonly credentials: {
      readonly accessKeyId: string
      readonly secretAccessKey: string
      readonly sessionToken?: string
    }
  }
  readonly output: string
}

const vectors = JSON.parse(readFileSync(new URL('../../../fixtures/aws-vectors.json', import.meta.url), 'utf8')) as {
  readonly clock: string
  readonly rdsToken: readonly Vector[]
}

t.test('tokens are those that AWS’s own tools make', async (t) => {
  mock.timers.enable({ apis: ['Date'], now: Date.parse(vectors.clock) })
  t.teardown(() => mock.timers.reset())
  t.ok(vectors.rdsToken.length > 3)
  for (const { name, input, output } of vectors.rdsToken) {
    const { hostname: endpoint, port, region, username, credentials } = input
    const held = { sessionToken: '', expiresAt: Number.POSITIVE_INFINITY, ...credentials }
    t.same(parts(await sign({ endpoint, port, region }, username, held)), parts(output), name)
  }
})

/** The order of a query's parameters means nothing; every other byte does. */
function parts(token: string): string[] {
  return token.split(/[?&]/).sort()
}

const parsed = rdsPostgres.target.read(
  resource(ordersId, {
    attributes: {
      endpoint: 'orders.abc123.eu-west-1.rds.amazonaws.com',
      resource_id: 'db-ORDERS',
      role: 'arn:aws:iam::111122223333:role/Databases',
    },
  }),
)
if (!parsed.ok) throw new Error('the target is broken')
const target = parsed.value
const level: RdsLevel = {
  dbUser: 'sallyport_ro',
  isPersonal: false,
  databases: ['*'],
  statementTimeoutMs: 0,
  maxRows: 0,
  isRecordingStrict: false,
  budget: null,
}

type Session = SessionPermit & { readonly credential: Identity['credential'] }

function permit(more: Partial<Session> = {}): Session {
  const base = {
    grantId: 'grt_1',
    requestId: 'req_1',
    principalName: 'alice@example.com',
    resourceId: ordersId,
    level: 'readonly',
    endsAt: startedAt + 8 * hour,
    credential: { kind: 'login', id: 'lgn_1' },
  }
  return { ...base, ...more } as Session
}

const personal = { [target.account]: { trust: 'web_identity' } } as unknown as Config['aws']['accounts']

/** Credentials last an hour, and are given once the test says so; with `personal`, for an ID token alone. */
function start(accounts: Config['aws']['accounts'] = {}) {
  const state = { now: startedAt, asks: [] as SessionAsk[], fails: false, idTokens: [] as string[], erased: false }
  const changes = createChanges()
  const aws = {
    session: async (ask: SessionAsk): Promise<AwsCredentials> => {
      state.asks.push(ask)
      await new Promise((resolve) => setImmediate(resolve))
      if (state.fails) throw new Error('AWS is down')
      if (accounts === personal) await ask.idToken()
      const n = state.asks.length
      const expiresAt = state.now + hour
      return { accessKeyId: `ASIA${n}`, secretAccessKey: 'secret', sessionToken: `token-${n}`, expiresAt }
    },
  }
  const identity = {
    loginOf: async ({ kind, id }: Identity['credential']) => {
      if (state.erased) throw new BrokerError('LOGIN_REQUIRED', 'the connect token has been erased')
      return kind === 'connect-token' ? `lgn_of_${id}` : id
    },
    idToken: async (login: string) => {
      if (login.startsWith('api_')) throw new BrokerError('LOGIN_REQUIRED', 'API tokens have none')
      state.idTokens.push(login)
      return `ID token of ${login}`
    },
  }
  const leases = new Leases(
    {
      aws,
      changes,
      clock: { now: () => state.now },
      config: { aws: { accounts } },
      identity,
      logger: pino({ level: 'silent' }),
    },
    databaseLease,
  )
  const revoke = (id: string) =>
    changes.publish({ what: 'grant', id, reason: 'grant-revoked', text: '', decidedAt: state.now })
  return {
    state,
    leases,
    revoke,
    token: async (more?: Partial<Session>) => (await leases.token(permit(more), target, level)).text,
  }
}

t.test('two hundred sessions of a grant ask AWS once', async (t) => {
  const { state, token } = start()
  const tokens = await Promise.all(Array.from({ length: 200 }, () => token()))
  t.equal(state.asks.length, 1)
  t.equal(new Set(tokens).size, 1)
  t.match(tokens[0], /^orders\.abc123\.eu-west-1\.rds\.amazonaws\.com:5432\/\?Action=connect&DBUser=sallyport_ro&/)
})

t.test('the session may sign in as exactly one user of one database, as this person, for this grant', async (t) => {
  const { state, token } = start()
  await token()
  const { policy, ...ask } = state.asks[0] ?? { policy: '{}' }
  t.same(JSON.parse(policy ?? ''), {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Action: 'rds-db:connect',
        Resource: 'arn:aws:rds-db:eu-west-1:111122223333:dbuser:db-ORDERS/sallyport_ro',
      },
    ],
  })
  t.match(ask, {
    account: '111122223333',
    role: 'arn:aws:iam::111122223333:role/Databases',
    person: 'alice@example.com',
    grantId: 'grt_1',
    requestId: 'req_1',
    until: startedAt + 8 * hour + 2 * minute, // so that the end itself can still be signed for
  })
})

t.test('nothing is shared between grants, levels and users', async (t) => {
  const { state, leases, token } = start()
  await token()
  await token({ grantId: 'grt_2' })
  await token({ level: 'admin' })
  await leases.token(permit(), target, { ...level, dbUser: 'sallyport_rw' })
  t.equal(state.asks.length, 4)
})

t.test('a token is made anew before it is too old to sign in, from the same credentials', async (t) => {
  const { state, token } = start()
  await token()
  state.now += 9 * minute + 50_000 // ten seconds before it is too old
  await token()
  t.equal(state.asks.length, 1)
})

t.test('credentials are renewed while the grant lives', async (t) => {
  const { state, token } = start()
  await token()
  state.now += hour
  await token()
  t.equal(state.asks.length, 2)
})

t.test(
  'what a grant had is forgotten when the grant changes, and an extended one gets credentials of its own length',
  async (t) => {
    const { state, token, revoke } = start()
    await token()
    await token({ grantId: 'grt_2' })
    revoke('grt_1')
    await token({ grantId: 'grt_2' })
    t.equal(state.asks.length, 2)
    await token()
    t.equal(state.asks.length, 3)
    await token({ endsAt: startedAt + 9 * hour })
    t.equal(state.asks.at(-1)?.until, startedAt + 9 * hour + 2 * minute)
  },
)

t.test('a failure is not kept', async (t) => {
  const { state, token } = start()
  state.fails = true
  await t.rejects(token(), /AWS is down/)
  state.fails = false
  t.ok(await token())
})

const connectToken = { kind: 'connect-token', id: 'abc' } as const
const robot = { kind: 'api-token', id: 'api_1' } as const

t.test('through the hub every sign-in of the person shares one lease, and no ID token is asked for', async (t) => {
  const { state, token } = start()
  for (const credential of [connectToken, robot, undefined]) await token(credential ? { credential } : {})
  t.equal(state.asks.length, 1)
  t.same(state.idTokens, [])
})

t.test('D8: with the person’s own ID token, that of the login behind the credential', async (t) => {
  const { state, token } = start(personal)
  await Promise.all([token({ credential: connectToken }), token({ credential: connectToken })])
  await token()
  t.same(state.idTokens, ['lgn_of_abc', 'lgn_1'])
})

t.test('D8: what a person signed in for serves no robot, though both hold the same grant', async (t) => {
  const { leases, token } = start(personal)
  await token()
  t.equal(leases.atHand(permit({ credential: robot }), target, level), undefined)
  await t.rejects(token({ credential: robot }), { code: 'LOGIN_REQUIRED', message: /API tokens have none/ })
  t.ok(leases.atHand(permit(), target, level))
})

t.test('D8: a connect token may be erased while its session goes on: its login is known by then', async (t) => {
  const { state, leases, token } = start(personal)
  await token({ credential: connectToken })
  state.erased = true
  state.now += 55 * minute
  await leases.renew(() => true)
  await waitUntil(() => state.idTokens.length === 2, 'it is renewed')
  await new Promise((resolve) => setImmediate(resolve))
  state.now += 10 * minute
  t.ok(await leases.tokenToEnd(permit({ credential: connectToken }), target, level))
  t.same(state.idTokens, ['lgn_of_abc', 'lgn_of_abc'])
})
