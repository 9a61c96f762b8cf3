import t, { type Test } from 'tap'
import type { EndNotice } from '../../../proxy/session.ts'
import type { Changes } from '../../../src/store/changes.ts'
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

t.test('nothing opens while the clock is wrong', async (t) => {
  const { host, daemons, events, live } = await startSessions(t)
  daemons.isClockWrong = true
  await t.rejects(host.open(ask), { code: 'CLOCK_WRONG' })
  t.match(events, [{ type: 'session.denied', fields: { code: 'CLOCK_WRONG' } }])
  t.equal(live.size, 0)
})

t.test('a revocation while a session opens leaves no gap', async (t) => {
  const revocation = {
    what: 'grant',
    id: 'grt_1',
    reason: 'grant-revoked',
    text: 'revoked by bob',
    decidedAt: start,
  } as const
  const startReading = async (t: Test, onFirst: (changes: Changes) => void) => {
    const started = await startSessions(t)
    const { state, changes } = started
    let checks = 0
    state.onCheck = () => {
      if (++checks === 1) onFirst(changes)
    }
    return { ...started, checks: () => checks }
  }
  await t.test('nothing changes: one reading is enough', async (t) => {
    const { host, checks } = await startReading(t, () => {})
    await host.open(ask)
    t.equal(checks(), 1)
  })
  await t.test('between the reading and its registering: what changed is read', async (t) => {
    const { host, state, live, events, checks } = await startReading(t, (changes) => changes.publish(revocation))
    state.answers = [allowed(start + 1000), { allowed: false, code: 'GRANT_DENIED', reason: 'revoked' }]
    await t.rejects(host.open(ask), { code: 'GRANT_DENIED' })
    t.equal(checks(), 2)
    t.equal(live.size, 0)
    t.match(
      events.map((e) => e.type),
      ['session.denied'],
    )
  })
  for (const change of [
    { what: 'rules' },
    { what: 'directory', id: 'prn_7' },
    { ...revocation, what: 'token', id: 'another' },
    { what: 'grant-extended', id: 'grt_7', endsAt: start, from: null },
  ] as const)
    await t.test(`so it is when something else changed: ${change.what}`, async (t) => {
      const { host, checks } = await startReading(t, (changes) => changes.publish(change))
      await host.open(ask)
      t.equal(checks(), 2)
    })
  await t.test('a new end that is read then is the end of the session', async (t) => {
    const endsAt = start + 60_000
    const shortened = { what: 'grant-shortened', id: 'grt_1', endsAt, from: null } as const
    const { host, state, live, store } = await startReading(t, (changes) => changes.publish(shortened))
    state.answers = [allowed(start + 3_600_000), allowed(endsAt)]
    const permit = await host.open(ask)
    t.equal(permit.endsAt, endsAt)
    t.equal(live.get(permit.sessionId)?.endsAt, endsAt)
    t.equal((await store.find(permit.sessionId))?.ends_at, endsAt)
  })
  await t.test('after registering: it finds the session', async (t) => {
    const { host, state, changes, events } = await startSessions(t)
    state.onAppend = () => changes.publish(revocation)
    await t.rejects(host.open(ask), { code: 'GRANT_DENIED', message: /revoked by bob/ })
    t.match(
      events.map((e) => e.type),
      ['session.started', 'session.ended', 'session.denied'],
    )
  })
  await t.test('an end that passes while the log is slow', async (t) => {
    const { host, state, advance, events, live } = await startSessions(t)
    state.onAppend = () => void advance(3_600_000)
    await t.rejects(host.open(ask), { code: 'GRANT_DENIED', message: /the grant expired at/ })
    t.match(events.at(-2), { type: 'session.ended' })
    t.equal(live.size, 0)
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
  state.answer = allowed(start + 1000) // longer than opening it takes
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
  const { db, sessions, host, store, events } = await startSessions(t)
  const permit = await host.open(ask)
  const row = await store.find(permit.sessionId)
  t.ok(row)
  if (row) await db.executeQuery(store.inserting({ ...row, id: 'ses_lost', daemon_id: 'dmn_0' }))
  await host.end(permit, { reason: 'client-closed', bytesUp: 0, bytesDown: 0 })
  t.match(await sessions.recoverLost(), [{ row: { id: 'ses_lost' }, isOver: false }])
  t.match(await store.find('ses_lost'), { end_reason: 'daemon-lost', recording_digest: 'rec' })
  t.match(events.at(-1), {
    type: 'session.ended',
    fields: { session: 'ses_lost', reason: 'daemon-lost', digest: 'rec' },
  })
})

t.test(
  'several daemons: each closes what its own runs left open, and the leader what lost daemons left open',
  async (t) => {
    const { db, sessions, host, store, events, daemons } = await startSessions(t)
    const permit = await host.open(ask)
    const row = await store.find(permit.sessionId)
    if (!row) throw new Error('no row')
    Object.assign(daemons, { isShared: true, others: { dmn_2: 'living', dmn_3: 'lost' } })
    for (const [id, daemon_id] of Object.entries({ ses_2: 'dmn_2', ses_3: 'dmn_3', ses_4: 'dmn_of_before' }))
      await db.executeQuery(store.inserting({ ...row, id, daemon_id }))
    const isOpen = async (id: string) => (await store.find(id))?.ended_at === null
    const closed = (lost: { row: { id: string } }[]) => lost.map(({ row: { id } }) => id).sort()

    t.same(closed(await sessions.closeSessionsOfLost([])), ['ses_3', 'ses_4'])
    t.match(await store.find('ses_3'), { end_reason: 'daemon-lost', recording_digest: null, recording_entries: 0 })
    t.match(events.at(-2), { type: 'session.ended', fields: { session: 'ses_3', reason: 'daemon-lost', digest: null } })
    t.same([await isOpen('ses_2'), await isOpen(permit.sessionId)], [true, true], 'of one that lives, and its own')
    const count = events.length
    t.same(await sessions.closeSessionsOfLost([]), [], 'again')
    t.equal(events.length, count)

    await db.executeQuery(store.inserting({ ...row, id: 'ses_5', daemon_id: 'dmn_of_before' }))
    t.same(closed(await sessions.recoverLost()), [permit.sessionId, 'ses_5'].sort(), 'what a start closes')
    t.match(await store.find('ses_5'), { recording_digest: 'rec' }, 'of a version without daemons: sealed here')
    t.ok(await isOpen('ses_2'))
  },
)

t.test('a daemon that was given up seals what another one could not, once', async (t) => {
  const { sessions, host, store, events, daemons } = await startSessions(t)
  const permit = await host.open(ask)
  Object.assign(daemons, { isShared: true, id: 'dmn_2', others: { dmn_1: 'lost' } })
  t.equal((await sessions.closeSessionsOfLost(['dmn_1'])).length, 1)
  daemons.id = 'dmn_1'
  const sealed = () => events.filter(({ type }) => type === 'recording.sealed')
  await sessions.recoverLost()
  t.same(sealed(), [], 'nobody has given it up')
  events.push({ type: 'daemon.lost', actor: 'system', fields: { daemon: 'dmn_1' } })
  for (const when of ['first', 'again']) {
    await sessions.recoverLost()
    t.match(sealed(), [{ fields: { session: permit.sessionId, digest: 'rec', entries: 3 } }], when)
    t.equal(sealed().length, 1, when)
  }
  t.match(
    await store.find(permit.sessionId),
    { end_reason: 'daemon-lost', recording_digest: null },
    'the row is as its event',
  )
})

t.test('a daemon that comes back while its sessions are being closed keeps those that it opens', async (t) => {
  const { db, sessions, host, store, daemons } = await startSessions(t)
  const permit = await host.open(ask)
  const row = await store.find(permit.sessionId)
  if (!row) throw new Error('no row')
  Object.assign(daemons, { isShared: true, others: { dmn_2: 'lost' } })
  await db.executeQuery(store.inserting({ ...row, id: 'ses_old', daemon_id: 'dmn_2' }))
  daemons.onGone = () => {
    if (daemons.asked === 2) daemons.others.dmn_2 = 'living'
  }
  t.same(await sessions.closeSessionsOfLost([]), [])
  t.equal((await store.find('ses_old'))?.ended_at, null)
})

t.test(
  'a session that another daemon has closed as lost ends once; one whose row is gone is told all the same',
  async (t) => {
    const { host, store, events, sessions, daemons, db } = await startSessions(t)
    const [first, second] = [await host.open(ask), await host.open(ask)]
    Object.assign(daemons, { isShared: true, id: 'dmn_9', others: { dmn_1: 'lost' } })
    await db.deleteFrom('sessions').where('id', '=', second.sessionId).execute()
    await sessions.closeSessionsOfLost([])
    const endsOf = ({ sessionId }: { sessionId: string }) =>
      events.filter(({ type, fields }) => type === 'session.ended' && fields.session === sessionId)
    t.match(endsOf(first), [{ fields: { reason: 'daemon-lost' } }])
    for (const permit of [first, second]) await host.end(permit, { reason: 'client-closed', bytesUp: 1, bytesDown: 2 })
    t.match(endsOf(first), [{ fields: { reason: 'daemon-lost' } }])
    t.equal(endsOf(first).length, 1)
    t.match(await store.find(first.sessionId), { end_reason: 'daemon-lost', bytes_up: 0 })
    t.match(endsOf(second), [{ fields: { reason: 'client-closed' } }])
  },
)

t.test('a session whose end was written down before the daemon was lost ends once', async (t) => {
  const { db, sessions, host, store, events } = await startSessions(t)
  const permit = await host.open(ask)
  const row = await store.find(permit.sessionId)
  await host.end(permit, { reason: 'client-closed', bytesUp: 1, bytesDown: 2 })
  const written = events.find(({ type }) => type === 'session.ended')
  if (row) await db.executeQuery(store.inserting({ ...row, id: 'ses_lost', daemon_id: 'dmn_0' }))
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
