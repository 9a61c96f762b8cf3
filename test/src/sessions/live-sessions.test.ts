import t from 'tap'
import type { EndNotice } from '../../../proxy/session.ts'
import { LiveSessions } from '../../../src/sessions/live-sessions.ts'
import { waitUntil } from '../../wait-until.ts'

function start(endsInMs: number) {
  const state = { now: 1_000_000 }
  const live = new LiveSessions({ now: () => state.now })
  const abort = new AbortController()
  const moved: number[] = []
  const carrier = {
    cut: (_id: string, notice: EndNotice) => abort.abort(notice),
    runsUntil: (_id: string, endsAt: number) => moved.push(endsAt),
  }
  const session = {
    id: 'ses_1',
    principalId: 'pri_1',
    grantId: 'grt_1',
    resourceId: 'rds-postgres/1/r/orders',
    kind: 'rds-postgres',
    credential: { kind: 'login', id: 'log_1' } as const,
    openedAt: state.now,
    endsAt: state.now + endsInMs,
    carrier,
  }
  live.add(session)
  t.teardown(() => live.remove(session.id))
  return { state, live, session, signal: abort.signal, moved }
}

t.test('a session of an extended grant runs on, and ends with the new end', async (t) => {
  const { state, live, session, signal, moved } = start(60_000)
  t.same(live.move('grt_other', session.endsAt + 1), [], 'not those of another grant')
  t.same(live.move('grt_1', session.endsAt + 60_000), ['ses_1'])
  t.same(moved, [session.endsAt + 60_000], 'its carrier is told')
  state.now += 60_000
  live.expire()
  t.notOk(signal.aborted)
  state.now += 60_000
  live.expire()
  t.equal((signal.reason as EndNotice).reason, 'grant-expired')
})

t.test('a session of a shortened grant ends with the new end', async (t) => {
  const { state, live, session, signal } = start(60_000)
  t.same(live.move('grt_1', session.endsAt - 30_000), ['ses_1'])
  state.now += 30_000
  live.expire()
  t.equal((signal.reason as EndNotice).reason, 'grant-expired')
})

t.test('a clock set back lengthens nothing', async (t) => {
  const { state, live, signal } = start(30)
  state.now -= 3_600_000
  await waitUntil(() => signal.aborted, 'it is cut')
  t.equal((signal.reason as EndNotice).reason, 'grant-expired')
  t.same(live.move('grt_1', state.now + 86_400_000), [], 'what was cut stays cut')
})
