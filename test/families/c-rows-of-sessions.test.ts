/** Rows of sessions that someone closed or deleted who can write to the store: the log, and who carries them, know better. */
import t, { type Test } from 'tap'
import { checkSessionRows } from '../../src/sessions/session-macs.ts'
import { ask, start, startSessions } from '../src/sessions/sessions-setup.ts'
import { postgresPlace } from '../src/store/both-stores.ts'

t.setTimeout(120_000)

const by = { id: 'prn_9', name: 'dave@example.com' }
const keyring = { mac: () => 'mac', checkMac: () => true }

/** One log, as both read it. */
async function startTwo(t: Test) {
  const shared = { place: await postgresPlace(), log: [] }
  const a = await startSessions(t, { ...shared, id: 'dmn_a', number: 1 })
  const b = await startSessions(t, { ...shared, id: 'dmn_b', number: 2 })
  const close = (id: string) =>
    a.db.updateTable('sessions').set({ ended_at: start, end_reason: 'idle' }).where('id', '=', id).execute()
  const remove = (id: string) => a.db.deleteFrom('sessions').where('id', '=', id).execute()
  return { a, b, close, remove }
}

const told = ({ events }: Awaited<ReturnType<typeof startSessions>>, type: string) =>
  events.filter((event) => event.type === type).map(({ fields }) => fields.session)

t.test('C: a session whose row says that it has ended, or is gone, is killed at any daemon', async (t) => {
  const { a, b, close, remove } = await startTwo(t)
  for (const hide of [close, remove]) {
    const { sessionId } = await a.host.open(ask)
    await hide(sessionId)
    t.match(await b.sessions.find(sessionId), { principalId: 'prn_1', grantId: 'grt_1' })
    await b.sessions.kill(sessionId, by, '')
    t.ok(told(b, 'session.killed').includes(sessionId))
  }
  await t.rejects(b.sessions.kill('ses_unknown', by, ''), { code: 'NOT_FOUND' })
})

t.test('C: its end is in the log, with the digest of its recording', async (t) => {
  const { a, close, remove } = await startTwo(t)
  for (const hide of [close, remove]) {
    const permit = await a.host.open(ask)
    await hide(permit.sessionId)
    await a.host.end(permit, { reason: 'client-closed', bytesUp: 0, bytesDown: 0 })
    t.match(
      a.events.find(({ type, fields }) => type === 'session.ended' && fields.session === permit.sessionId),
      { fields: { reason: 'client-closed', digest: 'abc' } },
    )
  }
})

t.test('C: a daemon that starts again closes one whose row says that it has ended', async (t) => {
  const { a, close } = await startTwo(t)
  const [{ sessionId: hidden }, over] = [await a.host.open(ask), await a.host.open(ask)]
  await a.host.end(over, { reason: 'client-closed', bytesUp: 0, bytesDown: 0 })
  await close(hidden)
  await a.sessions.recoverLost()
  t.same(told(a, 'session.ended'), [over.sessionId, hidden])
  t.match(
    a.events.filter(({ type }) => type === 'store.refused').map(({ fields }) => fields),
    [{ row: hidden, problem: 'it says that the session has ended' }],
  )
})

t.test('C: a row whose end is still in the spool was closed by its daemon, and by nobody else', async (t) => {
  const { a, close } = await startTwo(t)
  const { sessionId: session } = await a.host.open(ask)
  await close(session)
  const fields = { session, reason: 'idle', digest: 'abc', entries: 7 }
  Object.assign(a.audit, { spooled: () => [{ type: 'session.ended', actor: 'prn_1', fields }] })
  t.same(await a.sessions.recoverLost(), [])
  t.same(told(a, 'store.refused'), [])
  t.same(told(a, 'session.ended'), [], 'it comes from the spool')
  t.match(await a.store.find(session), { end_reason: 'idle' })
})

t.test('C: a row that had to be restored is of its daemon still, which seals the recording', async (t) => {
  const { a, b, remove } = await startTwo(t)
  const { sessionId } = await a.host.open(ask)
  await remove(sessionId)
  Object.assign(b.daemons, { others: { dmn_a: 'lost' } })
  t.match(await b.sessions.closeSessionsOfLost(['dmn_a']), [{ row: { id: sessionId } }])
  t.match(await b.store.find(sessionId), { daemon_id: 'dmn_a', end_reason: 'daemon-lost', recording_digest: null })
  await b.audit.append({ type: 'daemon.lost', actor: 'system', fields: { daemon: 'dmn_a' } })
  await a.sessions.recoverLost()
  t.match(
    a.events.filter(({ type }) => type === 'recording.sealed'),
    [{ fields: { session: sessionId, digest: 'rec' } }],
  )
})

t.test('C: `audit verify` names a row that says of an open session that it has ended', async (t) => {
  const { a, close } = await startTwo(t)
  const [hidden, open, over] = [await a.host.open(ask), await a.host.open(ask), await a.host.open(ask)]
  await a.host.end(over, { reason: 'client-closed', bytesUp: 0, bytesDown: 0 })
  await close(hidden.sessionId)
  const problems: unknown[] = []
  for await (const problem of checkSessionRows(a.audit, a.store, keyring)) problems.push(problem)
  t.match(problems, [{ at: hidden.sessionId, what: /says that it has ended/ }])
  t.ok(open)
})
