/** Who may: service accounts hold at most what their owner holds and agrees to. */
import t, { type Test } from 'tap'
import { exampleRules, openAccess, principal } from '../src/access/access-setup.ts'
import { from, hour, ordersId, startIdentity } from '../src/identity/identity-setup.ts'

const address = '192.0.2.7'
const forRobot = { name: 'etl', scopes: ['request', 'connect'], durationMs: hour, serviceAccount: 'robot' } as const

async function withRobot(t: Test, groups = ['engineering']) {
  const setup = await startIdentity(t)
  const { identity } = setup
  const alice = (await setup.begin('alice', 'cli', { groups: ['engineering', 'finance'], refreshToken: 'r1' })).login
  const dave = (await setup.begin('dave')).login
  const robot = await identity.createServiceAccount(dave, { name: 'robot', owner: 'alice@example.com', groups })
  const signIn = async (token: string) => (await identity.authenticate({ bearer: token, address }))?.principal
  return { setup, identity, alice, dave, robot, signIn }
}

t.test('D2: an account in groups that its owner is not in is refused, and says why', async (t) => {
  const { identity, dave } = await withRobot(t)
  for (const owner of ['alice@example.com', undefined])
    await t.rejects(
      identity.createServiceAccount(dave, { name: 'other', groups: ['database-owners'], ...(owner ? { owner } : {}) }),
      { code: 'INVALID_INPUT', message: /is not in database-owners, and a service account holds at most/ },
    )
})

t.test('D2: it acts once its owner agrees, by an act of theirs, which is audited first', async (t) => {
  const { setup, identity, alice, dave, robot, signIn } = await withRobot(t)
  t.equal(robot.active, false)
  t.match((await identity.serviceAccounts(alice, {})).items, [{ id: robot.id, active: false }])
  t.same((await identity.serviceAccounts(dave, {})).items, [])
  await t.rejects(identity.apiTokens.create(alice, forRobot), { code: 'PRINCIPAL_INACTIVE', hint: /accept robot/ })
  await t.rejects(identity.acceptServiceAccount(dave, 'robot'), { code: 'NOT_FOUND' }, 'not even an admin')
  const own = await identity.apiTokens.create(alice, { name: 'x', scopes: ['request'], durationMs: hour })
  const byToken = await identity.authenticate({ bearer: own.token, address })
  if (!byToken) throw new Error('the token is valid')
  await t.rejects(identity.acceptServiceAccount(byToken, 'robot'), { code: 'INTERACTIVE_REQUIRED' })
  setup.audit.down = true
  await t.rejects(identity.acceptServiceAccount(alice, 'robot'), { code: 'AUDIT_UNAVAILABLE' })
  setup.audit.down = false
  t.equal((await identity.principal(robot.id))?.active, false)
  await identity.acceptServiceAccount(alice, 'robot')
  t.match(setup.events('service-account.accepted'), [
    { actor: alice.principal.id, fields: { principal: robot.id, groups: ['engineering'] } },
  ])
  const { token } = await identity.apiTokens.create(alice, forRobot)
  t.match(await signIn(token), { id: robot.id, groups: ['engineering'] })
})

t.test('D2: only the owner makes tokens for it; an older token of another person is void', async (t) => {
  const { setup, identity, alice, dave, signIn } = await withRobot(t)
  await identity.acceptServiceAccount(alice, 'robot')
  await t.rejects(identity.apiTokens.create(dave, forRobot), { code: 'NOT_FOUND' }, 'an admin')
  const { token, view } = await identity.apiTokens.create(alice, forRobot)
  const row = await setup.db.selectFrom('api_tokens').selectAll().where('id', '=', view.id).executeTakeFirstOrThrow()
  const { signRow } = await import('../../src/identity/signed-rows.ts')
  const { mac: _, ...columns } = row
  const ofDave = signRow(setup.keyring, 'api_tokens', { ...columns, created_by: dave.principal.id })
  await setup.db.updateTable('api_tokens').set(ofDave).where('id', '=', view.id).execute()
  await t.rejects(signIn(token), { code: 'TOKEN_INVALID' })
  t.equal(await identity.credential({ kind: 'api-token', id: view.id }), undefined)
})

t.test(
  'D2: its owner alone finds it, by its id or its name; another’s and what no account is called look the same',
  async (t) => {
    const { identity, alice, dave, robot } = await withRobot(t)
    for (const reference of ['robot', robot.id])
      t.match(await identity.acceptServiceAccount(alice, reference), { id: robot.id, active: true })
    const unknown = ['robots', 'prn_none', alice.principal.id, '', 'r'.repeat(320), `prn_${'0'.repeat(316)}`]
    for (const reference of unknown)
      await t.rejects(identity.acceptServiceAccount(alice, reference), { code: 'NOT_FOUND' }, reference)
    for (const reference of ['robot', robot.id])
      await t.rejects(identity.withdrawServiceAccount(dave, reference), { code: 'NOT_FOUND' }, reference)
  },
)

t.test('D2: it is in no group that its owner has left, and grants are judged again', async (t) => {
  const { setup, identity, alice, robot } = await withRobot(t, ['engineering', 'finance'])
  await identity.acceptServiceAccount(alice, 'robot')
  t.same((await identity.principal(robot.id))?.groups, ['engineering', 'finance'])
  setup.changed.length = 0
  await setup.begin('alice', 'cli', { groups: ['engineering'] })
  t.same((await identity.principal(robot.id))?.groups, ['engineering'])
  t.ok(setup.changed.some((change) => change.what === 'directory' && change.id === robot.id))
})

t.test('D2: it stops with its owner: locked, gone, or no longer willing', async (t) => {
  const stops: [string, string, (made: Awaited<ReturnType<typeof withRobot>>) => Promise<unknown>][] = [
    ['locked', 'PRINCIPAL_LOCKED', ({ identity, dave, alice }) => identity.lock(dave, alice.principal.id, 'left')],
    ['withdrawn', 'PRINCIPAL_INACTIVE', ({ identity, alice }) => identity.withdrawServiceAccount(alice, 'robot')],
    [
      'the owner’s row is gone',
      'PRINCIPAL_INACTIVE',
      ({ setup, alice }) => setup.db.deleteFrom('principals').where('id', '=', alice.principal.id).execute(),
    ],
  ]
  for (const [name, code, stop] of stops) {
    const made = await withRobot(t)
    const { setup, identity, alice, robot, signIn } = made
    await identity.acceptServiceAccount(alice, 'robot')
    const { token, view } = await identity.apiTokens.create(alice, forRobot)
    setup.grantTo(robot.id)
    const byToken = await identity.authenticate({ bearer: token, address })
    if (!byToken) throw new Error('the token is valid')
    const connect = await identity.connectTokens.issue(byToken, { resource: ordersId })
    const credentials = [
      { kind: 'api-token', id: view.id },
      { kind: 'connect-token', id: connect.view.id },
    ] as const
    for (const one of credentials) t.ok(await identity.credential(one), one.kind)
    setup.changed.length = 0
    await stop(made)
    for (const one of credentials) t.equal(await identity.credential(one), undefined, `${name}: ${one.kind}`)
    await t.rejects(signIn(token), { code }, name)
    await t.rejects(identity.identify({ by: 'token', token: connect.token }, from(address)), { code }, name)
    if (name === 'the owner’s row is gone') continue
    const reason = name === 'locked' ? 'principal-locked' : 'principal-inactive'
    t.ok(
      setup.changed.some((change) => change.what === 'principal' && change.id === robot.id && change.reason === reason),
      `${name}: its sessions are cut`,
    )
  }
})

t.test('D2: an account is unlocked with its owner, not by itself', async (t) => {
  const { identity, alice, dave, robot } = await withRobot(t)
  await identity.acceptServiceAccount(alice, 'robot')
  await identity.lock(dave, alice.principal.id, '')
  await t.rejects(identity.unlock(dave, robot.id, ''), { code: 'INVALID_INPUT', message: /owner of robot is locked/ })
  await identity.unlock(dave, alice.principal.id, '')
  t.equal((await identity.principal(robot.id))?.lockedAt, null)
})

t.test('D2: who made it is known from the log, also by the next daemon', async (t) => {
  const { setup, dave, robot } = await withRobot(t)
  t.equal((await setup.identity.principal(robot.id))?.madeBy, dave.principal.id)
  await setup.restart()
  t.equal((await setup.identity.principal(robot.id))?.madeBy, dave.principal.id)
})

t.test('D2: neither the owner nor the maker of an account decides its requests, no matter who asked', async (t) => {
  const [, write] = exampleRules.access
  const people = [
    principal('ann', { groups: ['engineering'] }),
    principal('max', { groups: ['owners', 'engineering'] }),
    principal('bob', { groups: ['owners'] }),
    principal('bot', { kind: 'service', email: null, groups: ['engineering'], ownerId: 'ann', madeBy: 'max' }),
  ]
  const access = [{ ...write, approval: { stages: [{ any_of: ['group:owners'] }] } }] as typeof exampleRules.access
  const setup = await openAccess(t, { people, rules: { access } })
  const ask = { resource: 'orders', level: 'admin', durationMs: hour, reason: 'r', ticket: 'OPS-1' }
  const bot = setup.login('bot', { via: 'api-token', interactive: false, scopes: ['request'] })
  const byBot = (await setup.access.request(bot, ask)).request
  const byAnn = (await setup.access.request(setup.login('ann'), { ...ask, onBehalfOf: 'bot' })).request
  for (const { id, digest } of [byBot, byAnn]) {
    const decide = { verdict: 'approve', digest } as const
    const refused = { code: 'DECISION_REFUSED', message: /you made the service account in this request/ }
    await t.rejects(setup.access.decide(setup.login('max'), id, decide), refused)
    t.match(await setup.access.decide(setup.login('bob'), id, decide), { request: { status: 'granted' } })
  }
  t.equal(setup.audit.of('decision.refused').length, 2)
})
