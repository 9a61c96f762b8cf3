/** Levels that hold `{login}`: who gets what user, and that nothing that changes later changes a grant. */
import t from 'tap'
import { config, hour, levels, openAccess, ordersId, principal } from './access-setup.ts'

const own = { resource: 'orders', level: 'own', durationMs: hour }
const reviewed = { resource: 'orders', level: 'reviewed', durationMs: hour }
const rule = { who: { groups: ['engineering'] }, what: { ids: [ordersId] }, max_duration: '8h' }

const rules = {
  levels: [
    levels(
      { kinds: ['rds-postgres'] },
      { readonly: { user: 'ro' }, own: { user: 'app_{login}' }, reviewed: { user: 'app_{login}' } },
    ),
  ],
  access: [
    { ...rule, name: 'own', levels: ['own'] },
    { ...rule, name: 'reviewed', levels: ['reviewed'], approval: { stages: [{ any_of: ['group:owners'] }] } },
  ],
}
const people = [
  principal('alice', { groups: ['engineering'] }),
  principal('bob', { groups: ['engineering'] }),
  principal('olga', { groups: ['owners'] }),
]

async function open(t: Parameters<typeof openAccess>[0]) {
  const setup = await openAccess(t, { rules, people })
  setup.loginNames.set('alice', { name: 'alice' })
  setup.loginNames.set('bob', { name: 'bob' })
  return {
    ...setup,
    userOf: async (who: string, level = 'own') => {
      const answer = await setup.access.check({ principalId: who, resource: 'orders', level })
      return answer.allowed ? (answer.held.level as { user: string }).user : answer.reason
    },
    /** The provider calls a person something else from now on. */
    rename: async (who: string, name: string) => {
      setup.loginNames.set(who, { name })
      await setup.change(who, {})
    },
  }
}

t.test('each person gets their own user', async (t) => {
  const { access, audit, login, userOf } = await open(t)
  for (const who of ['alice', 'bob']) {
    const { request, grant } = await access.request(login(who), own)
    t.match([request, grant], [{ loginName: who }, { loginName: who }])
    t.equal(await userOf(who), `app_${who}`)
  }
  t.match(audit.of('grant.created'), [{ fields: { login_name: 'alice' } }, { fields: { login_name: 'bob' } }])
})

t.test('a live grant keeps the name it was given for; the new one takes a new request', async (t) => {
  const { access, login, rename, userOf, audit } = await open(t)
  const { grant } = await access.request(login('alice'), own)
  await rename('alice', 'carla')
  t.equal(await userOf('alice'), 'app_alice')
  await t.rejects(access.extend(login('alice'), grant?.id ?? '', { durationMs: hour }), {
    code: 'LOGIN_NAME_UNUSABLE',
    message: /the grant is for alice, and the login name is carla now/,
    hint: /request a new one/,
  })
  await access.giveBack(login('alice'), grant?.id ?? '')
  await access.request(login('alice'), own)
  t.equal(await userOf('alice'), 'app_carla')
  t.match(audit.of('request.refused'), [{ fields: { code: 'LOGIN_NAME_UNUSABLE' } }])
})

t.test('a pending request lapses with the name that approvers saw', async (t) => {
  const { access, login, rename } = await open(t)
  const { request } = await access.request(login('alice'), reviewed)
  await rename('alice', 'carla')
  t.match(await access.requestById(login('alice'), request.id), {
    status: 'refused',
    statusReason: /the login name of alice@example.com is carla now, not alice; request it again/,
  })
  const again = (await access.request(login('alice'), reviewed)).request
  const { grant } = await access.decide(login('olga'), again.id, { verdict: 'approve', digest: again.digest })
  t.match(grant, { loginName: 'carla' })
})

t.test('without a usable name there is an answer at once, with what to do, and never another name', async (t) => {
  const { access, login, loginNames, userOf } = await open(t)
  loginNames.set('alice', { problem: 'the provider sent none', hint: 'ask an admin' })
  await t.rejects(access.request(login('alice'), own), {
    code: 'LOGIN_NAME_UNUSABLE',
    message: /the provider sent none/,
    hint: 'ask an admin',
  })
  loginNames.set('alice', { name: 'root' })
  await t.rejects(access.request(login('alice'), own), { code: 'LOGIN_NAME_UNUSABLE', message: /root is reserved/ })
  t.match(await userOf('alice'), /no grant/)
  const { levels: answers } = await access.why(login('alice'), { resource: 'orders', level: 'own' })
  t.match(answers, [{ allowed: false, reason: /root is reserved/ }])
})

t.test('a name that is in use by another person’s grant is not given again before it ends', async (t) => {
  const { access, login, rename } = await open(t)
  const { grant } = await access.request(login('alice'), own)
  await rename('alice', 'carla')
  await rename('bob', 'alice')
  const refused = { code: 'LOGIN_NAME_UNUSABLE', message: /another person still has access as alice/ }
  await t.rejects(access.request(login('bob'), own), refused)
  await access.giveBack(login('alice'), grant?.id ?? '')
  t.match((await access.request(login('bob'), own)).grant, { loginName: 'alice' })
})

t.test('the name is under the MAC: a row that was changed gives nothing', async (t) => {
  const { access, db, login, userOf } = await open(t)
  await access.request(login('alice'), own)
  await db.updateTable('grants').set({ login_name: 'bob' }).execute()
  t.match(await userOf('alice'), /signature/)
})

t.test('a reload after which the user is another level’s ends the grant', async (t) => {
  const { access, login, published } = await open(t)
  await access.request(login('alice'), own)
  const [set] = rules.levels
  await access.reload(config({ ...rules, levels: [{ ...set, for: set?.for ?? {}, readonly: { user: 'app_alice' } }] }))
  t.match(
    published.findLast(({ what }) => what === 'grant'),
    { reason: 'rule-changed', text: /app_alice is taken/ },
  )
})

t.test('a level that becomes one of single persons voids what was approved, and takes their name', async (t) => {
  const { access, login } = await open(t)
  const shared = levels({ kinds: ['rds-postgres'] }, { reviewed: { user: 'ro' } })
  const access_ = rules.access.slice(1)
  await access.reload(config({ ...rules, access: access_, levels: [shared] }))
  const { request } = await access.request(login('alice'), reviewed)
  t.equal(request.loginName, null)
  await access.reload(config(rules))
  const now = await access.requestById(login('alice'), request.id)
  t.match(now, { status: 'pending', loginName: 'alice' })
  t.not(now.digest, request.digest)
})

t.test('levels for who prepares or checks a target: as they are written, or for one person', async (t) => {
  const { access } = await open(t)
  const entry = access.resource(ordersId)
  if (!entry) throw new Error('the catalog lacks it')
  t.same([...access.levelsOf(entry).values()], [{ user: 'ro' }, { user: 'app_{login}' }, { user: 'app_{login}' }])
  t.same(
    [...access.levelsOf(entry, 'alice')],
    [
      ['own', { user: 'app_alice' }],
      ['reviewed', { user: 'app_alice' }],
    ],
  )
  t.match(access.held(ordersId, 'own', 'alice'), { level: { user: 'app_alice' } })
  t.throws(() => access.held(ordersId, 'own'), { code: 'LOGIN_NAME_UNUSABLE', hint: /--login NAME/ })
})

t.test('what a session that was lost was held by is read from its grant', async (t) => {
  const { access, login, rename } = await open(t)
  const { grant } = await access.request(login('alice'), own)
  await rename('alice', 'carla')
  const of = { grantId: grant?.id ?? '', resourceId: ordersId, level: 'own' }
  t.match(await access.heldBy(of), { level: { user: 'app_alice' } })
})
