/** B5: what a client can repeat at will does not fill the audit log. */
import t, { type Test } from 'tap'
import { BrokerError } from '../../proxy/session.ts'
import type { AuditEvent } from '../../src/audit/audit.ts'
import { RepeatedEvents } from '../../src/audit/repeated.ts'
import { denied } from '../../src/sessions/open-session.ts'
import { startCompany } from '../e2e/company.ts'
import { clientFor, issueToken } from '../e2e/database-client.ts'
import { openAudit } from '../src/audit/start-audit.ts'
import { waitUntil } from '../wait-until.ts'

async function startLog(t: Test) {
  let elapsed = 0
  const opened = await openAudit(t, { elapsedMs: () => elapsed })
  await opened.audit.start()
  return {
    ...opened,
    ofType: async (type: AuditEvent['type']) => (await opened.audit.search({ types: [type] })).events.toReversed(),
    aMinuteLater: () => {
      elapsed += 60_001
    },
  }
}

interface Refused {
  readonly credential?: string
  readonly resource?: string
  readonly address?: string
  readonly actor?: string
  readonly code?: 'GRANT_DENIED' | 'GRANT_EXPIRED'
}

/** As the session doors make it. */
function refusedSession(what: Refused = {}): AuditEvent {
  const {
    credential = 'lgn_1',
    resource = 'orders',
    address = '192.0.2.1',
    actor = 'prn_1',
    code = 'GRANT_DENIED',
  } = what
  const identity = { principalId: actor, name: 'alice', credential: { kind: 'login', id: credential } } as const
  const client = { address, port: 1, via: 'websocket' } as const
  return denied({ identity, resourceId: resource, client }, new BrokerError(code))
}

t.test('B5: the first denial at once, the others once a minute with their number', async (t) => {
  const { audit, ofType, aMinuteLater } = await startLog(t)
  for (let i = 0; i < 600; i++) await audit.appendRemoval(refusedSession({ address: `192.0.2.${i % 3}` }))
  t.equal((await ofType('session.denied')).length, 1)
  aMinuteLater()
  await waitUntil(async () => (await ofType('session.denied')).length === 2)
  const [first, summary] = await ofType('session.denied')
  t.match(first, { actor: 'prn_1', fields: { code: 'GRANT_DENIED', credential: 'lgn_1' } })
  t.match(summary, { actor: 'prn_1', fields: { times: 599, code: 'GRANT_DENIED', credential: 'lgn_1' } })
  t.equal(summary?.text?.addresses, '192.0.2.1, 192.0.2.2, 192.0.2.0')
})

t.test('B5: another credential, person or reason is another first', async (t) => {
  const { audit, ofType } = await startLog(t)
  const kinds: Refused[] = [{}, { credential: 'lgn_2' }, { actor: 'prn_2' }, { code: 'GRANT_EXPIRED' }]
  for (const kind of [...kinds, ...kinds]) await audit.appendRemoval(refusedSession(kind))
  t.equal((await ofType('session.denied')).length, kinds.length)
})

t.test('B5: names typed at random make no more events', async (t) => {
  const { audit, ofType } = await startLog(t)
  for (let i = 0; i < 300; i++) await audit.appendRemoval(refusedSession({ resource: `guess-${i}` }))
  t.equal((await ofType('session.denied')).length, 1)
  await audit.stop()
  const events = await ofType('session.denied')
  t.match(events[1], { fields: { times: 299 } }, 'what was counted is written when the daemon stops')
  t.notOk('resource' in (events[1]?.fields ?? {}), 'they have no resource in common')
})

t.test('B5: neither do many credentials of one person, nor many people', async (t) => {
  const { audit, ofType } = await startLog(t)
  for (let i = 0; i < 500; i++) await audit.appendRemoval(refusedSession({ credential: `tok_${i}` }))
  const ofOne = (await ofType('session.denied')).length
  t.ok(ofOne <= 21, `${ofOne} of one person`)
  for (let i = 0; i < 3000; i++) await audit.appendRemoval(refusedSession({ actor: `prn_${i}` }))
  const { events } = await audit.search({ types: ['session.denied'], limit: 1000 })
  const { next } = await audit.search({ types: ['session.denied'], limit: 1000 })
  t.ok(events.length === 1000 && next !== null)
  const rest = await audit.search({ types: ['session.denied'], limit: 1000, cursor: next ?? '' })
  t.ok(rest.events.length <= 2, 'about a thousand in all')
})

t.test('B5: wrong tokens and failed sign-ins are summed, not written each second', async (t) => {
  const { audit, ofType, aMinuteLater } = await startLog(t)
  for (let second = 0; second < 60; second++) {
    await audit.appendRemoval({ type: 'strangers.failed', actor: 'system', fields: { TOKEN_INVALID: 10 } })
    const text = { addresses: '192.0.2.1 (3)' }
    await audit.appendRemoval({ type: 'login.failed', actor: 'system', fields: { why_state: 3 }, text })
  }
  aMinuteLater()
  await waitUntil(async () => (await ofType('login.failed')).length === 2)
  t.match(await ofType('strangers.failed'), [{ fields: { TOKEN_INVALID: 10 } }, { fields: { TOKEN_INVALID: 590 } }])
  t.match(await ofType('login.failed'), [{ fields: { why_state: 3 } }, { fields: { why_state: 177 } }])
})

t.test('B5: a locked person who keeps signing in, and cancels of one session', async (t) => {
  const { audit, ofType } = await startLog(t)
  for (let i = 0; i < 50; i++) {
    const fields = { principal: 'prn_1', via: 'web', why: 'PRINCIPAL_LOCKED' }
    await audit.appendRemoval({ type: 'login.failed', actor: 'prn_1', fields, text: { address: '192.0.2.1' } })
    await audit.appendRemoval({ type: 'session.cancelled', actor: 'prn_1', fields: { session: 'ses_1' } })
  }
  t.equal((await ofType('login.failed')).length, 1)
  t.equal((await ofType('session.cancelled')).length, 1)
})

t.test('B5: what ends access is always written', async (t) => {
  const { audit, ofType } = await startLog(t)
  const revoked: AuditEvent = { type: 'grant.revoked', actor: 'prn_1', fields: { grant: 'grt_1' } }
  for (let i = 0; i < 20; i++) await audit.appendRemoval(revoked)
  t.equal((await ofType('grant.revoked')).length, 20)
})

t.test('B5: after a quiet minute the next denial is a first again, and nothing is kept', async (t) => {
  let elapsed = 0
  const written: AuditEvent[] = []
  const append = async (event: AuditEvent) => void written.push(event)
  const repeated = new RepeatedEvents({ append, now: () => 0, elapsedMs: () => elapsed })
  await repeated.append(refusedSession())
  elapsed += 60_001
  await repeated.flush()
  t.equal(written.length, 1, 'there is nothing to sum up')
  await repeated.append(refusedSession())
  await repeated.append(refusedSession())
  t.equal(written.length, 2)
  elapsed += 60_001
  await repeated.flush()
  t.match(written[2], { fields: { times: 1 } })
})

t.test('B5: summaries share a commit, and what looks again meanwhile counts nothing twice', async (t) => {
  let elapsed = 0
  const written: AuditEvent[] = []
  const { promise: committed, resolve: commit } = Promise.withResolvers<void>()
  let isSlow = false
  const append = async (event: AuditEvent) => {
    written.push(event)
    if (isSlow) await committed
  }
  const repeated = new RepeatedEvents({ append, now: () => 0, elapsedMs: () => elapsed })
  const again = ['lgn_1', 'lgn_2']
  for (const credential of [...again, ...again, 'lgn_quiet']) await repeated.append(refusedSession({ credential }))
  elapsed += 60_001
  isSlow = true
  const flushed = repeated.flush()
  t.equal(written.length, 3 + again.length, 'both were handed over at once')
  const meanwhile = repeated.flush()
  commit()
  await Promise.all([flushed, meanwhile])
  written.length = 0
  for (let i = 0; i < 30; i++) await repeated.append(refusedSession({ credential: `lgn_new_${i}` }))
  t.equal(written.length, 19, 'two kinds of this person are known still: 18 more, and one for all others')
})

t.test('B5: reconnecting after a revocation', async (t) => {
  const company = await startCompany()
  t.teardown(() => company.close())
  const grant = await company.grant()
  const token = await issueToken(company)
  await company.api('dave', 'POST', `/api/v1/grants/${grant.id}/revoke`, { reason: 'incident' })
  for (let i = 0; i < 60; i++) {
    const client = clientFor(company, token)
    client.on('error', () => {})
    await t.rejects(client.connect())
  }
  const ask = { resource: 'nothing-of-the-kind', level: 'readonly', durationMs: 60_000, reason: 'x' }
  for (let i = 0; i < 5; i++) await company.call('alice', 'POST', '/api/v1/requests', ask)
  const found = async (type: string) =>
    (
      await company.api<{ events: AuditEvent[] }>('carol', 'GET', `/api/v1/audit/events?type=${type}&limit=100`)
    ).events.filter(({ fields }) => fields.times === undefined)
  const events = await found('session.denied')
  t.equal(events.length, 1)
  t.match(events[0]?.fields, { grant: grant.id, code: /GRANT/ })
  t.match(await found('request.refused'), [{ fields: { code: 'RESOURCE_UNKNOWN', resource: null } }])
})
