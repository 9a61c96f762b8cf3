/** A PostgreSQL store that is slow, read-only, restarted or gone: nothing opens without it, the daemon lives, and goes on by itself. */
import { kill } from 'node:process'
import t from 'tap'
import { startStoreDatabases } from '../sandbox/store-databases.ts'
import { quietFor, waitUntil } from '../wait-until.ts'
import { startCompany } from './company.ts'
import { clientFor, issueToken, openDatabase, refusal } from './database-client.ts'

const databases = await startStoreDatabases()
const url = await databases.create()
const database = new URL(url).pathname.slice(1)
const company = await startCompany({ overrides: { store: { url, grace: '6s', statement_timeout: '2s' } } })
t.teardown(async () => {
  await company.close()
  await databases.close()
})
t.setTimeout(200_000)

const { server } = databases
const readiness = async () => await (await fetch(`${company.daemon.url}/readyz`)).text()
const isReady = async () => (await fetch(`${company.daemon.url}/readyz`)).ok
const opens = async () => (await refusal(clientFor(company, token))).message === 'it opened'

await company.grant()
const token = await issueToken(company)

await t.test(
  'every connection of the daemon is ended at once, as in a fail-over: the next query opens another',
  async (t) => {
    const session = await openDatabase(company)
    t.ok((await endConnections()) >= 2)
    await waitUntil(opens, 'a session opens again')
    await waitUntil(isReady, 'it is ready')
    t.equal((await session.client.query('select 1')).rowCount, 1, 'the session that was open runs on')
    await session.client.end()
  },
)

await t.test('read-only, as on a standby: nothing opens, and what is read is answered', async (t) => {
  await server.query('postgres', `alter database ${database} set default_transaction_read_only = on`)
  await endConnections()
  await waitUntil(async () => !(await opens()), 'no session opens')
  t.match(await refusal(clientFor(company, token)), { code: /^(57P03|58000|53|08)/ })
  t.equal((await company.call('alice', 'GET', '/api/v1/grants')).status, 200)
  await server.query('postgres', `alter database ${database} reset default_transaction_read_only`)
  await endConnections()
  await waitUntil(opens, 'a session opens again')
})

await t.test('slow is not lost: sessions run on, and the answer comes', async (t) => {
  const session = await openDatabase(company)
  const resume = await stopServer()
  const answer = company.call('alice', 'GET', '/api/v1/grants')
  await quietFor(1500, 'the store takes so long')
  resume()
  t.equal((await answer).status, 200)
  t.equal((await session.client.query('select 1')).rowCount, 1)
  await session.client.end()
})

await t.test(
  'silent for longer than store.grace: nothing opens, sessions end and say why; then it goes on by itself',
  async (t) => {
    const session = await openDatabase(company)
    const resume = await stopServer()
    try {
      await waitUntil(async () => (await readiness()).includes('store'), 'readyz names the store', 20_000)
      t.notOk(await opens())
      const { code, message } = await session.lost
      t.equal(code, '57P01')
      t.match(message, /lost its store/)
    } finally {
      resume()
    }
    await waitUntil(isReady, 'it is ready', 30_000)
    await waitUntil(opens, 'a session opens again', 30_000)
    const report = await company.api<{ ok: boolean; summary: string }>('carol', 'GET', '/api/v1/audit/verify')
    t.ok(report.ok, report.summary)
  },
)

/** As a machine that hangs: connections stay, and nobody answers. @returns ends it */
async function stopServer(): Promise<() => void> {
  const { rows } = await server.query('postgres', 'select pid from pg_stat_activity where datname = $1', [database])
  const pids = [server.pid, ...(rows as { pid: number }[]).map(({ pid }) => pid)]
  for (const pid of pids) kill(pid, 'SIGSTOP')
  return () => {
    for (const pid of pids) kill(pid, 'SIGCONT')
  }
}

/** @returns how many there were */
async function endConnections(): Promise<number> {
  const ours =
    "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and application_name = 'sallyport'"
  return (await server.query('postgres', ours, [database])).rowCount ?? 0
}
