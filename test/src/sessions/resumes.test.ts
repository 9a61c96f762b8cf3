/** Keys by which clients go on with their sessions. */
import t, { type Test } from 'tap'
import { placeOf } from '../../../proxy/place.ts'
import { allowed, ask, start, startSessions } from './sessions-setup.ts'

async function startResumable(t: Test, number = 3) {
  const started = await startSessions(t, { number })
  const { host } = started
  const permit = await host.open(ask)
  const key = await host.doorman.resumeKey(permit.sessionId)
  const resume = (by: string, who: Partial<typeof ask> = {}) =>
    host.doorman.resume({ key: by, identity: ask.identity, client: ask.client, carrier: ask.carrier, ...who })
  return { ...started, permit, key, resume }
}

t.test('a key is good once, is followed by the next one, and says where it belongs', async (t) => {
  const { resume, key, permit, events } = await startResumable(t)
  t.match(key, /^[0-9]+\.[A-Za-z0-9_-]{43}$/)
  t.same(placeOf(Number.parseInt(key, 10)), { daemon: 3, front: 0 })
  const resumed = await resume(key)
  t.equal(resumed.sessionId, permit.sessionId)
  t.match(events.at(-1), {
    type: 'session.resumed',
    actor: 'prn_1',
    fields: { session: permit.sessionId, grant: 'grt_1', credential: 'lgn_1' },
    text: { address: '127.0.0.1' },
  })
  await t.rejects(resume(key), { code: 'RESUME_REFUSED' })
  t.match(await resume(resumed.key), { sessionId: permit.sessionId })
})

t.test('of two who have it at the same time one goes on', async (t) => {
  const { resume, key } = await startResumable(t)
  const results = await Promise.allSettled([resume(key), resume(key)])
  t.same(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
})

t.test('it is good for the same person and the same sign-in alone, and keeps for them', async (t) => {
  const { resume, key, events } = await startResumable(t)
  const others = [
    { ...ask.identity, principalId: 'prn_2' },
    { ...ask.identity, credential: { kind: 'login' as const, id: 'lgn_2' } },
  ]
  for (const identity of others) {
    await t.rejects(resume(key, { identity }), { code: 'RESUME_REFUSED' })
    t.match(events.at(-1), { type: 'session.denied', actor: identity.principalId, fields: { code: 'RESUME_REFUSED' } })
  }
  t.ok(await resume(key))
})

t.test('a wrong one is refused: made up, altered, too long, of another daemon', async (t) => {
  const { resume, key } = await startResumable(t)
  const other = await startResumable(t, 4)
  const altered = `${key.slice(0, -2)}${key.endsWith('AA') ? 'BB' : 'AA'}`
  for (const wrong of ['', '1', '1.x', altered, `${key}x`, '4294967295.'.padEnd(54, 'A')])
    await t.rejects(resume(wrong), { code: 'RESUME_REFUSED' }, wrong)
  await t.rejects(resume(other.key), { code: 'SESSION_ELSEWHERE' })
  t.ok(await resume(key))
})

t.test('everything is checked again; a refusal does not use it up', async (t) => {
  const { resume, key, state, events } = await startResumable(t)
  state.answer = { allowed: false, code: 'GRANT_DENIED', reason: 'the rule is gone', hint: '' }
  await t.rejects(resume(key), { code: 'GRANT_DENIED', message: /rule is gone/ })
  t.match(events.at(-1), { type: 'session.denied', fields: { code: 'GRANT_DENIED' } })
  state.answer = allowed(start + 3_600_000)
  state.credential = undefined
  await t.rejects(resume(key), { code: 'TOKEN_INVALID' })
  state.credential = { via: 'cli', interactive: true, authenticatedAt: start, acr: null, scopes: null, cidr: null }
  state.auditDown = true
  await t.rejects(resume(key), { code: 'AUDIT_UNAVAILABLE' })
  state.auditDown = false
  t.ok(await resume(key))
})

t.test('a session that was cut does not go on, and the client is told why, also when it is over', async (t) => {
  const { resume, key, host, permit, changes } = await startResumable(t)
  const notice = { reason: 'grant-revoked', text: 'access was revoked by bob', decidedAt: start } as const
  changes.publish({ what: 'grant', id: 'grt_1', ...notice })
  await t.rejects(resume(key), { code: 'GRANT_DENIED', message: /revoked by bob/ })
  await host.end(permit, { reason: 'grant-revoked', bytesUp: 0, bytesDown: 0 })
  await t.rejects(resume(key), { code: 'RESUME_REFUSED', message: /revoked by bob/ })
  await t.rejects(host.doorman.resumeKey(permit.sessionId), { code: 'INTERNAL' })
})

t.test('cut while it is checked', async (t) => {
  const { resume, key, state, changes } = await startResumable(t)
  state.onAppend = () =>
    changes.publish({ what: 'grant', id: 'grt_1', reason: 'grant-revoked', text: 'revoked by bob', decidedAt: start })
  await t.rejects(resume(key), { code: 'GRANT_DENIED', message: /revoked by bob/ })
})
