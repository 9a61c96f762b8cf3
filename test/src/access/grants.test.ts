/** A grant's life: extended, given back, revoked, run out, and judged again whenever rules or the directory change. */
import t from 'tap'
import { waitUntil } from '../../wait-until.ts'
import {
  type AccessSetup,
  config,
  exampleRules,
  hour,
  minute,
  openAccess,
  ordersId,
  sweepMeanwhile,
} from './access-setup.ts'

const read = { resource: 'orders', level: 'readonly', durationMs: hour, reason: 'look at a bug' }

async function given({ access, login }: AccessSetup, durationMs = hour) {
  const { grant } = await access.request(login('alice'), { ...read, durationMs })
  if (!grant) throw new Error('the rule has stages')
  return grant
}

const check = ({ access }: AccessSetup) => access.check({ principalId: 'alice', resource: 'orders' })

/** The newest event of that sort, and what was published with it. */
function last({ audit, published }: AccessSetup, type: Parameters<AccessSetup['audit']['of']>[0]) {
  return { event: audit.of(type).at(-1), change: published.findLast(({ what }) => what === 'grant') }
}

t.test('a grant is live up to its end, and not at it', async (t) => {
  const setup = await openAccess(t)
  const { endsAt } = await given(setup)
  setup.clock.advance(hour - 1)
  t.match(await check(setup), { allowed: true })
  setup.clock.advance(1)
  t.match(await check(setup), {
    allowed: false,
    code: 'GRANT_EXPIRED',
    reason: `it ended at ${new Date(endsAt).toISOString()}`,
    hint: /sallyport request orders --level readonly/,
  })
})

t.test('the sweep ends what has run out: row, log, metric, and whoever has sessions of it', async (t) => {
  const setup = await openAccess(t)
  const { id } = await given(setup)
  setup.clock.advance(hour)
  await setup.access.sweep()
  const { event, change } = last(setup, 'grant.expired')
  t.match(event, { actor: 'system', fields: { grant: id, principal: 'alice', resource: ordersId } })
  t.match(change, { what: 'grant', id, reason: 'grant-expired', text: /expired at .*; request a new one/ })
  t.match((await setup.access.grants(setup.login('dave'), { all: true })).items, [{ id, state: 'expired' }])
  await setup.access.sweep()
  t.equal(setup.audit.of('grant.expired').length, 1, 'once')
})

t.test('a timer ends it too, within moments, without any sweep', async (t) => {
  const setup = await openAccess(t, { isRealTime: true })
  const { id } = await given(setup, 300)
  await waitUntil(() => setup.published.some((change) => change.what === 'grant'), 'the grant has ended')
  t.match(last(setup, 'grant.expired').change, { id, reason: 'grant-expired' })
})

t.test('given back by its holder: ended at once, told as such, and no one else may', async (t) => {
  const setup = await openAccess(t)
  const { access, login } = setup
  const { id } = await given(setup)
  await t.rejects(access.giveBack(login('bob'), id), { code: 'NOT_FOUND' })
  t.match(await access.giveBack(login('alice'), id), { state: 'returned' })
  t.match(last(setup, 'grant.returned'), { event: { actor: 'alice' }, change: { id, reason: 'grant-returned' } })
  t.match(await check(setup), { allowed: false, reason: 'you returned the access' })
})

t.test('revoked by who approves it or by an admin, with the reason; not by others', async (t) => {
  const rules = exampleRules.access.map((rule) => ({
    ...rule,
    ...(rule.name === 'engineers-read' ? { approval: { stages: [{ any_of: ['group:owners'] }] } } : {}),
  }))
  const setup = await openAccess(t, { rules: { access: rules } })
  const { access, login } = setup
  const approved = async () => {
    const { request } = await access.request(login('alice'), read)
    const { grant } = await access.decide(login('olga'), request.id, { verdict: 'approve', digest: request.digest })
    return grant?.id ?? ''
  }
  for (const who of ['bob', 'dave']) {
    const id = await approved()
    for (const other of ['eve', 'carol'])
      await t.rejects(access.revoke(login(other), id, 'no'), { code: /NOT_FOUND|ROLE_REQUIRED/ }, other)
    t.match(await access.revoke(login(who), id, 'incident 42'), { state: 'revoked' })
    t.match(last(setup, 'grant.revoked'), {
      event: { actor: who, fields: { grant: id }, text: { reason: 'incident 42' } },
      change: { id, reason: 'grant-revoked', text: new RegExp(`${who}@example.com: incident 42`) },
    })
    t.match(await check(setup), { allowed: false, code: 'GRANT_DENIED', reason: /incident 42/ })
  }
})

t.test('revoking takes effect though neither store nor log can be written, and is made good later', async (t) => {
  const setup = await openAccess(t)
  const { id } = await given(setup)
  setup.store.failing = true
  setup.audit.state.failing = true
  t.match(await setup.access.revoke(setup.login('alice'), id, ''), { id })
  t.match(setup.published.at(-1), { what: 'grant', id })
  t.match(await check(setup), { allowed: false })
  setup.store.failing = false
  setup.audit.state.failing = false
  const again = await setup.restart()
  t.match(await again.check({ principalId: 'alice', resource: 'orders' }), { allowed: false })
})

t.test('extended: the same conditions, a longer end, and open sessions are told', async (t) => {
  const setup = await openAccess(t)
  const { access, login, clock } = setup
  const { id, endsAt } = await given(setup)
  const told: unknown[] = []
  const stop = setup.changes.subscribe((change) => {
    if (change.what === 'grant-extended') told.push([change.id, change.endsAt])
  })
  await t.rejects(access.extend(login('alice'), id, { durationMs: hour }), { code: 'GRANT_DENIED', message: /reason/ })
  await t.rejects(access.extend(login('bob'), id, { durationMs: hour, reason: 'x' }), { code: 'NOT_FOUND' })
  clock.advance(30 * minute)
  const { grant } = await access.extend(login('alice'), id, { durationMs: hour, reason: 'still at it' })
  t.equal(grant?.id, id)
  t.ok((grant?.endsAt ?? 0) > endsAt, `${grant?.endsAt}`)
  t.same(told, [[id, grant?.endsAt]])
  t.match(last(setup, 'grant.extended').event, { fields: { grant: id } })
  stop()
  clock.advance(hour)
  t.match(await check(setup), { allowed: true }, 'after its first end')
  await t.rejects(access.extend(login('alice'), id, { durationMs: 9 * hour, reason: 'x' }), {
    code: 'GRANT_DENIED',
    message: /8h at most/,
  })
  t.match(await setup.restart().then((again) => again.check({ principalId: 'alice', resource: 'orders' })), {
    allowed: true,
  })
})

t.test('what has ended cannot be extended', async (t) => {
  const setup = await openAccess(t)
  const { id } = await given(setup)
  setup.clock.advance(hour)
  const more = { durationMs: hour, reason: 'x' }
  await t.rejects(setup.access.extend(setup.login('alice'), id, more), { code: /GRANT_EXPIRED|GRANT_DENIED|STALE/ })
})

t.test('who leaves the group loses the grant; a change that does not matter leaves it', async (t) => {
  const setup = await openAccess(t)
  const { id } = await given(setup)
  await setup.change('alice', { groups: ['engineering', 'golf'] })
  t.match(await check(setup), { allowed: true })
  await setup.change('alice', { groups: ['golf'] })
  t.match(last(setup, 'grant.ended'), {
    event: { actor: 'system', fields: { grant: id } },
    change: { id, text: /engineers-read no longer covers this: .*needs group engineering; you are in: golf/ },
  })
  await setup.change('alice', { groups: ['engineering'] })
  t.match(await check(setup), { allowed: false }, 'and does not get it back with the group')
})

t.test('a reload that takes the rule away, or changes what the level means, ends the grants under it', async (t) => {
  for (const [what, rules, text] of [
    ['no rule', { access: exampleRules.access.slice(1) }, /engineers-read no longer exists/],
    [
      'another meaning',
      {
        levels: exampleRules.levels.map((set) => ({ ...set, readonly: { user: 'other' } })),
      },
      /the meaning of level .* has changed; request it again/,
    ],
    ['the resource is gone', { resources: exampleRules.resources.slice(1) }, /./],
  ] as const) {
    const setup = await openAccess(t)
    const { id } = await given(setup)
    t.match(await setup.access.reload(config(rules)), { ok: true }, what)
    t.match(last(setup, 'grant.ended').change, { id, text })
    await setup.access.reload(config())
    t.match(await check(setup), { allowed: false }, what)
  }
})

t.test('a reload that changes only conditions of asking leaves grants alone', async (t) => {
  const setup = await openAccess(t)
  await given(setup)
  const access = exampleRules.access.map((rule) => ({ ...rule, max_duration: '30m' }))
  t.match(await setup.access.reload(config({ access })), { ok: true })
  t.match(await check(setup), { allowed: true })
  await t.rejects(setup.access.request(setup.login('alice'), read), { code: 'GRANT_DENIED', message: /30m at most/ })
})

t.test('broken rules are refused with every problem, and the old ones stay', async (t) => {
  const setup = await openAccess(t)
  await given(setup)
  const { digest } = setup.access.rules()
  const broken = await setup.access.reload(
    config({
      levels: exampleRules.levels.map((set) => ({ ...set, readonly: { user: 1 } })),
      access: exampleRules.access.map((rule) => ({ ...rule, levels: ['root'] })),
    }),
  )
  t.match(broken, { ok: false })
  if (!broken.ok) {
    const paths = broken.problems.map(({ path }) => path)
    t.ok(
      paths.some((path) => path.startsWith('levels[0]')) && paths.some((path) => path.startsWith('access[0]')),
      `${paths}`,
    )
  }
  t.equal(setup.access.rules().digest, digest)
  t.match(await check(setup), { allowed: true })
  t.match(setup.audit.of('rules.refused').at(-1), { actor: 'system' })
})

t.test('after a restart everything is as it was, and what ran out meanwhile has ended', async (t) => {
  const setup = await openAccess(t)
  await given(setup, 2 * hour)
  setup.clock.advance(hour)
  const same = await setup.restart()
  t.match(await same.check({ principalId: 'alice', resource: 'orders' }), { allowed: true })
  setup.clock.advance(hour)
  const later = await setup.restart()
  t.match(await later.check({ principalId: 'alice', resource: 'orders' }), { allowed: false, code: 'GRANT_EXPIRED' })
  t.equal(setup.audit.of('grant.expired').length, 1)
})

t.test('why: the rule that decides and a reason for each that does not; about others only for overseers', async (t) => {
  const { access, login } = await openAccess(t)
  const mine = await access.why(login('alice'), { resource: 'orders' })
  t.match(mine.levels, [
    { level: 'readonly', allowed: true, rule: 'engineers-read' },
    { level: 'admin', allowed: true, rule: 'engineers-write' },
  ])
  const bobs = await access.why(login('dave'), { principal: 'bob@example.com', resource: 'orders', level: 'readonly' })
  t.match(bobs.levels, [{ allowed: false, reason: /needs group engineering; bob@example.com is in: owners/ }])
  t.match(bobs.levels[0]?.rules, [
    {
      name: 'engineers-read',
      matches: false,
      conditions: [{ ok: true }, { ok: true }, { condition: 'who', ok: false }],
    },
    { name: 'engineers-write', matches: false },
    { name: 'finance-reads', matches: false, conditions: [{ condition: 'what', ok: false }] },
  ])
  await t.rejects(access.why(login('alice'), { principal: 'bob@example.com', resource: 'orders' }), {
    code: 'ROLE_REQUIRED',
  })
})

t.test(
  'a clock that was ahead for a while: what is given then begins now, and ends no later than was approved',
  async (t) => {
    const setup = await openAccess(t)
    setup.wall.aheadMs = 2 * hour
    t.match(await check(setup), { allowed: false }) // it has been read
    setup.wall.aheadMs = 0
    const { startsAt, endsAt } = await given(setup)
    t.equal(startsAt, setup.clock.now())
    t.equal(endsAt, setup.clock.now() + hour)
  },
)

t.test('nothing is given by a clock that is wrong, nor extended; what is there can be taken away', async (t) => {
  const setup = await openAccess(t)
  const { id } = await given(setup)
  setup.wall.isWrong = true
  await t.rejects(given(setup), { code: 'CLOCK_WRONG' })
  const { access, login } = setup
  await t.rejects(access.extend(login('alice'), id, { durationMs: hour, reason: 'longer' }), { code: 'CLOCK_WRONG' })
  t.equal(setup.audit.of('grant.created').length, 1)
  t.match(await access.giveBack(login('alice'), id), { state: 'returned' })
})

t.test('a sweep while a revocation is being written takes nothing from the log', async (t) => {
  const setup = await openAccess(t)
  const { access, login, audit } = setup
  const [returned, revoked] = [await given(setup), await given(setup)]
  sweepMeanwhile(setup)
  t.match(await access.giveBack(login('alice'), returned.id), { state: 'returned' })
  t.match(await access.revoke(login('dave'), revoked.id, 'incident 42'), { state: 'revoked' })
  t.match(audit.of('grant.returned'), [{ fields: { grant: returned.id } }])
  t.match(audit.of('grant.revoked'), [{ fields: { grant: revoked.id } }])
})
