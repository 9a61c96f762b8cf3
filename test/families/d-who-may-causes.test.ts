/** Who may: one decision has one reason, in whatever order its parts arrive. */
import t from 'tap'
import type { EndNotice } from '../../proxy/session.ts'
import { LiveSessions } from '../../src/sessions/live-sessions.ts'
import { type Change, createChanges, isRemoval } from '../../src/store/changes.ts'
import { minute } from '../src/identity/identity-setup.ts'
import { ask, start, startSessions } from '../src/sessions/sessions-setup.ts'
import { startWithProvider } from './e-identity-provider-setup.ts'

const hour = 3_600_000
const why = { text: 'because', decidedAt: start + hour } as const

t.test('D9: the grant runs out: the reason is the grant, also when its token or login is heard of first', async (t) => {
  for (const [what, reason] of [
    ['token', 'token-revoked'],
    ['login', 'login-ended'],
  ] as const) {
    const { host, changes, advance } = await startSessions(t)
    const permit = await host.open(ask)
    advance(hour)
    changes.publish({ what, id: 'lgn_1', reason, ...why })
    changes.publish({ what: 'grant', id: 'grt_1', reason: 'grant-expired', ...why })
    t.match(permit.signal.reason as EndNotice, { reason: 'grant-expired', text: /the grant expired at/ }, what)
  }
})

t.test('D9: before its end a token that is revoked keeps its reason, and the first decision stands', async (t) => {
  for (const [first, second] of [
    ['token-revoked', 'grant-expired'],
    ['grant-revoked', 'token-revoked'],
    ['principal-locked', 'login-ended'],
  ] as const) {
    const { host, changes } = await startSessions(t)
    const permit = await host.open(ask)
    const whatOf = (reason: typeof first | typeof second) =>
      reason.startsWith('grant')
        ? ({ what: 'grant', id: 'grt_1' } as const)
        : reason.startsWith('principal')
          ? ({ what: 'principal', id: 'prn_1' } as const)
          : ({ what: 'token', id: 'lgn_1' } as const)
    for (const reason of [first, second]) changes.publish({ ...whatOf(reason), reason, ...why })
    t.equal((permit.signal.reason as EndNotice).reason, first)
  }
})

t.test('D9: a lock after the end is a lock', async (t) => {
  const { host, changes, advance } = await startSessions(t)
  const permit = await host.open(ask)
  advance(hour)
  changes.publish({ what: 'principal', id: 'prn_1', reason: 'principal-locked', ...why })
  t.equal((permit.signal.reason as EndNotice).reason, 'principal-locked')
})

t.test('D9: what a listener publishes is heard after everyone knows the cause', (t) => {
  for (const [what, reason] of [
    ['grant', 'grant-revoked'],
    ['grant', 'rule-changed'],
    ['principal', 'principal-locked'],
    ['principal', 'principal-inactive'],
  ] as const) {
    const changes = createChanges()
    changes.subscribe((change) => {
      if (isRemoval(change) && change.what === what)
        changes.publish({ what: 'token', id: 'lgn_1', reason: 'token-revoked', ...why })
    })
    const live = new LiveSessions({ now: () => start })
    const cut: string[] = []
    live.add({
      id: 'ses_1',
      principalId: 'prn_1',
      grantId: 'grt_1',
      resourceId: 'orders',
      kind: 'rds-postgres',
      credential: { kind: 'login', id: 'lgn_1' },
      openedAt: start,
      endsAt: start + hour,
      carrier: { cut: (_, notice) => cut.push(notice.reason), runsUntil: () => {} },
    })
    changes.subscribe((change) => live.apply(change))
    changes.publish({ what, id: what === 'grant' ? 'grt_1' : 'prn_1', reason, ...why })
    t.same(cut, [reason])
    live.remove('ses_1')
    changes.publish({ what: 'resource', id: 'orders', reason: 'resource-gone', ...why })
  }
  t.end()
})

const refuses = { token: { status: 400, body: { error: 'invalid_grant' } } }
const endsIn = (changed: readonly Change[]) => changed.flatMap((one) => (isRemoval(one) ? [one.reason] : []))

t.test('D9: the person is gone: that is the reason, and the end of their logins its consequence', async (t) => {
  for (const logins of [1, 2]) {
    const house = await startWithProvider(t)
    const { login } = await house.signIn()
    for (let more = 1; more < logins; more++) await house.signIn()
    house.provider.lies = refuses
    await house.probe()
    t.same(endsIn(house.changed), [])
    await house.probe(minute)
    t.equal(await house.isActive(login.principal.id), false)
    t.same(endsIn(house.changed), ['principal-inactive', ...Array.from({ length: logins }, () => 'login-ended')])
    t.equal(await house.isLive(login.id), false)
  }
})

t.test('D9: a fresh ID token that is refused for good says the same of the person as a probe', async (t) => {
  const house = await startWithProvider(t)
  const { login } = await house.signIn()
  house.provider.lies = refuses
  await t.rejects(house.identity.idToken(login.id), { code: 'LOGIN_REQUIRED' })
  house.time.now += minute
  await t.rejects(house.identity.idToken(login.id), { code: 'LOGIN_REQUIRED' })
  t.equal(await house.isActive(login.principal.id), false)
  t.same(endsIn(house.changed), ['principal-inactive', 'login-ended'])
})

t.test('D9: one login of two is refused for good: it alone ends, and that is its reason', async (t) => {
  const house = await startWithProvider(t)
  const { login } = await house.signIn()
  house.provider.lies = refuses
  await t.rejects(house.identity.idToken(login.id), { code: 'LOGIN_REQUIRED' })
  house.provider.lies = {}
  const { login: other } = await house.signIn()
  house.time.now += minute
  house.provider.lies = refuses
  await t.rejects(house.identity.idToken(login.id), { code: 'LOGIN_REQUIRED' })
  t.same(endsIn(house.changed), ['login-ended'])
  t.notOk(await house.isLive(login.id))
  t.ok(await house.isLive(other.id), 'refused once, which says nothing yet')
  t.ok(await house.isActive(login.principal.id))
})
