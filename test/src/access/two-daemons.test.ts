/** Two daemons on one store: what one decides, the other knows; of what both decide, one counts. */
import t from 'tap'
import { LiveNews } from '../../../src/http/live/live-news.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { waitUntil } from '../../wait-until.ts'
import { exampleRules, hour, minute, ordersId } from './access-setup.ts'
import { startTwo } from './two-daemons.ts'

t.setTimeout(300_000)

type Two = Awaited<ReturnType<typeof startTwo>>

const read = { resource: 'orders', level: 'readonly', durationMs: hour, reason: 'look at a bug' }

async function given({ login }: Two, { access }: Two['a'], durationMs = hour) {
  const { grant } = await access.request(login('alice'), { ...read, durationMs })
  if (!grant) throw new Error('the rule has stages')
  return grant
}

async function asked({ login }: Two, { access }: Two['a']) {
  const ask = { resource: 'orders', level: 'admin', durationMs: hour, reason: 'x', ticket: 'OPS-1' }
  return (await access.request(login('alice'), ask)).request
}

const outcomes = (results: readonly PromiseSettledResult<unknown>[]) =>
  results.map((result) => (result.status === 'fulfilled' ? 'ok' : (result.reason as { code?: string }).code)).sort()

t.test('a grant that one gives is live at the other: it is extended, seen, and its end is known', async (t) => {
  const two = await startTwo(t)
  const { a, b, login } = two
  const { id, endsAt } = await given(two, a)
  t.match(await b.may(), { allowed: true, grant: { id } }, 'by its row, at once')
  await b.hear()
  t.match(b.given(), [{ what: 'grant-given', id, endsAt, from: null }])
  const { grant } = await b.access.extend(login('alice'), id, { durationMs: hour, reason: 'still at it' })
  t.equal(grant?.endsAt, endsAt + hour)
  await a.hear()
  t.match(a.published.at(-1), { what: 'grant-extended', id, endsAt: endsAt + hour, from: endsAt })
  two.clock.advance(hour + minute)
  await Promise.all([a.access.sweep(), b.access.sweep()])
  for (const one of [a, b]) t.match(await one.may(), { allowed: true, grant: { id } })
  for (const one of [a, b]) t.same(await one.active(), [1], 'each counts the grants of all')
})

t.test('a page that is open at one is told of what the other decides, if it is for its reader', async (t) => {
  const two = await startTwo(t)
  const { a, b, login } = two
  const told: Record<string, string[]> = { alice: [], bob: [], eve: [] }
  const logger = createLogger({ level: 'silent' })
  const news = new LiveNews({ audit: b.audit, changes: b.changes, audienceOf: b.access.audienceOf, logger })
  t.teardown(() => news.close())
  for (const [name, topics] of Object.entries(told))
    news.add({ login: login(name), tell: (topic) => void topics.push(topic) })
  await asked(two, a)
  await b.hear()
  await waitUntil(() => told.bob?.includes('requests') ?? false, 'bob is told')
  t.same([told.alice, told.eve], [['requests', 'me'], []])
  const { id } = await given(two, a)
  await b.hear()
  await waitUntil(() => told.alice?.includes('grants') ?? false, 'alice is told')
  told.alice?.splice(0)
  await a.access.giveBack(login('alice'), id)
  await b.hear()
  await waitUntil(() => told.alice?.includes('grants') ?? false, 'and of its end')
  t.same([told.bob?.includes('grants'), told.eve], [false, []])
})

t.test('a grant is live at once where the clock is behind by what is allowed, and not where it is more', async (t) => {
  const two = await startTwo(t)
  const [behind, far] = [await two.daemon('behind', 1900), await two.daemon('far', 2500)]
  const { id } = await given(two, two.a)
  await Promise.all([behind.hear(), far.hear()])
  t.match(behind.given(), [{ id }])
  t.match(await behind.may(id), { allowed: true })
  t.match(await far.may(id), { allowed: false })
  const later = await given(two, two.a)
  const revoked = await far.access.revoke(two.login('dave'), later.id, 'incident 42')
  t.match(revoked, { state: 'revoked' }, 'it can be taken away there')
  t.match(await two.a.may(later.id), { allowed: false })
  two.clock.advance(hour)
  t.match(await two.a.access.check({ principalId: 'alice', resource: 'orders', grantId: id }), { allowed: false })
})

t.test('revoked at one, of the other: before it is heard of, and after', async (t) => {
  const two = await startTwo(t)
  const { a, b, login, events } = two
  for (const isHeard of [false, true]) {
    const { id } = await given(two, a)
    if (isHeard) await b.hear()
    t.match(await b.access.revoke(login('dave'), id, 'incident 42'), { id, state: 'revoked' })
    await a.hear()
    const text = 'access was revoked by dave@example.com: incident 42'
    t.match(a.ends().at(-1), { what: 'grant', id, reason: 'grant-revoked', text, from: 'elsewhere' })
    for (const one of [a, b]) t.match(await one.may(), { allowed: false, reason: text })
  }
  t.equal((await events('grant.revoked')).length, 2)
  const { id } = await given(two, b)
  await a.hear()
  t.match(await a.access.giveBack(login('alice'), id), { state: 'returned' })
  await b.hear()
  t.match(b.ends().at(-1), { id, reason: 'grant-returned', text: 'you returned the access', from: 'elsewhere' })
})

t.test('revoked at both at once: one event, and one of them is told that it was late', async (t) => {
  const two = await startTwo(t)
  const { a, b, login, events } = two
  for (let round = 1; round <= 5; round++) {
    const { id } = await given(two, a)
    await b.hear()
    const results = await Promise.allSettled([
      a.access.revoke(login('dave'), id, 'by a'),
      b.access.revoke(login('dave'), id, 'by b'),
    ])
    t.same(outcomes(results), ['STALE', 'ok'])
    t.equal((await events('grant.revoked')).length, round)
    await Promise.all([a.hear(), b.hear()])
    const row = await a.db.selectFrom('grants').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
    t.match(row, { state: 'revoked', version: 2 })
    for (const one of [a, b]) {
      t.match(await one.may(id), { allowed: false, reason: row.end_text ?? '' })
      t.equal(one.ends().filter((change) => change.id === id && !('from' in change)).length, 1, 'cut at once')
    }
  }
})

t.test('extended at one while it is revoked at the other: it ends, whichever came first', async (t) => {
  const two = await startTwo(t)
  const { a, b, login, events } = two
  for (let round = 1; round <= 5; round++) {
    const { id } = await given(two, a)
    await b.hear()
    const [extended, revoked] = await Promise.allSettled([
      a.access.extend(login('alice'), id, { durationMs: hour, reason: 'more' }),
      b.access.revoke(login('dave'), id, 'no'),
    ])
    t.equal(revoked.status, 'fulfilled')
    // Told only now, or heard of before it was asked.
    if (extended.status === 'rejected') t.match(extended.reason.code, /^(STALE|GRANT_EXPIRED)$/)
    await Promise.all([a.hear(), b.hear()])
    for (const one of [a, b]) t.match(await one.may(), { allowed: false })
    const requests = await a.db.selectFrom('requests').selectAll().where('extends_grant_id', '=', id).execute()
    t.equal(requests.length, extended.status === 'fulfilled' ? 1 : 0, 'no request is granted without its extension')
  }
  t.equal((await events('grant.revoked')).length, 5)
})

t.test('approved at one while it is denied or cancelled at the other: one wins, the other is told', async (t) => {
  const two = await startTwo(t)
  const { a, b, login, events } = two
  const cancel = { name: 'cancel', at: (id: string) => b.access.cancel(login('alice'), id) }
  const deny = (digest: string) => ({
    name: 'deny',
    at: (id: string) => b.access.decide(login('meg'), id, { verdict: 'deny', digest }),
  })
  for (let round = 0; round < 6; round++) {
    const { id, digest } = await asked(two, a)
    await a.access.decide(login('olga'), id, { verdict: 'approve', digest })
    await b.hear()
    const other = round % 2 === 0 ? deny(digest) : cancel
    const results = await Promise.allSettled([
      a.access.decide(login('meg'), id, { verdict: 'approve', digest }),
      other.at(id),
    ])
    const isApproved = results[0]?.status === 'fulfilled'
    // Her own denial may be seen before the request that it ended.
    t.match(outcomes(results), [/STALE|DECISION_REFUSED/, 'ok'], other.name)
    await Promise.all([a.hear(), b.hear()])
    const status = isApproved ? 'granted' : round % 2 === 0 ? 'denied' : 'cancelled'
    for (const one of [a, b]) t.match(await one.access.requestById(login('dave'), id), { status })
    const grants = await a.db.selectFrom('grants').selectAll().where('request_id', '=', id).execute()
    t.equal(grants.length, isApproved ? 1 : 0)
    const told = (await events('decision.made', 'request.cancelled', 'grant.created')).filter(
      ({ fields }) => fields.request === id,
    )
    t.equal(told.length, isApproved ? 3 : 2, told.map(({ type }) => type).join())
    if (isApproved) await a.access.giveBack(login('alice'), grants[0]?.id ?? '')
  }
})

t.test('the same approval at both: one grant, and one decision by each person', async (t) => {
  const two = await startTwo(t)
  const { a, b, login, events } = two
  const { id, digest } = await asked(two, a)
  const results = await Promise.allSettled([
    a.access.decide(login('olga'), id, { verdict: 'approve', digest }),
    b.access.decide(login('bob'), id, { verdict: 'approve', digest }),
  ])
  // Whose look comes late finds the next stage, which is another's to decide.
  t.match(outcomes(results), [/STALE|DECISION_REFUSED/, 'ok'])
  t.equal((await events('decision.made')).length, 1)
  const last = await Promise.allSettled(
    [a, b].map(({ access }) => access.decide(login('meg'), id, { verdict: 'approve', digest })),
  )
  t.equal(last.filter(({ status }) => status === 'fulfilled').length, 1)
  t.equal((await events('grant.created')).length, 1)
})

t.test('an expiry takes effect at every daemon, and is written once, by the one that leads', async (t) => {
  const two = await startTwo(t)
  const { a, b, clock, events, leaders } = two
  const { id } = await given(two, b)
  await a.hear()
  clock.advance(hour)
  leaders.lead('nobody')
  await Promise.all([a.access.sweep(), b.access.sweep()])
  for (const one of [a, b]) {
    t.match(one.ends(), [{ id, reason: 'grant-expired' }])
    t.match(await one.may(), { allowed: false, code: 'GRANT_EXPIRED' })
  }
  t.same(await events('grant.expired'), [])
  leaders.lead('b')
  await Promise.all([a.access.sweep(), b.access.sweep(), b.access.sweep()])
  t.match(await events('grant.expired'), [{ fields: { grant: id } }])
  t.equal((await events('grant.expired')).length, 1)
  await a.hear()
  t.match((await a.access.grants(two.login('dave'), { all: true })).items, [{ id, state: 'expired' }])
})

t.test('a request without a decision expires at every daemon, and is written once', async (t) => {
  const two = await startTwo(t)
  const { a, b, clock, events, login } = two
  const { id, digest } = await asked(two, b)
  clock.advance(25 * hour)
  t.match(await b.access.requestById(login('dave'), id), { status: 'expired' })
  await t.rejects(b.access.decide(login('olga'), id, { verdict: 'approve', digest }), { code: 'STALE' })
  t.same(await events('request.expired'), [], 'b does not lead')
  await Promise.all([a.access.sweep(), b.access.sweep()])
  t.match(await events('request.expired'), [{ fields: { request: id } }])
})

t.test('a row that was put back after a revocation elsewhere is refused', async (t) => {
  const two = await startTwo(t)
  const { a, b, login, events } = two
  const { id } = await given(two, a)
  await b.hear()
  const before = await a.db.selectFrom('grants').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
  await a.access.revoke(login('dave'), id, 'no')
  await b.hear()
  await a.db.updateTable('grants').set(before).where('id', '=', id).execute()
  t.match(await b.access.check({ principalId: 'alice', resource: 'orders', grantId: id }), { code: 'GRANT_TAMPERED' })
  t.match(await events('grant.tampered'), [{ fields: { grant: id } }])
})

t.test('the sweep takes over what was not heard of: given, revoked, deleted', async (t) => {
  const two = await startTwo(t)
  const { a, b, login } = two
  const deaf = await two.daemon('c')
  const kept = await given(two, a)
  await a.db.updateTable('grants').set({ end_text: null }).where('id', '=', kept.id).execute()
  await deaf.access.sweep()
  t.match(deaf.given(), [{ what: 'grant-given', id: kept.id }])
  await a.db.deleteFrom('grants').where('id', '=', kept.id).execute()
  await deaf.access.sweep()
  t.match(deaf.ends(), [{ id: kept.id, reason: 'grant-revoked', text: 'the grant is no longer in the store' }])
  const next = await given(two, b)
  await deaf.access.sweep()
  await b.access.revoke(login('dave'), next.id, 'incident')
  await deaf.access.sweep()
  t.equal(deaf.ends().filter(({ id }) => id === next.id).length >= 1, true)
  t.match(await deaf.may(), { allowed: false })
})

t.test('who leaves the group loses the grant once, though both daemons see it', async (t) => {
  const two = await startTwo(t)
  const { a, b, change, events } = two
  const { id } = await given(two, a)
  await b.hear()
  await change('alice', { groups: ['golf'] })
  await Promise.all([a.hear(), b.hear()])
  t.match(await events('grant.ended'), [{ fields: { grant: id, reason: 'rule-changed' } }])
  t.equal((await events('grant.ended')).length, 1)
})

t.test(
  'rules that differ: the ones loaded last end what they do not allow; a daemon with others refuses only',
  async (t) => {
    const two = await startTwo(t)
    const { a, b, clock, events, login } = two
    const longer = exampleRules.access.map((rule) => ({ ...rule, name: `new-${rule.name}` }))
    await a.load({ access: longer })
    await b.hear()
    const { id } = await given(two, a)
    const { id: request, digest } = await asked(two, a)
    await b.hear()
    await b.access.sweep()
    t.match(await a.may(), { allowed: true, grant: { id } })
    t.match(await b.may(), { allowed: false }, 'by its own rules')
    t.same((await events('grant.ended', 'request.voided')).length, 0)
    await t.rejects(b.access.decide(login('olga'), request, { verdict: 'approve', digest }), { code: 'STALE' })
    t.match(await b.access.requestById(login('dave'), request), { status: 'pending' })
    clock.advance(minute)
    await b.load({ access: longer })
    await b.access.sweep()
    t.match(await b.may(), { allowed: true, grant: { id } }, 'once it has the same')
    await b.load()
    await a.hear()
    t.match(
      await events('grant.ended'),
      [{ fields: { grant: id, resource: ordersId } }],
      'its rules are the newest now',
    )
    t.match(a.ends().at(-1), { id, from: 'elsewhere' })
  },
)
