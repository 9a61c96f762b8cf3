/** A grant's life: extended, given back, revoked, run out, and judged again whenever rules or the directory change. */
import t from 'tap'
import { waitUntil } from '../../wait-until.ts'
import { config, exampleRules, type House, hour, minute, openHouse, ordersId } from './access-house.ts'

const read = { resource: 'orders', level: 'readonly', durationMs: hour, reason: 'look at a bug' }

async function given({ access, login }: House, durationMs = hour) {
  const { grant } = await access.request(login('alice'), { ...read, durationMs })
  if (!grant) throw new Error('the rule has stages')
  return grant
}

const check = ({ access }: House) => access.check({ principalId: 'alice', resource: 'orders' })

/** The newest event of that sort, and what was published with it. */
function last({ audit, published }: House, type: Parameters<House['audit']['of']>[0]) {
  return { event: audit.of(type).at(-1), change: published.findLast(({ what }) => what === 'grant') }
}

t.test('a grant is live up to its end, and not at it', async (t) => {
  const house = await openHouse(t)
  const { endsAt } = await given(house)
  house.clock.advance(hour - 1)
  t.match(await check(house), { allowed: true })
  house.clock.advance(1)
  t.match(await check(house), {
    allowed: false,
    code: 'GRANT_EXPIRED',
    reason: `it ended at ${new Date(endsAt).toISOString()}`,
    hint: /sallyport request orders --level readonly/,
  })
})

t.test('the sweep ends what has run out: row, log, metric, and whoever has sessions of it', async (t) => {
  const house = await openHouse(t)
  const { id } = await given(house)
  house.clock.advance(hour)
  await house.access.sweep()
  const { event, change } = last(house, 'grant.expired')
  t.match(event, { actor: 'system', fields: { grant: id, principal: 'alice', resource: ordersId } })
  t.match(change, { what: 'grant', id, reason: 'grant-expired', text: /expired at .*; request a new one/ })
  t.match(await house.access.grants(house.login('dave'), { all: true }), [{ id, state: 'expired' }])
  await house.access.sweep()
  t.equal(house.audit.of('grant.expired').length, 1, 'once')
})

t.test('a timer ends it too, within moments, without any sweep', async (t) => {
  const house = await openHouse(t, { isRealTime: true })
  const { id } = await given(house, 300)
  await waitUntil(() => house.published.some((change) => change.what === 'grant'), 'the grant has ended')
  t.match(last(house, 'grant.expired').change, { id, reason: 'grant-expired' })
})

t.test('given back by its holder: ended at once, told as such, and no one else may', async (t) => {
  const house = await openHouse(t)
  const { access, login } = house
  const { id } = await given(house)
  await t.rejects(access.giveBack(login('bob'), id), { code: 'NOT_FOUND' })
  t.match(await access.giveBack(login('alice'), id), { state: 'returned' })
  t.match(last(house, 'grant.returned'), { event: { actor: 'alice' }, change: { id, reason: 'grant-returned' } })
  t.match(await check(house), { allowed: false, reason: 'you gave the access back' })
})

t.test('revoked by who approves it or by an admin, with the reason; not by others', async (t) => {
  const rules = exampleRules.access.map((rule) => ({
    ...rule,
    ...(rule.name === 'engineers-read' ? { approval: { stages: [{ any_of: ['group:owners'] }] } } : {}),
  }))
  const house = await openHouse(t, { rules: { access: rules } })
  const { access, login } = house
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
    t.match(last(house, 'grant.revoked'), {
      event: { actor: who, fields: { grant: id }, text: { reason: 'incident 42' } },
      change: { id, reason: 'grant-revoked', text: new RegExp(`${who}@example.com: incident 42`) },
    })
    t.match(await check(house), { allowed: false, code: 'GRANT_DENIED', reason: /incident 42/ })
  }
})

t.test('revoking takes effect though neither store nor log can be written, and is made good later', async (t) => {
  const house = await openHouse(t)
  const { id } = await given(house)
  house.store.failing = true
  house.audit.state.failing = true
  t.match(await house.access.revoke(house.login('alice'), id, ''), { id })
  t.match(house.published.at(-1), { what: 'grant', id })
  t.match(await check(house), { allowed: false })
  house.store.failing = false
  house.audit.state.failing = false
  const again = await house.restart()
  t.match(await again.check({ principalId: 'alice', resource: 'orders' }), { allowed: false })
})

t.test('extended: the same conditions, a longer end, and open sessions are told', async (t) => {
  const house = await openHouse(t)
  const { access, login, clock } = house
  const { id, endsAt } = await given(house)
  const told: unknown[] = []
  const stop = house.changes.subscribe((change) => {
    if (change.what === 'grant-extended') told.push([change.id, change.endsAt])
  })
  await t.rejects(access.extend(login('alice'), id, { durationMs: hour }), { code: 'GRANT_DENIED', message: /reason/ })
  await t.rejects(access.extend(login('bob'), id, { durationMs: hour, reason: 'x' }), { code: 'NOT_FOUND' })
  clock.advance(30 * minute)
  const { grant } = await access.extend(login('alice'), id, { durationMs: hour, reason: 'still at it' })
  t.equal(grant?.id, id)
  t.ok((grant?.endsAt ?? 0) > endsAt, `${grant?.endsAt}`)
  t.same(told, [[id, grant?.endsAt]])
  t.match(last(house, 'grant.extended').event, { fields: { grant: id } })
  stop()
  clock.advance(hour)
  t.match(await check(house), { allowed: true }, 'after its first end')
  await t.rejects(access.extend(login('alice'), id, { durationMs: 9 * hour, reason: 'x' }), {
    code: 'GRANT_DENIED',
    message: /8h at most/,
  })
  t.match(await house.restart().then((again) => again.check({ principalId: 'alice', resource: 'orders' })), {
    allowed: true,
  })
})

t.test('what has ended cannot be extended', async (t) => {
  const house = await openHouse(t)
  const { id } = await given(house)
  house.clock.advance(hour)
  const more = { durationMs: hour, reason: 'x' }
  await t.rejects(house.access.extend(house.login('alice'), id, more), { code: /GRANT_EXPIRED|GRANT_DENIED|STALE/ })
})

t.test('who leaves the group loses the grant; a change that does not matter leaves it', async (t) => {
  const house = await openHouse(t)
  const { id } = await given(house)
  await house.change('alice', { groups: ['engineering', 'golf'] })
  t.match(await check(house), { allowed: true })
  await house.change('alice', { groups: ['golf'] })
  t.match(last(house, 'grant.ended'), {
    event: { actor: 'system', fields: { grant: id } },
    change: { id, text: /engineers-read no longer covers this: .*needs group engineering; you are in: golf/ },
  })
  await house.change('alice', { groups: ['engineering'] })
  t.match(await check(house), { allowed: false }, 'and does not get it back with the group')
})

t.test('a reload that takes the rule away, or changes what the level means, ends the grants under it', async (t) => {
  for (const [what, rules, text] of [
    ['no rule', { access: exampleRules.access.slice(1) }, /engineers-read is no longer in force/],
    [
      'another meaning',
      {
        levels: exampleRules.levels.map((set) => ({ ...set, readonly: { user: 'other' } })),
      },
      /means something else since; request it again/,
    ],
    ['the resource is gone', { resources: exampleRules.resources.slice(1) }, /./],
  ] as const) {
    const house = await openHouse(t)
    const { id } = await given(house)
    t.match(await house.access.reload(config(rules)), { ok: true }, what)
    t.match(last(house, 'grant.ended').change, { id, text })
    await house.access.reload(config())
    t.match(await check(house), { allowed: false }, what)
  }
})

t.test('a reload that changes only conditions of asking leaves grants alone', async (t) => {
  const house = await openHouse(t)
  await given(house)
  const access = exampleRules.access.map((rule) => ({ ...rule, max_duration: '30m' }))
  t.match(await house.access.reload(config({ access })), { ok: true })
  t.match(await check(house), { allowed: true })
  await t.rejects(house.access.request(house.login('alice'), read), { code: 'GRANT_DENIED', message: /30m at most/ })
})

t.test('broken rules are refused with every problem, and the old ones stay', async (t) => {
  const house = await openHouse(t)
  await given(house)
  const { digest } = house.access.rules()
  const broken = await house.access.reload(
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
  t.equal(house.access.rules().digest, digest)
  t.match(await check(house), { allowed: true })
  t.match(house.audit.of('rules.refused').at(-1), { actor: 'system' })
})

t.test('after a restart everything is as it was, and what ran out meanwhile has ended', async (t) => {
  const house = await openHouse(t)
  await given(house, 2 * hour)
  house.clock.advance(hour)
  const same = await house.restart()
  t.match(await same.check({ principalId: 'alice', resource: 'orders' }), { allowed: true })
  house.clock.advance(hour)
  const later = await house.restart()
  t.match(await later.check({ principalId: 'alice', resource: 'orders' }), { allowed: false, code: 'GRANT_EXPIRED' })
  t.equal(house.audit.of('grant.expired').length, 1)
})

t.test('why: the rule that decides and a reason for each that does not; about others only for overseers', async (t) => {
  const { access, login } = await openHouse(t)
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
