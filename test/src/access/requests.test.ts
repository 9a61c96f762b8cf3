import t from 'tap'
import {
  exampleRules,
  hour,
  ledgerId,
  minute,
  openAccess,
  ordersId,
  principal,
  sweepMeanwhile,
} from './access-setup.ts'

const read = { resource: 'orders', level: 'readonly', durationMs: hour, reason: 'look at a bug' }
const write = { resource: 'orders', level: 'admin', durationMs: hour, reason: 'fix it', ticket: 'OPS-1' }

t.test('a resource is shown with its protocol and what its kind shows, never with its endpoint', async (t) => {
  const setup = await openAccess(t)
  const [orders] = (await setup.access.resources(setup.login('alice'), {})).items
  t.match(orders, { id: ordersId, kind: 'rds-postgres', protocol: 'postgres', shown: { database: 'shop' } })
  t.equal(orders?.database, 'shop')
  t.notMatch(JSON.stringify(orders), 'orders.example')
  const [ledger] = (await setup.access.resources(setup.login('carol'), {})).items
  t.match(ledger, { id: ledgerId, shown: { database: 'postgres' } })
})

t.test('a grant is shown with how long one session of its level may last', async (t) => {
  const setup = await openAccess(t)
  const login = setup.login('alice')
  await setup.access.request(login, read)
  const [orders] = (await setup.access.resources(login, {})).items
  t.match(orders?.grants, [{ level: 'readonly', sessionMs: minute }])
})

t.test('who decides is told what the broker cannot do there, and so is who asks', async (t) => {
  const { access, login } = await openAccess(t)
  const limits = ['In shop everyone is rw.', 'A statement may outlast the access.']
  const { request } = await access.request(login('alice'), write)
  t.same(request.limits, limits)
  for (const who of ['alice', 'bob', 'carol'])
    t.same((await access.requestById(login(who), request.id)).limits, limits, who)
  t.same((await access.requests(login('bob'), { all: false })).items[0]?.limits, limits, 'in lists too')
  t.same((await access.request(login('alice'), read)).request.limits, [], 'by level')
})

t.test('a rule without stages gives a grant at once, audited before it exists', async (t) => {
  const { access, login, audit, clock } = await openAccess(t)
  const { request, grant } = await access.request(login('alice'), read)
  t.match(request, { status: 'granted', rule: 'engineers-read', requester: { id: 'alice' }, resourceId: ordersId })
  t.match(grant, { state: 'active', startsAt: clock.now(), endsAt: clock.now() + hour, level: 'readonly' })
  t.same(
    audit.records.map((r) => r.type).filter((type) => /^(request|grant)/.test(type)),
    ['request.created', 'grant.created'],
  )
  const answer = await access.check({ principalId: 'alice', resource: 'orders' })
  t.match(answer, { allowed: true, held: { level: { user: 'ro' }, resource: { id: ordersId } } })
})

t.test('stages are filled in order, by different people, and then the grant is given', async (t) => {
  const { access, login, audit } = await openAccess(t)
  const { request, grant } = await access.request(login('alice'), write)
  t.equal(grant, null)
  t.match(request, { status: 'pending', stage: 0, canDecide: false, whyNot: 'it is your own request' })
  const { digest, id } = request
  // meg is alice's manager, but the first stage is the owners'; she is an owner too, and fills that one only.
  const first = await access.decide(login('meg'), id, { verdict: 'approve', digest })
  t.match(first, { grant: null, request: { status: 'pending', stage: 1 } })
  await t.rejects(access.decide(login('meg'), id, { verdict: 'approve', digest }), {
    code: 'DECISION_REFUSED',
    message: /you have already decided stage 1; one person fills one stage/,
  })
  t.match(audit.of('decision.refused').at(-1), { actor: 'meg', fields: { request: id, verdict: 'approve' } })
})

t.test('owner then manager: the access is given, and the approvers are on record', async (t) => {
  const { access, login, audit } = await openAccess(t)
  const { request } = await access.request(login('alice'), write)
  const { digest, id } = request
  await access.decide(login('bob'), id, { verdict: 'approve', digest, comment: 'fine' })
  const done = await access.decide(login('meg'), id, { verdict: 'approve', digest })
  t.match(done, { request: { status: 'granted', stage: null }, grant: { level: 'admin', state: 'active' } })
  t.match(
    done.request.decisions.map(({ by, stage, verdict }) => [by.id, stage, verdict]),
    [
      ['bob', 0, 'approve'],
      ['meg', 1, 'approve'],
    ],
  )
  t.equal(audit.of('decision.made').length, 2)
  t.match(audit.of('grant.created').at(-1), { actor: 'meg', fields: { principal: 'alice', request: id, version: 1 } })
  t.match(await access.check({ principalId: 'alice', resource: 'orders' }), {
    allowed: true,
    held: { level: { user: 'rw' } },
  })
})

t.test('a rule that wants two people of one stage counts different people', async (t) => {
  const rules = structuredClone(exampleRules)
  const access0 = rules.access.map((rule) =>
    rule.name === 'engineers-write'
      ? { ...rule, approval: { stages: [{ any_of: ['group:owners'], count: 2 }] } }
      : rule,
  )
  const { access, login } = await openAccess(t, { rules: { access: access0 } })
  const { request } = await access.request(login('alice'), write)
  const { digest, id } = request
  await access.decide(login('bob'), id, { verdict: 'approve', digest })
  await t.rejects(access.decide(login('bob'), id, { verdict: 'approve', digest }), { code: 'DECISION_REFUSED' })
  t.match(await access.decide(login('olga'), id, { verdict: 'approve', digest }), { grant: { state: 'active' } })
})

t.test('two last approvals at once give one grant', async (t) => {
  const rules = exampleRules.access.map((rule) => ({
    ...rule,
    ...(rule.approval ? { approval: { stages: [{ any_of: ['group:owners'] }] } } : {}),
  }))
  const { access, login, db } = await openAccess(t, { rules: { access: rules } })
  const { request } = await access.request(login('alice'), write)
  const { digest, id } = request
  const both = await Promise.allSettled([
    access.decide(login('bob'), id, { verdict: 'approve', digest }),
    access.decide(login('olga'), id, { verdict: 'approve', digest }),
  ])
  t.same(both.map((one) => one.status).sort(), ['fulfilled', 'rejected'])
  t.match(both[1], { reason: { code: 'STALE' } })
  t.equal((await db.selectFrom('grants').selectAll().execute()).length, 1)
})

t.test('a denial ends the request and says who and why', async (t) => {
  const { access, login, audit } = await openAccess(t)
  const { request } = await access.request(login('alice'), write)
  const { digest, id } = request
  await access.decide(login('bob'), id, { verdict: 'deny', digest, comment: 'not on Friday' })
  t.match(await access.requestById(login('alice'), id), {
    status: 'denied',
    statusReason: 'denied by bob@example.com: not on Friday',
  })
  t.match(audit.of('decision.made'), [{ actor: 'bob', fields: { verdict: 'deny', stage: 0 } }])
  await t.rejects(access.decide(login('olga'), id, { verdict: 'approve', digest }), { code: 'STALE' })
})

t.test('who may not decide is told why, and it is audited', async (t) => {
  const people = [
    principal('alice', { groups: ['engineering', 'owners'], manager: 'meg@example.com' }),
    principal('bob', { groups: ['owners'] }),
    principal('meg'),
    principal('sam', { groups: ['owners'] }),
    principal('bot', {
      kind: 'service',
      email: null,
      groups: ['engineering', 'owners'],
      ownerId: 'sam',
      manager: null,
    }),
    principal('carol', { groups: ['security'] }),
    principal('lou', { groups: ['owners'], lockedAt: 1 }),
  ]
  const rules = exampleRules.access.map((rule) =>
    rule.name === 'engineers-write'
      ? { ...rule, approval: { stages: [{ any_of: ['group:owners', 'manager'] }] } }
      : rule,
  )
  const setup = await openAccess(t, { people, rules: { access: rules } })
  const { access, login, audit } = setup
  const own = (await access.request(login('alice'), write)).request
  const forBot = (await access.request(login('sam'), { ...write, onBehalfOf: 'bot' })).request
  const byBot = (
    await access.request(login('bot', { via: 'api-token', interactive: false, scopes: ['request'] }), write)
  ).request
  const forAlice = (await access
    .request(login('bob'), { ...write, resource: ordersId, onBehalfOf: 'alice' })
    .catch((e) => e)) as {
    code?: string
  }
  t.equal(forAlice.code, 'RESOURCE_UNKNOWN', 'bob sees no resource, so he can ask for nobody')

  const cases = [
    { who: 'alice', request: own, message: /it is your own request/ },
    { who: 'carol', request: own, message: /stage 1 of 1 is for group:owners or manager/ },
    { who: 'lou', request: own, message: /stage 1 of 1 is for group:owners or manager/ },
    { who: 'sam', request: forBot, message: /it is your own request/ },
    { who: 'sam', request: byBot, message: /you own the service account in this request/ },
    { who: 'meg', request: byBot, message: /the directory names no manager/ },
  ]
  for (const { who, request, message } of cases) {
    const { id, digest } = request
    for (const verdict of ['approve', 'deny'] as const) {
      const before = audit.of('decision.refused').length
      await t.rejects(access.decide(login(who), id, { verdict, digest }), { code: 'DECISION_REFUSED', message }, who)
      t.equal(audit.of('decision.refused').length, before + 1, `${who} is on record`)
    }
  }
  const byToken = access.decide(login('bob', { interactive: false }), own.id, {
    verdict: 'approve',
    digest: own.digest,
  })
  await t.rejects(byToken, { code: 'INTERACTIVE_REQUIRED' })
  await t.rejects(access.decide(login('bob'), own.id, { verdict: 'approve', digest: '0'.repeat(64) }), {
    code: 'STALE',
  })
  t.match(await access.decide(login('bob'), byBot.id, { verdict: 'approve', digest: byBot.digest }), {
    grant: { principal: { id: 'bot' } },
  })
})

t.test('conditions of asking, one below and one above each limit', async (t) => {
  const rules = exampleRules.access.map((rule) =>
    rule.name === 'engineers-read'
      ? { ...rule, require: { reason: true, ticket: '[A-Z]+-[0-9]+', login_within: '15m', acr: ['mfa'] } }
      : rule,
  )
  const setup = await openAccess(t, { rules: { access: rules } })
  const { access, clock } = setup
  const good = { ...read, ticket: 'OPS-1' }
  const mfa = { acr: 'mfa', authenticatedAt: clock.now() - 15 * minute }
  const cases = [
    { ask: good, login: mfa, code: null },
    { ask: { ...good, durationMs: 8 * hour }, login: mfa, code: null },
    {
      ask: { ...good, durationMs: 8 * hour + 1 },
      login: mfa,
      code: 'GRANT_DENIED',
      message: /allows 8h at most; requested: 8h1ms/,
    },
    { ask: { ...good, reason: ' ' }, login: mfa, code: 'GRANT_DENIED', message: /needs a reason; add --reason/ },
    { ask: { ...good, ticket: 'xOPS-1' }, login: mfa, code: 'GRANT_DENIED', message: /needs a ticket that matches/ },
    { ask: { ...good, ticket: 'OPS-1\nx' }, login: mfa, code: 'GRANT_DENIED', message: /does not match/ },
    { ask: { ...good, ticket: `A-${'1'.repeat(127)}` }, login: mfa, code: 'GRANT_DENIED', message: /does not match/ },
    { ask: { ...good, ticket: `A-${'1'.repeat(126)}` }, login: mfa, code: null },
    { ask: { ...read }, login: mfa, code: 'GRANT_DENIED', message: /none was given/ },
    {
      ask: good,
      login: { ...mfa, authenticatedAt: mfa.authenticatedAt - 1 },
      code: 'LOGIN_TOO_OLD',
      hint: 'run: sallyport login',
    },
    { ask: good, login: { ...mfa, acr: 'pwd' }, code: 'LOGIN_TOO_OLD', message: /with mfa; yours has pwd/ },
    { ask: good, login: { ...mfa, interactive: false }, code: 'INTERACTIVE_REQUIRED' },
    { ask: { ...good, level: 'root' }, login: mfa, code: 'LEVEL_UNKNOWN', message: /it has: readonly, admin/ },
    { ask: { ...good, resource: 'ledger' }, login: mfa, code: 'RESOURCE_UNKNOWN' },
    { ask: { ...good, resource: 'nowhere' }, login: mfa, code: 'RESOURCE_UNKNOWN' },
  ]
  for (const { ask, login, code, message, hint } of cases) {
    const asking = access.request(setup.login('alice', login), ask)
    if (code === null) await t.resolves(asking)
    else await t.rejects(asking, { code, ...(message ? { message } : {}), ...(hint ? { hint } : {}) })
  }
})

t.test('the approver’s sign-in must be recent too, but a denial never waits for one', async (t) => {
  const rules = exampleRules.access.map((rule) =>
    rule.name === 'engineers-write' ? { ...rule, require: { login_within: '15m' } } : rule,
  )
  const { access, login, clock } = await openAccess(t, { rules: { access: rules } })
  const { request } = await access.request(login('alice'), write)
  const { id, digest } = request
  const old = login('bob', { authenticatedAt: clock.now() - 16 * minute })
  await t.rejects(access.decide(old, id, { verdict: 'approve', digest }), { code: 'LOGIN_TOO_OLD' })
  await t.resolves(access.decide(old, id, { verdict: 'deny', digest }))
})

t.test('a stage for the manager only is a dead end when the directory names none', async (t) => {
  const setup = await openAccess(t)
  await setup.change('alice', { manager: null })
  await t.rejects(setup.access.request(setup.login('alice'), write), {
    code: 'GRANT_DENIED',
    message: /stage 2 needs the manager of alice@example.com, and the directory names none/,
  })
})

t.test('the manager may be named by subject at the same provider', async (t) => {
  const setup = await openAccess(t)
  await setup.change('alice', { manager: 'sub-meg' })
  const { request } = await setup.access.request(setup.login('alice'), write)
  const { id, digest } = request
  await setup.access.decide(setup.login('bob'), id, { verdict: 'approve', digest })
  t.match(await setup.access.decide(setup.login('meg'), id, { verdict: 'approve', digest }), {
    grant: { level: 'admin' },
  })
})

t.test('an approver who no longer qualifies does not count', async (t) => {
  const setup = await openAccess(t)
  const { access, login } = setup
  const { request } = await access.request(login('alice'), write)
  const { id, digest } = request
  await access.decide(login('bob'), id, { verdict: 'approve', digest })
  await setup.change('bob', { groups: [] })
  t.match(await access.requestById(login('meg'), id), { stage: 0, stages: [{ approvals: 0 }, { approvals: 0 }] })
})

t.test('a self-service rule is for oneself; the owner of a service account may ask for it', async (t) => {
  const people = [
    principal('alice', { groups: ['engineering'] }),
    principal('ann', { groups: ['engineering'] }),
    principal('bot', { kind: 'service', email: null, groups: ['engineering'], ownerId: 'ann' }),
  ]
  const { access, login } = await openAccess(t, { people })
  await t.rejects(access.request(login('alice'), { ...read, onBehalfOf: 'ann' }), {
    code: 'GRANT_DENIED',
    message: /cannot request this level of/,
  })
  const { grant } = await access.request(login('ann'), { ...read, onBehalfOf: 'bot' })
  t.match(grant, { principal: { id: 'bot' } })
})

t.test('same as an earlier request of one’s own; not of somebody else’s', async (t) => {
  const { access, login } = await openAccess(t)
  const { request } = await access.request(login('alice'), write)
  const again = await access.request(login('alice'), { sameAs: request.id, ticket: 'OPS-2' })
  t.match(again.request, { resourceId: ordersId, level: 'admin', reason: 'fix it', ticket: 'OPS-2' })
  await t.rejects(access.request(login('eve'), { sameAs: request.id }), { code: 'NOT_FOUND' })
})

t.test('a pending request lapses after a day, and its requester can take it back before', async (t) => {
  const { access, login, clock, audit } = await openAccess(t)
  const { request } = await access.request(login('alice'), write)
  const other = (await access.request(login('alice'), write)).request
  await t.rejects(access.cancel(login('bob'), request.id), { code: 'NOT_FOUND' })
  t.match(await access.cancel(login('alice'), request.id), { status: 'cancelled' })
  t.match(audit.of('request.cancelled'), [{ actor: 'alice', fields: { request: request.id } }])
  clock.advance(24 * hour - 1)
  t.match(await access.requestById(login('alice'), other.id), { status: 'pending' })
  clock.advance(1)
  await access.sweep()
  t.match(await access.requestById(login('alice'), other.id), { status: 'expired' })
  t.match(audit.of('request.expired'), [{ actor: 'system', fields: { request: other.id } }])
})

t.test('a lock cancels pending requests and leaves grants, which lend nothing meanwhile', async (t) => {
  const setup = await openAccess(t)
  const { access, login } = setup
  await access.request(login('alice'), read)
  const { request } = await access.request(login('alice'), write)
  await setup.change('alice', { lockedAt: 1 })
  t.match(await access.requestById(login('carol'), request.id), { status: 'cancelled' })
  t.match(await access.check({ principalId: 'alice', resource: 'orders' }), {
    allowed: false,
    code: 'PRINCIPAL_LOCKED',
  })
  await setup.change('alice', { lockedAt: null })
  t.match(await access.check({ principalId: 'alice', resource: 'orders' }), { allowed: true })
})

t.test('nothing is granted that cannot be audited', async (t) => {
  const { access, login, audit, db } = await openAccess(t)
  const { request } = await access.request(login('alice'), write)
  const { id, digest } = request
  await access.decide(login('bob'), id, { verdict: 'approve', digest })
  audit.state.failing = true
  await t.rejects(access.request(login('alice'), read), { code: 'AUDIT_UNAVAILABLE' })
  await t.rejects(access.decide(login('meg'), id, { verdict: 'approve', digest }), { code: 'AUDIT_UNAVAILABLE' })
  t.same(await db.selectFrom('grants').selectAll().execute(), [])
  t.match(await access.requestById(login('meg'), id), { status: 'pending', stage: 1 })
})

t.test('a denial holds when neither store nor log can be written', async (t) => {
  const setup = await openAccess(t)
  const { access, login, audit, store } = setup
  const { request } = await access.request(login('alice'), write)
  const { id, digest } = request
  store.failing = true
  audit.state.failing = true
  await access.decide(login('bob'), id, { verdict: 'deny', digest })
  t.match(await access.requestById(login('alice'), id), { status: 'denied' })
  store.failing = false
  audit.state.failing = false
  const again = await setup.restart() // killed before the store could be written: the spool knows
  t.match(await again.requestById(login('alice'), id), { status: 'denied' })
})

t.test('a sweep while a denial or a cancellation is being written takes nothing from the log', async (t) => {
  const setup = await openAccess(t)
  const { access, login, audit } = setup
  const [denied, cancelled] = [await access.request(login('alice'), write), await access.request(login('alice'), write)]
  sweepMeanwhile(setup)
  const { id, digest } = denied.request
  t.match(await access.decide(login('bob'), id, { verdict: 'deny', digest }), { request: { status: 'denied' } })
  t.match(await access.cancel(login('alice'), cancelled.request.id), { status: 'cancelled' })
  t.match(audit.of('decision.made'), [{ fields: { request: id, verdict: 'deny' } }])
  t.match(audit.of('request.cancelled'), [{ fields: { request: cancelled.request.id } }])
})

t.test('the list shows what concerns a person, and whether they can decide', async (t) => {
  const { access, login } = await openAccess(t)
  const { request } = await access.request(login('alice'), write)
  const seen = async (who: string, all = false) =>
    (await access.requests(login(who), { all })).items.map((r) => [r.id, r.canDecide])
  t.same(await seen('alice'), [[request.id, false]])
  t.same(await seen('bob'), [[request.id, true]])
  t.same(await seen('carol'), [[request.id, false]])
  t.same(await seen('eve'), [])
  await access.cancel(login('alice'), request.id)
  t.same(await seen('alice'), [])
  t.same(await seen('alice', true), [[request.id, false]])
  await t.rejects(access.requestById(login('eve'), request.id), { code: 'NOT_FOUND' })
})

t.test('fifty requests may be pending, and no more', async (t) => {
  const { access, login } = await openAccess(t)
  for (let i = 0; i < 50; i++) await access.request(login('alice'), write)
  await t.rejects(access.request(login('alice'), write), { code: 'RATE_LIMITED' })
})

t.test('somebody else’s resources are as unknown as those that are not there', async (t) => {
  const { access, login } = await openAccess(t)
  const hidden = await access.request(login('alice'), { ...read, resource: ledgerId }).catch((error) => error)
  const absent = await access.request(login('alice'), { ...read, resource: `${ledgerId}x` }).catch((error) => error)
  t.equal(hidden.code, 'RESOURCE_UNKNOWN')
  t.equal(hidden.message.replace(ledgerId, ''), absent.message.replace(`${ledgerId}x`, ''))
})
