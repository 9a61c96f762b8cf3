/** A store that fails in the wrong moment leaves rows open though nothing runs: they are closed, once, and nothing else is. */
import t from 'tap'
import type { AuditEvent } from '../../../src/audit/audit.ts'
import { ask, startSessions } from './sessions-setup.ts'

const reasons = (events: readonly AuditEvent[]) =>
  events.flatMap(({ type, fields }) => (type === 'session.ended' ? [fields.reason] : []))

t.test('a session whose start was in doubt did not open: its row is closed as open-failed', async (t) => {
  const { host, sessions, state, store, events, daemons } = await startSessions(t)
  const running = await host.open(ask)
  state.inDoubt = true
  await t.rejects(host.open(ask), { code: 'AUDIT_UNAVAILABLE' })
  state.inDoubt = false
  t.equal((await store.openAt(daemons.id)).length, 2)
  await sessions.tidy()
  t.same(await store.openAt(daemons.id), [running.sessionId], 'what runs is left alone')
  t.same(reasons(events), ['open-failed'])
  await sessions.tidy()
  t.same(reasons(events), ['open-failed'], 'once')
})

t.test('an end that went to the spool without its row: the row is closed with what the log says', async (t) => {
  const { host, sessions, state, store, events, daemons } = await startSessions(t)
  const permit = await host.open(ask)
  state.spools = true
  await host.end(permit, { reason: 'store-lost', bytesUp: 17, bytesDown: 4 })
  state.spools = false
  t.same(await store.openAt(daemons.id), [permit.sessionId])
  await sessions.tidy()
  const row = await store.find(permit.sessionId)
  t.match(row, { end_reason: 'store-lost', bytes_up: 17, bytes_down: 4 })
  t.same(reasons(events), ['store-lost'], 'no second event')
})
