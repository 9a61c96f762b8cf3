import t from 'tap'
import type { EndNotice } from '../../../proxy/session.ts'
import { allowed, ask, resource, start, startSessions } from './sessions-setup.ts'

t.test('a session opens, is audited before the permit, and its books are closed', async (t) => {
  const { host, events, store, live } = await startSessions(t)
  const permit = await host.open(ask)
  t.match(events, [{ type: 'session.started', actor: 'prn_1', fields: { session: permit.sessionId, grant: 'grt_1' } }])
  await host.started(permit, { database: 'orders' })
  await host.end(permit, { reason: 'client-closed', bytesUp: 10, bytesDown: 20 })
  t.match(events.at(-1), {
    type: 'session.ended',
    fields: { reason: 'client-closed', digest: 'abc', entries: 7, database: 'orders' },
  })
  t.match(await store.find(permit.sessionId), { end_reason: 'client-closed', bytes_up: 10, recording_digest: 'abc' })
  t.equal(live.size, 0)
  await t.rejects(
    host.doorman.end(permit.sessionId, { reason: 'client-closed', bytesUp: 0, bytesDown: 0, recording: null }),
    { code: 'INTERNAL' },
    'once per permit',
  )
})

t.test('a refusal is audited with its reason and opens nothing', async (t) => {
  const { host, state, events, live } = await startSessions(t)
  state.answer = { allowed: false, code: 'GRANT_DENIED', reason: 'you hold no grant', hint: 'sallyport request orders' }
  await t.rejects(host.open(ask), {
    code: 'GRANT_DENIED',
    message: /you hold no grant/,
    hint: 'sallyport request orders',
  })
  t.match(events, [
    { type: 'session.denied', actor: 'prn_1', fields: { code: 'GRANT_DENIED' }, text: { reason: /you hold no grant/ } },
  ])
  t.equal(live.size, 0)
})

t.test('a revocation between the two readings leaves no gap', async (t) => {
  await t.test('seen by the second reading', async (t) => {
    const { host, state, live } = await startSessions(t)
    state.answers = [allowed(start + 1000), { allowed: false, code: 'GRANT_DENIED', reason: 'revoked' }]
    await t.rejects(host.open(ask), { code: 'GRANT_DENIED' })
    t.equal(live.size, 0)
  })
  await t.test('published while it reads', async (t) => {
    const { host, state, changes, events } = await startSessions(t)
    let checks = 0
    state.onCheck = () => {
      if (++checks === 2)
        changes.publish({
          what: 'grant',
          id: 'grt_1',
          reason: 'grant-revoked',
          text: 'revoked by bob',
          decidedAt: start,
        })
    }
    await t.rejects(host.open(ask), { code: 'GRANT_DENIED', message: /revoked by bob/ })
    t.match(
      events.map((e) => e.type),
      ['session.started', 'session.ended', 'session.denied'],
    )
  })
})

t.test('nothing opens without an audit log or a recorder', async (t) => {
  const { host, state, live, events } = await startSessions(t)
  state.auditDown = true
  await t.rejects(host.open(ask), { code: 'AUDIT_UNAVAILABLE' })
  state.auditDown = false
  state.recordingDown = true
  await t.rejects(host.open(ask), { code: 'RECORDING_FAILED' })
  state.recordingDown = false
  state.resumeFails = true
  await t.rejects(host.open(ask), { code: 'RECORDING_FAILED' })
  t.match(events.at(-1), { type: 'session.ended', fields: { reason: 'open-failed', code: 'RECORDING_FAILED' } })
  t.equal(live.size, 0)
})

t.test('a login that ended opens nothing', async (t) => {
  const { host, state } = await startSessions(t)
  state.credential = undefined
  await t.rejects(host.open(ask), { code: 'TOKEN_INVALID' })
})

t.test('a change cuts exactly the sessions it concerns, with its reason and text', async (t) => {
  for (const [what, id] of [
    ['grant', 'grt_1'],
    ['principal', 'prn_1'],
    ['login', 'lgn_1'],
    ['resource', resource.id],
  ] as const) {
    const { host, changes } = await startSessions(t)
    const permit = await host.open(ask)
    changes.publish({ what, id: 'other', reason: 'grant-revoked', text: 'no', decidedAt: start })
    t.notOk(permit.signal.aborted, `${what}: another id`)
    changes.publish({ what, id, reason: 'grant-revoked', text: 'because', decidedAt: start })
    t.ok(permit.signal.aborted, what)
    t.match(permit.signal.reason as EndNotice, { reason: 'grant-revoked', text: 'because', decidedAt: start })
  }
})

t.test('kill ends one session, says who did it, and is audited after it took effect', async (t) => {
  const { sessions, host, events } = await startSessions(t)
  const permit = await host.open(ask)
  const other = await host.open(ask)
  await sessions.kill(permit.sessionId, { id: 'prn_2', name: 'bob' }, 'incident 7')
  t.match(permit.signal.reason as EndNotice, { reason: 'killed', text: 'the session was ended by bob: incident 7' })
  t.notOk(other.signal.aborted)
  t.match(events.at(-1), { type: 'session.killed', actor: 'prn_2', fields: { session: permit.sessionId } })
  await t.rejects(sessions.kill('ses_nope', { id: 'prn_2', name: 'bob' }, ''), { code: 'NOT_FOUND' })
})

t.test('a credential for ending is given once for each session, and not once it has ended', async (t) => {
  const { host, changes } = await startSessions(t)
  const [permit, other] = [await host.open(ask), await host.open(ask)]
  changes.publish({ what: 'grant', id: 'grt_1', reason: 'grant-revoked', text: 'because', decidedAt: start })
  t.match(await host.leaseToEnd(permit), { secret: permit.sessionId }, 'although its grant is over')
  await t.rejects(host.leaseToEnd(permit), { code: 'INTERNAL', message: /is being ended already/ })
  t.match(await host.leaseToEnd(other), { secret: other.sessionId })
  for (const one of [permit, other]) {
    await host.end(one, { reason: 'grant-revoked', bytesUp: 0, bytesDown: 0 })
    await t.rejects(host.leaseToEnd(one), { code: 'INTERNAL' })
  }
  const third = await host.open(ask)
  await host.end(third, { reason: 'client-closed', bytesUp: 0, bytesDown: 0 })
  await t.rejects(host.leaseToEnd(third), { code: 'INTERNAL' }, 'it never asked')
})

t.test('a session ends with its grant, by timer', async (t) => {
  const { host, state } = await startSessions(t)
  state.answer = allowed(start + 30)
  const awake = setInterval(() => {}, 1000) // the session's own timer does not keep a process alive
  t.teardown(() => clearInterval(awake))
  const permit = await host.open(ask)
  await new Promise((resolve) => permit.signal.addEventListener('abort', resolve))
  t.match(
    permit.signal.reason as EndNotice,
    { reason: 'grant-expired' },
    'the wall clock did not move: a clock set back lengthens nothing',
  )
})

t.test('the sweep ends what a suspended machine overslept', async (t) => {
  const { sessions, host, advance } = await startSessions(t)
  const permit = await host.open(ask)
  advance(3_600_000 - 1)
  await sessions.sweep()
  t.notOk(permit.signal.aborted, 'one millisecond before')
  advance(1)
  await sessions.sweep()
  t.ok(permit.signal.aborted, 'a grant is not live at the instant it expires')
})

t.test('limits and draining', async (t) => {
  const { sessions, host } = await startSessions(t, { perPrincipal: 2 })
  await host.open(ask)
  await host.open(ask)
  await t.rejects(host.open(ask), { code: 'TOO_MANY_SESSIONS' })
  sessions.drain()
  await t.rejects(host.open(ask), { code: 'DRAINING' })
})

t.test('sessions of a lost daemon are closed, sealed and audited', async (t) => {
  const { sessions, host, store, events } = await startSessions(t)
  const permit = await host.open(ask)
  const row = await store.find(permit.sessionId)
  t.ok(row)
  if (row) await store.insert({ ...row, id: 'ses_lost', daemon_id: 'dmn_0' })
  t.match(await sessions.recoverLost(), [{ row: { id: 'ses_lost' }, isOver: false }])
  t.match(await store.find('ses_lost'), { end_reason: 'daemon-lost', recording_digest: 'rec' })
  t.match(events.at(-1), {
    type: 'session.ended',
    fields: { session: 'ses_lost', reason: 'daemon-lost', digest: 'rec' },
  })
})

t.test('a session whose end was written down before the daemon was lost ends once', async (t) => {
  const { sessions, host, store, events } = await startSessions(t)
  const permit = await host.open(ask)
  const row = await store.find(permit.sessionId)
  await host.end(permit, { reason: 'client-closed', bytesUp: 1, bytesDown: 2 })
  const written = events.find(({ type }) => type === 'session.ended')
  if (row) await store.insert({ ...row, id: 'ses_lost', daemon_id: 'dmn_0' })
  if (written) events.push({ ...written, fields: { ...written.fields, session: 'ses_lost' } })
  const count = events.length
  t.match(await sessions.recoverLost(), [{ row: { id: 'ses_lost' }, isOver: true }], 'and left no work behind')
  t.equal(events.length, count, 'nothing more is audited')
  t.match(await store.find('ses_lost'), {
    end_reason: 'client-closed',
    recording_digest: 'abc',
    recording_entries: 7,
    bytes_down: 2,
  })
})

t.test('unidentified clients are summed up in one event', async (t) => {
  const { sessions, events } = await startSessions(t)
  for (let i = 0; i < 100; i++) sessions.unidentifiedClientFailed('TOKEN_INVALID')
  sessions.unidentifiedClientFailed('PROTOCOL_ERROR')
  await sessions.sweep()
  await sessions.sweep()
  t.match(events, [{ type: 'strangers.failed', fields: { TOKEN_INVALID: 100, PROTOCOL_ERROR: 1 } }])
  t.equal(events.length, 1)
})
