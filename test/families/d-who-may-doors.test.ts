/** Who may: one policy for every credential and every door. */
import t from 'tap'
import type { OpenAsk } from '../../proxy/doorman.ts'
import { type Credential, type Door, type Entry, refuseEntry, type StepUp } from '../../src/identity/admission.ts'
import { createLocalSessions } from '../../src/sessions/local-sessions.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { exampleRules, openAccess } from '../src/access/access-setup.ts'
import { from, hour, minute, ordersId, startIdentity } from '../src/identity/identity-setup.ts'
import { allowed, ask, login, start, startSessions } from '../src/sessions/sessions-setup.ts'
import { waitUntil } from '../wait-until.ts'

const stepUp: StepUp = { name: 'careful', loginWithinMs: 5 * minute, acr: [] }
const easy: StepUp = { name: 'easy', loginWithinMs: null, acr: [] }
const address = '192.0.2.7'

const fresh: Credential = { ...login, authenticatedAt: start }
const old: Credential = { ...login, authenticatedAt: start - 6 * minute }
const token: Credential = { ...login, via: 'api-token', interactive: false, scopes: ['request', 'connect', 'read'] }
const connect: Credential = { ...login, via: 'connect-token', authenticatedAt: start - hour }
const ofToken: Credential = { ...connect, interactive: false }

t.test('D1: the same answer at every door, by kind of credential and step-up', async (t) => {
  const inner = ['request', 'connect-token', 'websocket', 'credentials'] as const
  const people = ['approval', 'console'] as const
  const at = (door: Door, by: Credential, rule = stepUp) =>
    refuseEntry({ door, by, from: address, rule, now: start } as Entry)?.code ?? 'in'
  for (const door of [...inner, ...people]) {
    t.equal(at(door, fresh), 'in', door)
    t.equal(at(door, old), 'LOGIN_TOO_OLD', door)
    t.equal(at(door, old, easy), 'in', door)
    t.equal(at(door, token), 'INTERACTIVE_REQUIRED', door)
    t.equal(at(door, fresh, { ...stepUp, acr: ['phr'] }), 'LOGIN_TOO_OLD', door)
  }
  for (const door of inner) {
    t.equal(at(door, token, easy), 'in', door)
    t.equal(at(door, { ...token, scopes: ['read'] }, easy), 'SCOPE_REQUIRED', door)
    t.equal(at(door, connect, easy), 'TOKEN_INVALID', `${door}: not with a password for databases`)
  }
  for (const door of people) t.equal(at(door, token, easy), 'INTERACTIVE_REQUIRED', door)
  t.equal(at('port', connect), 'in', 'the step-up was passed when it was issued')
  t.equal(at('port', ofToken), 'INTERACTIVE_REQUIRED', 'issued by a program, before the rule demanded a person')
  t.equal(at('port', ofToken, easy), 'in')
  for (const by of [fresh, token]) t.equal(at('port', by, easy), 'TOKEN_INVALID')
  for (const door of ['port', 'websocket', 'credentials', 'console', 'cancel', 'token'] as const)
    for (const by of [fresh, token, connect])
      t.equal(at(door, { ...by, cidr: '10.0.0.0/8' }, easy), 'ADDRESS_REFUSED', `${door} ${by.via}`)
})

t.test('D1: every refusal has a code, and says what to do', async (t) => {
  const entries: Entry[] = [
    { door: 'websocket', by: old, from: address, rule: stepUp, now: start },
    { door: 'websocket', by: token, from: address, rule: stepUp, now: start },
    { door: 'request', by: { ...token, scopes: [] }, rule: easy, now: start },
    { door: 'denial', by: token },
    { door: 'token', by: { ...token, cidr: '10.0.0.0/8' }, from: address },
    { door: 'api', by: { ...token, roles: [] }, from: address, route: { access: 'user' } },
  ]
  for (const entry of entries) t.match(refuseEntry(entry), { code: /^[A-Z_]+$/, hint: /\w/ }, entry.door)
  const nothingSaid = refuseEntry({ door: 'api', by: { ...fresh, roles: ['user'] }, from: address, route: {} })
  t.equal(nothingSaid?.code, 'ROLE_REQUIRED', 'a route that says nothing is closed')
})

t.test('D1: sessions go by the credential as the store has it, at each opening', async (t) => {
  const { host, state, events } = await startSessions(t)
  const by = (via: OpenAsk['client']['via'], from = address) => ({ ...ask, client: { address: from, port: 1, via } })
  const cases: [string, OpenAsk['client']['via'], Credential, string][] = [
    ['an API token opens a websocket', 'websocket', token, 'INTERACTIVE_REQUIRED'],
    ['an API token asks for keys', 'api', token, 'INTERACTIVE_REQUIRED'],
    ['a connect token that a program had issued', 'listener', ofToken, 'INTERACTIVE_REQUIRED'],
    ['a sign-in of six minutes ago', 'websocket', old, 'LOGIN_TOO_OLD'],
    ['a sign-in of six minutes ago, for keys', 'api', old, 'LOGIN_TOO_OLD'],
    ['another network', 'websocket', { ...token, cidr: '10.0.0.0/8' }, 'ADDRESS_REFUSED'],
    ['without the scope', 'api', { ...token, scopes: ['read'] }, 'SCOPE_REQUIRED'],
  ]
  for (const [name, via, credential, code] of cases) {
    state.credential = credential
    state.answer = { ...allowed(start + hour), rule: { ...stepUp, connectTokenMaxMs: hour } } as typeof state.answer
    await t.rejects(host.open(by(via)), { code }, name)
    t.match(events.at(-1), { type: 'session.denied', fields: { code } }, name)
  }
  state.credential = fresh
  const permit = await host.open(by('websocket'))
  await host.end(permit, { reason: 'client-closed', bytesUp: 0, bytesDown: 0 })
})

t.test('D1: keys of an open session are handed out by the policy of now, and a link as well', async (t) => {
  const { sessions, state, events, now } = await startSessions(t)
  const local = createLocalSessions({
    sessions,
    recordings: { resume: async () => Promise.reject(new Error('unused')) },
    clock: { now },
    logger: createLogger({ level: 'silent' }),
  })
  const { carrier: _, ...wanted } = { ...ask, client: { ...ask.client, via: 'api' as const }, kind: 'iam-role' }
  state.kind = 'iam-role'
  for (const [door, credential, code] of [
    ['credentials', old, 'LOGIN_TOO_OLD'],
    ['credentials', token, 'INTERACTIVE_REQUIRED'],
    ['console', old, 'LOGIN_TOO_OLD'],
    ['console', token, 'INTERACTIVE_REQUIRED'],
    ['console', undefined, 'TOKEN_INVALID'],
  ] as const) {
    state.credential = credential
    state.answer = {
      ...allowed(start + hour, 'iam-role'),
      rule: { ...stepUp, connectTokenMaxMs: hour },
    } as typeof state.answer
    await t.rejects(local.check(wanted, door), { code })
    t.match(events.at(-1), { type: 'session.denied', fields: { code } })
  }
  state.credential = fresh
  t.match(await local.check(wanted, 'console'), { grant: { id: 'grt_1' } })
})

t.test('D1: a cancel comes from where its credential may be used', async (t) => {
  const { host, state, events } = await startSessions(t)
  state.credential = { ...connect, cidr: '10.0.0.0/8' }
  const permit = await host.open({ ...ask, client: { address: '10.1.2.3', port: 1, via: 'listener' } })
  t.equal(await host.doorman.mayCancel(permit.sessionId, from('10.9.9.9')), true)
  t.equal(await host.doorman.mayCancel(permit.sessionId, from('192.0.2.7')), false)
  await waitUntil(() => events.at(-1)?.type === 'session.denied') // the refusal does not wait for the log
  t.match(events.at(-1), { type: 'session.denied', fields: { code: 'ADDRESS_REFUSED', session: permit.sessionId } })
  state.credential = undefined
  t.equal(await host.doorman.mayCancel(permit.sessionId, from('10.9.9.9')), false, 'its token has ended')
  t.equal(await host.doorman.mayCancel('ses_unknown', from('10.9.9.9')), false)
})

t.test('D1: connect tokens are issued by the same policy', async (t) => {
  const setup = await startIdentity(t)
  const alice = (await setup.begin('alice')).login
  setup.grantTo(alice.principal.id)
  const { identity } = setup
  const made = await identity.apiTokens.create(alice, { name: 'ci', scopes: ['connect'], durationMs: hour })
  const byToken = await identity.authenticate({ bearer: made.token, address })
  if (!byToken) throw new Error('the token is valid')
  const early = await identity.connectTokens.issue(byToken, { resource: ordersId })
  setup.grants.rule = { loginWithinMs: 5 * minute }
  await t.rejects(identity.connectTokens.issue(byToken, { resource: ordersId }), { code: 'INTERACTIVE_REQUIRED' })
  const mine = await identity.connectTokens.issue(alice, { resource: ordersId })
  setup.time.now += 6 * minute
  await t.rejects(identity.connectTokens.issue(alice, { resource: ordersId }), { code: 'LOGIN_TOO_OLD' })
  t.match(await identity.credential({ kind: 'connect-token', id: mine.view.id }), { interactive: true })
  t.match(await identity.credential({ kind: 'connect-token', id: early.view.id }), { interactive: false })
})

t.test('D1: a connect token ends with the maker of the API token behind it', async (t) => {
  const setup = await startIdentity(t)
  const { identity } = setup
  const alice = (await setup.begin('alice')).login
  const dave = (await setup.begin('dave')).login
  const robot = await identity.createServiceAccount(dave, { name: 'robot', owner: alice.principal.id })
  await identity.acceptServiceAccount(alice, 'robot')
  setup.grantTo(robot.id)
  const ofAlice = { name: 'etl', scopes: ['connect'], durationMs: hour, serviceAccount: 'robot' } as const
  const made = await identity.apiTokens.create(alice, ofAlice)
  const byToken = await identity.authenticate({ bearer: made.token, address })
  if (!byToken) throw new Error('the token is valid')
  const { token, view } = await identity.connectTokens.issue(byToken, { resource: ordersId })
  t.match(await identity.identify({ by: 'token', token }, from(address)), { principalId: robot.id })
  await identity.lock(dave, alice.principal.id, 'left')
  await t.rejects(identity.identify({ by: 'token', token }, from(address)), { code: 'PRINCIPAL_LOCKED' })
  t.equal(await identity.credential({ kind: 'connect-token', id: view.id }), undefined)
})

t.test('D1: requests and approvals go by it too, and say so in words', async (t) => {
  const [read] = exampleRules.access
  const rules = { access: [{ ...read, require: { login_within: '5m' } }] } as Partial<typeof exampleRules>
  const setup = await openAccess(t, { rules })
  const bot = setup.login('alice', { via: 'api-token', interactive: false, scopes: ['request'] })
  const wanted = { resource: 'orders', level: 'readonly' }
  await t.rejects(setup.access.request(bot, wanted), { code: 'INTERACTIVE_REQUIRED', hint: /login --fresh/ })
  await t.rejects(setup.access.request({ ...bot, scopes: ['read'] }, wanted), { code: 'SCOPE_REQUIRED' })
  const late = setup.login('alice', { authenticatedAt: setup.clock.now() - 6 * minute })
  await t.rejects(setup.access.request(late, wanted), { code: 'LOGIN_TOO_OLD', message: /within the last 5m/ })
  t.match(await setup.access.request(setup.login('alice'), wanted), { request: { status: 'granted' } })
  const answer = await setup.access.check({ principalId: 'alice', resource: 'orders' })
  t.match(answer, { allowed: true, rule: { name: 'engineers-read', loginWithinMs: 5 * minute, acr: [] } })
})
