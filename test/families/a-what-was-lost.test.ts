/** A7: `kill -9` of the daemon while statements run and wait: the next daemon ends them at the target, and says so in the log. */
import t from 'tap'
import { startCompany } from '../e2e/company.ts'
import { openDatabase } from '../e2e/database-client.ts'
import { startDaemon } from '../sandbox/daemon.ts'
import { quietFor, waitFor, waitUntil } from '../wait-until.ts'

const company = await startCompany()
t.teardown(() => company.close())
const { postgres } = company.sandbox

interface Event {
  readonly type: string
  readonly fields: Readonly<Record<string, string>>
}

interface Row {
  readonly id: string
  readonly startedAt: number | null
}

async function eventsOf(type: string, sessionId: string): Promise<Event[]> {
  const path = `/api/v1/audit/events?type=${type}&subject=${sessionId}`
  return (await company.api<{ events: Event[] }>('carol', 'GET', path)).events
}

async function isRunning(pid: string): Promise<boolean> {
  return (await postgres.query('orders', 'SELECT 1 FROM pg_stat_activity WHERE pid = $1', [pid])).rowCount === 1
}

/** A session in the middle of a long statement that no closed connection ends. @returns its id, and the pid that serves it */
async function openBusy() {
  const { client, sessionId } = await openDatabase(company)
  client.on('error', () => {}) // the daemon is killed
  const { rows } = await client.query('SELECT pg_backend_pid() AS pid')
  client.query('SELECT pg_sleep(120)').catch(() => {})
  const pid = String(rows[0].pid)
  await waitUntil(
    async () =>
      (await postgres.query('orders', "SELECT 1 FROM pg_stat_activity WHERE pid = $1 AND state = 'active'", [pid]))
        .rowCount === 1,
    'it runs',
    10_000,
    20,
  )
  const row = async () => {
    const { sessions } = await company.api<{ sessions: Row[] }>('carol', 'GET', '/api/v1/sessions?open=true')
    return sessions.find(({ id }) => id === sessionId)
  }
  await waitUntil(async () => typeof (await row())?.startedAt === 'number', 'the store knows that it has started')
  return { sessionId, pid }
}

await t.test('A7: the process of a lost session is ended, also when its grant is over by then', async (t) => {
  const endsAt = Date.now() + 4_500
  await company.grant(4_000)
  const session = await openBusy()
  company.daemon.signal('SIGKILL')
  await company.daemon.exited
  t.equal(await isRunning(session.pid), true, 'nobody has told it')
  await quietFor(Math.max(0, endsAt - Date.now()), 'the grant runs out while no daemon is there')
  company.daemon = await startDaemon(company.sandbox, { files: company.daemon })
  const found = async () => (await eventsOf('session.work-ended', session.sessionId))[0]
  const event = await waitFor(found, 'the log says that it was ended', 15_000, 50)
  t.match(event, { fields: { session: session.sessionId, backend_pid: session.pid, backend_start: /^20.*Z$/ } })
  t.equal(await isRunning(session.pid), false)
})

await t.test('A7, A9: what cannot be proven is left alone, and the log says that', async (t) => {
  await company.grant()
  const session = await openBusy()
  company.daemon.signal('SIGKILL')
  await company.daemon.exited
  company.sandbox.databases.orders.faults.refuse(true)
  t.teardown(() => company.sandbox.databases.orders.faults.refuse(false))
  company.daemon = await startDaemon(company.sandbox, { files: company.daemon })
  const found = async () => (await eventsOf('session.work-left', session.sessionId))[0]
  const event = await waitFor(found, 'the log says that it was not ended', 15_000, 50)
  t.match(event, { fields: { session: session.sessionId, backend_pid: session.pid, code: 'TARGET_REFUSED' } })
  await postgres.query('orders', 'SELECT pg_terminate_backend($1)', [session.pid])
})
