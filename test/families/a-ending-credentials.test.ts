/** A7: the credential that ends what a session left running outlives the grant, and serves for nothing else. */
import { pino } from 'pino'
import t from 'tap'
import { BrokerError, type SessionPermit } from '../../proxy/session.ts'
import type { AwsCredentials, SessionAsk } from '../../src/aws/aws.ts'
import type { Config } from '../../src/config/config.ts'
import { Leases } from '../../src/kinds/leases.ts'
import { databaseLease } from '../../src/kinds/rds/lease.ts'
import type { RdsLevel } from '../../src/kinds/rds/level.ts'
import { rdsPostgres } from '../../src/kinds/rds-postgres/kind.ts'
import { createChanges } from '../../src/store/changes.ts'
import { hour, minute, ordersId, resource, startedAt } from '../src/access/access-setup.ts'
import { waitUntil } from '../wait-until.ts'

const endpoint = 'orders.abc123.eu-west-1.rds.amazonaws.com'
const parsed = rdsPostgres.target.read(resource(ordersId, { attributes: { endpoint, resource_id: 'db-ORDERS' } }))
if (!parsed.ok) throw new Error('the target is broken')
const target = parsed.value
const read = rdsPostgres.level.read({ db_user: 'sallyport_ro' })
if (!read.ok) throw new Error('the level is broken')
const level: RdsLevel = read.value

function permit(sessionId: string, endsAt = startedAt + 8 * hour) {
  const names = { grantId: 'grt_1', requestId: 'req_1', principalName: 'alice@example.com', level: 'readonly' }
  return { ...({ sessionId, resourceId: ordersId, endsAt, ...names } as SessionPermit), credential: login }
}

const login = { kind: 'login', id: 'lgn_1' } as const
const personal = { [target.account]: { trust: 'web_identity' } } as unknown as Config['aws']['accounts']

/** AWS gives credentials of at most an hour, numbered; with `personal`, for an ID token alone. */
function start(accounts: Config['aws']['accounts'] = {}) {
  const state = {
    now: startedAt,
    asks: [] as SessionAsk[],
    isDown: false,
    hasLeft: false,
    brokenRole: '' as string | null,
    onAsk: (_: SessionAsk): void | Promise<void> => {},
  }
  const logged: string[] = []
  const changes = createChanges()
  const session = async (ask: SessionAsk): Promise<AwsCredentials> => {
    if (state.isDown) throw new Error('AWS is down')
    if (ask.role === state.brokenRole) throw new Error('AWS denied it')
    if (accounts === personal) await ask.idToken()
    const n = state.asks.push(ask)
    await state.onAsk(ask)
    const expiresAt = Math.min(state.now + hour, Math.max(ask.until, state.now + 15 * minute))
    return { accessKeyId: `ASIA${n}`, secretAccessKey: 'secret', sessionToken: `token-${n}`, expiresAt }
  }
  const leases = new Leases(
    {
      aws: { session },
      changes,
      clock: { now: () => state.now },
      config: { aws: { accounts } },
      identity: {
        loginOf: async ({ id }) => id,
        idToken: async () => {
          if (state.hasLeft) throw new BrokerError('LOGIN_REQUIRED', 'the sign-in has ended')
          return 'token'
        },
      },
      logger: pino({ level: 'warn' }, { write: (line: string) => void logged.push(line) }),
    },
    databaseLease,
  )
  const remove = () =>
    changes.publish({ what: 'grant', id: 'grt_1', reason: 'grant-revoked', text: '', decidedAt: state.now })
  return { state, leases, remove, logged }
}

const signedBy = (token: string) => /X-Amz-Credential=(ASIA[0-9]+)/.exec(token)?.[1]

t.test('A7: after a revocation the last token is signed without AWS, by what was there', async (t) => {
  const { state, leases, remove } = start()
  await leases.token(permit('ses_1'), target, level)
  remove()
  state.isDown = true
  const { text } = await leases.tokenToEnd(permit('ses_1'), target, level)
  t.equal(signedBy(text), 'ASIA1')
  t.equal(leases.atHand(permit('ses_1'), target, level), undefined, 'a new sign-in finds nothing')
  await t.rejects(leases.token(permit('ses_1'), target, level), { message: 'AWS is down' })
})

t.test('A7: it is given once, and to the sessions of that grant alone', async (t) => {
  const { state, leases, remove } = start()
  await leases.token(permit('ses_1'), target, level)
  remove()
  state.isDown = true
  await t.rejects(leases.tokenToEnd(permit('ses_2'), target, level), { message: 'AWS is down' })
  await leases.tokenToEnd(permit('ses_1'), target, level)
  await t.rejects(leases.tokenToEnd(permit('ses_1'), target, level), { message: 'AWS is down' })
})

t.test('A7: a session of many hours: its credentials are renewed while it is open, and not after', async (t) => {
  const { state, leases } = start()
  await leases.token(permit('ses_1'), target, level)
  for (let passed = 0; passed < 3 * hour; passed += 2 * minute) {
    state.now += 2 * minute
    await leases.renew(() => true)
  }
  const asked = state.asks.length
  t.ok(asked >= 3, `AWS was asked ${asked} times`)
  state.isDown = true
  t.equal(signedBy((await leases.tokenToEnd(permit('ses_1'), target, level)).text), `ASIA${asked}`)
  state.isDown = false
  state.now += 2 * hour
  await leases.renew(() => false)
  t.equal(state.asks.length, asked, 'the session is over')
})

t.test('A7: a role that AWS refuses keeps no other session from being renewed, and is logged', async (t) => {
  const { state, leases, logged } = start()
  const others = ['Orders', 'Billing'].map((name) => ({ ...target, role: `arn:aws:iam::111122223333:role/${name}` }))
  for (const each of [target, ...others]) await leases.token(permit('ses_1'), each, level)
  state.brokenRole = target.role
  state.now += 59 * minute + 30_000
  await leases.renew(() => true)
  t.same(
    state.asks.slice(3).map(({ role }) => role),
    others.map(({ role }) => role),
  )
  t.equal(logged.length, 1)
  t.match(JSON.parse(logged[0] ?? ''), { msg: 'a lease could not be renewed ahead', err: { message: 'AWS denied it' } })
  state.isDown = true
  for (const each of others) t.ok(await leases.tokenToEnd(permit('ses_1'), each, level))
})

t.test('A7: a role that takes its time holds up no other', async (t) => {
  const { state, leases } = start()
  const other = { ...target, role: 'arn:aws:iam::111122223333:role/Orders' }
  for (const each of [target, other]) await leases.token(permit('ses_1'), each, level)
  const asked = Promise.withResolvers<void>()
  state.onAsk = (ask) => (ask.role === target.role ? asked.promise : asked.resolve())
  state.now += 59 * minute + 30_000
  await leases.renew(() => true)
  t.equal(state.asks.length, 4)
})

t.test('A7: the grant runs out: the credentials still sign its end', async (t) => {
  const { state, leases, remove } = start()
  const endsAt = startedAt + 40 * minute
  await leases.token(permit('ses_1', endsAt), target, level)
  state.now = endsAt
  remove()
  state.isDown = true
  t.equal(signedBy((await leases.tokenToEnd(permit('ses_1', endsAt), target, level)).text), 'ASIA1')
})

t.test('A7: nothing is there, as after a restart: AWS is asked for the shortest that there is', async (t) => {
  const { state, leases } = start()
  const { text } = await leases.tokenToEnd(permit('ses_lost', startedAt - hour), target, level)
  t.equal(signedBy(text), 'ASIA1')
  t.match(state.asks, [{ until: startedAt, grantId: 'grt_1' }])
  t.match(state.asks[0]?.policy, /"rds-db:connect"/)
})

t.test('A7: by the person’s own ID token: what was kept ready signs the end, though the person has left', async (t) => {
  const { state, leases, remove, logged } = start(personal)
  await leases.token(permit('ses_1'), target, level)
  for (let passed = 0; passed < 3 * hour; passed += 2 * minute) {
    state.now += 2 * minute
    await leases.renew(() => true)
  }
  const renewed = state.asks.length
  t.ok(renewed >= 3, `AWS was asked ${renewed} times`)
  state.hasLeft = true
  remove()
  t.equal(signedBy((await leases.tokenToEnd(permit('ses_1'), target, level)).text), `ASIA${renewed}`)
  await t.rejects(leases.token(permit('ses_1'), target, level), { code: 'LOGIN_REQUIRED' })
  t.same(logged, [])
})

t.test('A7: it can be renewed no more: that is logged, and once it is over nothing ends what runs', async (t) => {
  const { state, leases, logged } = start(personal)
  await leases.token(permit('ses_1'), target, level)
  state.hasLeft = true
  state.now += 52 * minute
  await leases.renew(() => true)
  await waitUntil(() => logged.length > 0, 'it is logged')
  t.match(
    logged.map((line) => JSON.parse(line)),
    [{ msg: 'a lease could not be renewed ahead', err: { code: 'LOGIN_REQUIRED' } }],
  )
  state.now += 9 * minute
  await t.rejects(leases.tokenToEnd(permit('ses_1'), target, level), { code: 'LOGIN_REQUIRED' })
})
