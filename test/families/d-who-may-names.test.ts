/** Who may: names that people choose name nobody else, and nothing is told of others. */
import t from 'tap'
import { fillsStage } from '../../src/access/requests/request.ts'
import { includesPrincipal } from '../../src/access/rules/rule.ts'
import { toSessionName } from '../../src/aws/session-names.ts'
import { shownName as shownInTables } from '../../src/cli/output.ts'
import { confirmCommand } from '../../src/http/pages/sign-in-pages.ts'
import { isReferenceTo, looksLikeEmail, shownName } from '../../src/identity/names.ts'
import { examplePeople, exampleRules, hour, openAccess, principal } from '../src/access/access-setup.ts'
import { issuer, startIdentity, vouched } from '../src/identity/identity-setup.ts'

const posing = { email: 'carol@elsewhere.example', emailVerified: false, username: 'alice@example.com' }

t.test('D4: a name that looks like an e-mail is a verified one; any other has no @', async (t) => {
  const setup = await startIdentity(t)
  const { login } = await setup.begin('carol', 'cli', posing)
  t.notOk(looksLikeEmail(login.principal.name), login.principal.name)
  t.match(setup.events('login.succeeded').at(-1), { text: { name: login.principal.name } }, 'in the log alike')
  t.match(setup.events('principal.created').at(-1), { text: { name: login.principal.name } })
  t.notMatch(toSessionName(login.principal.name), /alice@example/)
  const names = { email: null, name: 'Carol', subject: 'sub-carol' }
  for (const username of ['alice@example.com', 'alice\uFF20example.com', 'alice\uFE6Bexample.com', null])
    t.equal(shownName({ ...names, username }), 'Carol')
  t.equal(shownName({ ...names, username: 'carol' }), 'carol')
  t.equal(shownName({ ...names, username: null, name: 'a@b.c', subject: 'c@d.e' }), 'c at d.e')
})

t.test('D4: an e-mail finds the person whose verified one it is, or nobody', async (t) => {
  const setup = await startIdentity(t)
  const dave = (await setup.begin('dave')).login
  const carol = (await setup.begin('carol', 'cli', { ...posing, name: 'alice@example.com' })).login
  await t.rejects(setup.identity.lock(dave, 'alice@example.com', ''), { code: 'NOT_FOUND' })
  await t.rejects(setup.identity.findPrincipal('carol@elsewhere.example'), { code: 'NOT_FOUND' }, 'not verified')
  const alice = (await setup.begin('alice')).login
  t.equal((await setup.identity.lock(dave, 'alice@example.com', '')).id, alice.principal.id)
  t.equal((await setup.identity.principal(carol.principal.id))?.lockedAt, null)
  const other = await setup.begin('mallory', 'cli', { email: null, subject: 'dave@example.com' })
  t.not((await setup.identity.findPrincipal('dave@example.com')).id, other.login.principal.id, 'nor by a subject')
})

t.test('D4: the page on which a sign-in is confirmed shows no claim as if it were verified', async (t) => {
  const purpose = { for: 'cli', port: 1, challenge: '', state: '' } as const
  const page = (claims: Parameters<typeof vouched>[1]) => {
    const confirmation = { vouched: vouched('carol', claims), purpose, formId: 'f', triesLeft: 1 }
    return JSON.stringify(confirmCommand(confirmation, 1, '192.0.2.7'))
  }
  t.notMatch(page({ ...posing, email: 'alice@example.com' }), /alice@example\.com/)
  t.match(page({}), /carol@example\.com/)
})

t.test('D4: lists say who an unverified name is at the provider', async (t) => {
  const odd = principal('odd', { email: null, name: 'Alice', groups: ['engineering'] })
  const { access, login } = await openAccess(t, { people: [...examplePeople, odd] })
  for (const id of ['odd', 'alice'])
    await access.request(login(id), { resource: 'orders', level: 'readonly', reason: 'r' })
  const { request } = await access.request(login('odd'), { resource: 'orders', level: 'readonly', reason: 'r' })
  t.match(request.requester, { name: 'Alice', unverified: { issuer: odd.issuer, subject: 'sub-odd' } })
  t.equal(shownInTables(request.requester), 'Alice (sub-odd at https://id.example.com)')
  const mine = await access.request(login('alice'), { resource: 'orders', level: 'readonly', reason: 'r' })
  t.same(mine.request.beneficiary, { id: 'alice', name: 'alice@example.com' })
})

t.test('D7: e-mails are compared in one way, wherever one is written', async (t) => {
  const written = 'Alice@Example.COM'
  const alice = principal('alice', { email: 'alice@example.com' })
  for (const email of [written, 'alice@example.com', ' alice@EXAMPLE.com ']) {
    t.ok(includesPrincipal({ groups: [], emails: [email], principals: [] }, alice), 'who.emails')
    t.ok(fillsStage({ anyOf: [`email:${email}`], count: 1 }, alice, principal('bob')), 'a stage')
    t.ok(fillsStage({ anyOf: ['manager'], count: 1 }, alice, principal('bob', { manager: email })), 'a manager')
    t.ok(isReferenceTo(alice, email), 'oneself')
  }
  t.notOk(includesPrincipal({ groups: [], emails: [written], principals: [] }, principal('x', { email: null })))
  const setup = await startIdentity(t)
  const found = (await setup.begin('alice', 'cli', { email: written })).login
  const dave = (await setup.begin('dave')).login
  for (const reference of [written, 'ALICE@example.com', 'alice@example.com'])
    t.equal((await setup.identity.findPrincipal(reference)).id, found.principal.id)
  const robot = await setup.identity.createServiceAccount(dave, { name: 'robot', owner: 'aLICE@example.com' })
  t.equal(robot.ownerId, found.principal.id, 'an owner')
  t.equal((await setup.identity.lock(dave, 'ALICE@EXAMPLE.COM', '')).id, found.principal.id, 'a lock')
  t.equal(found.principal.issuer, issuer)
})

t.test('D6: a request for another tells nothing of them to who has no right to know', async (t) => {
  const [read, write] = exampleRules.access
  const rules = { access: [read, write] } as Partial<typeof exampleRules>
  const people = [
    ...examplePeople,
    principal('fred', { groups: ['finance', 'payroll'] }),
    principal('lou', { groups: ['engineering'], lockedAt: 1 }),
    principal('gone', { groups: ['engineering'], active: false }),
    principal('twin1', { name: 'twin', email: null }),
    principal('sue', { groups: ['engineering'], manager: 'meg@example.com' }),
  ]
  const { access, login } = await openAccess(t, { people, rules })
  const ask = (who: string, onBehalfOf: string, more: object = {}) =>
    access
      .request(login(who), { resource: 'orders', level: 'admin', durationMs: hour, onBehalfOf, ...more })
      .then(() => 'granted or pending')
      .catch((error: { code: string; message: string; hint?: string }) => [error.code, error.message, error.hint])
  const answer = await ask('alice', 'nobody@example.com')
  t.match(answer, ['GRANT_DENIED', /cannot request this level of .*orders for them/, /policy why/])
  for (const other of [
    'fred@example.com',
    'lou@example.com',
    'gone@example.com',
    'twin',
    'prn_made_up',
    'sue@example.com',
  ])
    t.same(await ask('alice', other), answer, other)
  t.same(await ask('alice', 'fred', { level: 'root' }), answer, 'a level that there is not')
  t.same(await ask('alice', 'fred@example.com', { level: undefined }), answer, 'no level named')
  t.notMatch(JSON.stringify(answer), /finance|payroll|locked/)
  t.match(await ask('dave', 'nobody@example.com'), ['NOT_FOUND'], 'an admin may know')
  t.match(await ask('carol', 'fred@example.com'), ['GRANT_DENIED', /finance, payroll/], 'an auditor too')
  t.match(await ask('alice', 'alice@example.com'), ['GRANT_DENIED', /needs a reason/], 'and everyone of themselves')
  t.equal(await ask('alice', 'sue@example.com', { reason: 'r', ticket: 'OPS-1' }), 'granted or pending')
})

t.test('D6: neither do questions about another, nor the ids of what is theirs', async (t) => {
  const people = [...examplePeople, principal('fred', { groups: ['finance'] }), principal('lou', { lockedAt: 1 })]
  const { access, login } = await openAccess(t, { people })
  const ask = { resource: 'orders', level: 'readonly', durationMs: hour, reason: 'r' }
  const { request, grant } = await access.request(login('alice'), ask)
  const pending = (await access.request(login('alice'), { ...ask, level: 'admin', ticket: 'OPS-1' })).request
  if (!grant) throw new Error('granted at once')
  const eve = login('eve')
  const told = (asked: Promise<unknown>, named: string) =>
    asked.then(
      (answer) => ['answered', JSON.stringify(answer)],
      ({ code, message, hint }) => [code, `${message}`.replaceAll(named, '…'), `${hint}`.replaceAll(named, '…')],
    )
  const same = async (
    what: string,
    of: (name: string) => Promise<unknown>,
    theirs: readonly string[],
    none: string,
  ) => {
    const answer = await told(of(none), none)
    t.not(answer[0], 'answered', what)
    for (const one of theirs) t.same(await told(of(one), one), answer, `${what}: ${one}`)
  }
  const others = ['alice@example.com', 'fred@example.com', 'lou', 'bob']
  const why = (principalName: string) => access.why(eve, { principal: principalName, resource: 'orders' })
  await same('policy why', why, others, 'nobody@example.com')
  const decide = { verdict: 'approve', digest: pending.digest } as const
  const ofRequests: Readonly<Record<string, (id: string) => Promise<unknown>>> = {
    'a request': (id) => access.requestById(eve, id),
    cancel: (id) => access.cancel(eve, id),
    'same as': (id) => access.request(eve, { sameAs: id }),
  }
  const noRequest = request.id.replace(/.{4}$/, 'zzzz')
  for (const [what, of] of Object.entries(ofRequests)) await same(what, of, [request.id, pending.id], noRequest)
  await access.decide(login('bob'), pending.id, { ...decide, verdict: 'deny', comment: 'about fred' })
  await same('a decision', (id) => access.decide(eve, id, decide), [request.id, pending.id], noRequest)
  for (const one of ['alice', 'bob', 'dave'])
    await t.rejects(access.decide(login(one), pending.id, decide), { code: 'STALE', message: /about fred/ }, one)
  const ofGrants: Readonly<Record<string, (id: string) => Promise<unknown>>> = {
    revoke: (id) => access.revoke(eve, id, 'x'),
    'give back': (id) => access.giveBack(eve, id),
    extend: (id) => access.extend(eve, id, { durationMs: hour, reason: 'r' }),
  }
  for (const [what, of] of Object.entries(ofGrants)) await same(what, of, [grant.id], grant.id.replace(/.{4}$/, 'zzzz'))
})
