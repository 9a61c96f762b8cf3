/** What is told to those who decide: what like grants were used for, in counts, and a smaller level that would have done. */
import t, { type Test } from 'tap'
import { BrokerError } from '../../../proxy/session.ts'
import { requestUseRoutes } from '../../../src/http/routes/page/request-use.ts'
import { createSessionStore } from '../../../src/sessions/session-store.ts'
import { createGrantSessions } from '../../../src/sessions/session-usage.ts'
import { newId } from '../../../src/store/ids.ts'
import { hour, ordersId } from '../access/access-setup.ts'
import { sessionRow } from '../sessions/session-row.ts'
import { startAccessApp } from './access-app.ts'

const keyring = { mac: () => 'mac', checkMac: () => true }
const minute = 60_000
const read = { type: 'query', sql: 'select 1', tags: ['SELECT 2'], rows: 2 }
const write = { type: 'query', sql: 'update t set a = 1', tags: ['UPDATE 1'], rows: 0 }

async function startHouse(t: Test, limits?: Parameters<typeof requestUseRoutes>[1]) {
  /** By session. An error: it cannot be read. */
  const recorded = new Map<string, readonly object[] | BrokerError>()
  let reads = 0
  const recordings = {
    async *read(id: string) {
      const found = recorded.get(id)
      if (!found || found instanceof BrokerError) throw found ?? new BrokerError('NOT_FOUND', id)
      reads++
      for (const entry of found) yield { entry }
    },
  }
  const house = await startAccessApp(t, ({ db, access, clock }) => [
    requestUseRoutes({ access, recordings, sessionsOf: createGrantSessions(db), now: () => clock.now() }, limits),
  ])
  const { access, clock, db, login } = house.setup
  const store = createSessionStore(db, keyring)
  const ask = async (ticket: string, level = 'admin') => {
    const wanted = { resource: ordersId, level, durationMs: hour, reason: 'why', ticket }
    return (await access.request(login('alice'), wanted)).request.id
  }
  const approve = async (person: string, id: string) => {
    const { digest } = await access.requestById(login(person), id)
    return await access.decide(login(person), id, { verdict: 'approve', digest })
  }
  /** Asked for and approved, and used by sessions of so many minutes. */
  const grant = async (ticket: string, sessions: readonly (readonly object[] | BrokerError)[]) => {
    const id = await ask(ticket)
    await approve('bob', id)
    const decided = await approve('meg', id)
    for (const entries of sessions) {
      const session = newId('ses')
      recorded.set(session, entries)
      const at = clock.now()
      const used = { id: session, grant_id: decided.grant?.id ?? '', ended_at: at + 10 * minute, recording_entries: 1 }
      await store.restore(sessionRow('alice', at, used))
      clock.advance(minute)
    }
    return decided.grant?.id
  }
  const use = (person: string, id: string) => house.call(person, 'GET', `/api/v1/requests/${id}/use`)
  return { ...house, ask, grant, use, reads: () => reads }
}

t.test(
  'counts of the last grants like it, newest first, and a level that reads where nothing was changed',
  async (t) => {
    const { ask, grant, use, reads } = await startHouse(t)
    const id = await ask('OPS-1')
    t.same((await use('bob', id)).body, { grants: [], smaller: null }, 'never used: nothing is known')
    const first = await grant('OPS-2', [[read, read], [read]])
    const second = await grant('OPS-3', [])
    t.match((await use('bob', id)).body, {
      grants: [
        { grantId: second, sessions: 0, usedMs: 0, requests: 0, isWhole: true },
        // Two sessions of ten minutes, one minute apart.
        { grantId: first, sessions: 2, usedMs: 11 * minute, requests: 3, reads: 3, writes: 0, rows: 6, isWhole: true },
      ],
      smaller: 'readonly',
    })
    const before = reads()
    await use('bob', id)
    t.equal(reads(), before, 'what has ended is read once')
    await grant('OPS-4', [[write]])
    t.match((await use('bob', id)).body, { grants: [{ writes: 1 }, {}, {}], smaller: null })
  },
)

t.test('what could not be read, or is more than an answer reads, is said, and then no level is smaller', async (t) => {
  const { ask, grant, use } = await startHouse(t, { sessionsOfGrant: 2, entries: 3, ms: 60_000 })
  const id = await ask('OPS-1')
  await grant('OPS-2', [[read], new BrokerError('PEER_UNREACHABLE', 'd2')])
  t.match((await use('bob', id)).body, { grants: [{ requests: 1, isWhole: false }], smaller: null })
  await grant('OPS-3', [[read], [read], [read]])
  t.match((await use('bob', id)).body.grants[0], { sessions: 2, requests: 2, isWhole: false }, 'two sessions at most')
  await grant('OPS-4', [[read, read, read, read]])
  t.match((await use('bob', id)).body.grants[0], { requests: 0, isWhole: false }, 'three entries at most')
})

t.test('told to those who may decide or have decided, overseers, and the person alone', async (t) => {
  const { ask, use, call } = await startHouse(t)
  const id = await ask('OPS-1')
  for (const person of ['bob', 'carol', 'dave', 'alice']) t.equal((await use(person, id)).status, 200, person)
  t.equal((await use('eve', id)).status, 404, 'whom it does not concern')
  const { request } = (await call('bob', 'GET', `/api/v1/requests/${id}`)).body
  await call('bob', 'POST', `/api/v1/requests/${id}/deny`, JSON.stringify({ digest: request.digest, comment: 'no' }))
  t.equal((await use('bob', id)).status, 200)
})
