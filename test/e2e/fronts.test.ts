/** Sessions in processes of their own: what becomes of them when one of those dies, stands still, or loses control. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { quietFor, waitFor, waitUntil } from '../wait-until.ts'
import { startCompany } from './company.ts'
import { type DatabaseClient, openDatabase } from './database-client.ts'

const company = await startCompany({ overrides: { server: { workers: 2 } } })
t.teardown(() => company.close())

/** Processes that the daemon has started, by what `ps` would show. */
function fronts(): number[] {
  const of = (pid: number | string) =>
    readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)
  return of(company.daemon.pid).filter((pid) => /front-main/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8')))
}

const endOf = async (session: string) =>
  await waitFor(
    async () => {
      const path = `/api/v1/audit/events?type=session.ended&subject=${session}`
      const asked = company.api<{ events: { fields: Record<string, unknown> }[] }>('carol', 'GET', path)
      // A connection that was kept may have been to the front that is dead: the next one is to another.
      return (
        await asked.catch((error: Error) => (error.message === 'fetch failed' ? undefined : Promise.reject(error)))
      )?.events[0]
    },
    () => `the end of ${session} is in the log\n${company.daemon.log()}`,
    10_000,
  )

await t.test(
  'a front that is killed: its sessions are closed as lost, those of others go on, and another takes its place',
  async (t) => {
    const { id } = await company.grant()
    const sessions = await Promise.all(Array.from({ length: 8 }, () => openDatabase(company)))
    t.equal(fronts().length, 2)
    const [victim = 0, other] = fronts()
    process.kill(victim, 'SIGKILL')
    const lost: typeof sessions = []
    const alive: typeof sessions = []
    for (const session of sessions) {
      const answer = await session.client.query('select 1').catch(() => undefined)
      ;(answer ? alive : lost).push(session)
    }
    t.ok(lost.length + alive.length === 8)
    for (const { sessionId } of lost) t.match((await endOf(sessionId)).fields, { reason: 'daemon-lost' })
    await waitUntil(() => fronts().length === 2, 'another front is there')
    t.ok(fronts().includes(other ?? 0))
    const again = await openDatabase(company)
    t.equal((await again.client.query('select 1')).rowCount, 1)
    const verified = await company.commands.carol.run(['audit', 'verify'])
    t.equal(verified.code, 0, verified.stdout + verified.stderr)
    await company.api('bob', 'POST', `/api/v1/grants/${id}/revoke`, { reason: 'incident 42' })
    for (const { sessionId } of [...alive, again]) t.match((await endOf(sessionId)).fields, { reason: 'grant-revoked' })
  },
)

/** Of several sessions those that a front which stands still carries, and the others. */
async function stopOne(sessions: readonly DatabaseClient[]) {
  const [pid = 0] = fronts()
  process.kill(pid, 'SIGSTOP')
  const answers = sessions.map(async (session) => {
    const query = session.client.query('select 1').then(
      () => true,
      () => false,
    )
    const isCarried = await Promise.race([query, quietFor(2000, 'a query takes milliseconds').then(() => false)])
    return { session, isCarried }
  })
  const found = await Promise.all(answers)
  const of = (isCarried: boolean) => found.flatMap((one) => (one.isCarried === isCarried ? [one.session] : []))
  return { pid, stopped: of(false), others: of(true) }
}

await t.test('a front that stands still is killed when it does not acknowledge a cut', async (t) => {
  const { id } = await company.grant()
  const sessions = await Promise.all(Array.from({ length: 8 }, () => openDatabase(company)))
  const { pid, stopped, others } = await stopOne(sessions)
  const revoked = await company.commands.bob.run(['revoke', id, '--reason', 'incident 42'])
  t.equal(revoked.code, 0, revoked.stderr)
  await Promise.all(sessions.map(({ lost }) => lost))
  t.notOk(fronts().includes(pid), 'it is gone')
  for (const { sessionId } of [...stopped, ...others])
    t.match((await endOf(sessionId)).fields, { reason: 'grant-revoked', stopped_at: Number })
  await waitUntil(() => fronts().length === 2, 'there are two again')
})

await t.test('a front that stands still is killed after ten seconds, whatever it carries', async (t) => {
  const [pid = 0] = fronts()
  process.kill(pid, 'SIGSTOP')
  await waitUntil(() => !fronts().includes(pid) && fronts().length === 2, 'another is in its place', 30_000, 100)
  t.equal((await company.commands.carol.run(['sessions'])).code, 0)
})

await t.test('control that is killed takes its fronts along', async (t) => {
  await company.grant()
  const session = await openDatabase(company)
  const pids = fronts()
  company.daemon.signal('SIGKILL')
  await session.lost
  await waitUntil(() => pids.every((pid) => !isAlive(pid)), 'they have ended')
  t.pass('nothing is forwarded any more')
})

function isAlive(pid: number): boolean {
  try {
    return !/\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
