/** What happens to a PostgreSQL store under a daemon: its disk is full, its log is changed, a daemon dies while it makes the tables. */
import { chmodSync, chownSync, mkdtempSync, rmdirSync, rmSync, statSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import pg from 'pg'
import t, { type Test } from 'tap'
import { startCommand } from '../sandbox/commands.ts'
import { type RunningDaemon, startDaemon } from '../sandbox/daemon.ts'
import { startSandbox } from '../sandbox/sandbox.ts'
import { fillDisk, mountSmallDisk, withoutDisk } from '../sandbox/small-disk.ts'
import { startStoreDatabases } from '../sandbox/store-databases.ts'
import { waitUntil } from '../wait-until.ts'
import { companyIn } from './company.ts'
import { clientFor, issueToken, openDatabase, refusal } from './database-client.ts'

t.setTimeout(300_000)
const sandbox = await startSandbox()
const databases = await startStoreDatabases()
const { server } = databases
const disk = mkdtempSync(path.join(os.tmpdir(), 'sallyport-small-disk-'))
const unmount = mountSmallDisk(disk, 64)
t.teardown(async () => {
  await sandbox.close()
  await databases.close()
  unmount?.()
  rmdirSync(disk)
})

const problems = async ({ url }: Pick<RunningDaemon, 'url'>) =>
  ((await (await fetch(`${url}/readyz`)).json()) as { problems: string[] }).problems.join('; ')

await t.test('the disk of the store is full', { skip: unmount ? false : withoutDisk }, async (t) => {
  const { uid, gid } = statSync(`/proc/${server.pid}`)
  chownSync(disk, uid, gid)
  chmodSync(disk, 0o700)
  const url = await databases.create()
  const name = new URL(url).pathname.slice(1)
  await server.query('postgres', `create tablespace small location '${disk}'`)
  await server.query('postgres', `alter database ${name} set tablespace small`)
  const company = await companyIn(sandbox, { overrides: { store: { url } } })
  t.teardown(() => company.daemon.stop())
  const grant = await company.grant()
  const running = await openDatabase(company)
  const token = await issueToken(company)

  const ballast = path.join(disk, 'ballast')
  fillDisk(ballast)
  let refused = ''
  const isRefused = async () => {
    const { message } = await refusal(clientFor(company, token))
    if (message !== 'it opened') refused = message
    return refused !== ''
  }
  await waitUntil(isRefused, 'what cannot be written down does not open', 60_000)
  t.match(refused, /store|audit log/)
  await waitUntil(
    async () => (await problems(company.daemon)).includes('the disk of the store is full'),
    () => `readyz says why\n${company.daemon.log()}`,
  )
  t.equal((await company.call('alice', 'GET', '/api/v1/grants')).status, 200, 'what is there can be read')
  t.equal((await running.client.query('select 1')).rowCount, 1, 'what was open runs on')
  await company.call('bob', 'POST', `/api/v1/grants/${grant.id}/revoke`, { reason: 'incident 42' })
  t.match(await running.lost, { code: '57P01', message: /incident 42|revoked/ }, 'what takes access away works')

  rmSync(ballast)
  const logged = `/api/v1/audit/events?subject=${grant.id}&type=grant.revoked`
  const isLogged = () =>
    company.api<{ events: unknown[] }>('carol', 'GET', logged).then(
      ({ events }) => events.length === 1,
      () => false,
    )
  await waitUntil(isLogged, () => `the revocation reaches the log\n${company.daemon.log()}`, 40_000, 250)
  await waitUntil(async () => (await problems(company.daemon)) === '', 'it is ready', 20_000, 100)
  t.not((await refusal(clientFor(company, token))).message, 'it opened', 'and the grant stays revoked')
  await company.grant()
  await (await openDatabase(company)).client.end()
  const report = await company.api<{ problems: unknown[] }>('carol', 'GET', '/api/v1/audit/verify')
  t.same(report.problems, [])
})

/** Each done to the last events, by who may write to the database, while a daemon runs on it. */
const damages: Record<string, string> = {
  deleted: 'delete from audit_events where seq = (select max(seq) from audit_events)',
  altered: `update audit_events set body = '{"grant":"grt_other"}' where seq = (select max(seq) from audit_events)`,
  reordered: `do $$ declare last bigint := (select max(seq) from audit_events); begin
    update audit_events set seq = 0 where seq = last;
    update audit_events set seq = last where seq = last - 1;
    update audit_events set seq = last - 1 where seq = 0; end $$`,
}

for (const [what, sql] of Object.entries(damages))
  await t.test(
    `events of the log are ${what}: the daemon ends its sessions, says which event, and opens nothing`,
    async (t) => {
      const url = await databases.create()
      const company = await companyIn(sandbox, { overrides: { store: { url } } }, ['alice', 'bob'])
      t.teardown(() => company.daemon.stop())
      await company.grant()
      const running = await openDatabase(company)
      await server.query(new URL(url).pathname.slice(1), sql)
      t.match(await running.lost, { code: '57P01' })
      await waitUntil(
        // the second is what it says once it has begun anew, closed
        async () => /event \d+ of the log|the log names event \d+/.test(await problems(company.daemon).catch(() => '')),
        () => `readyz says which\n${company.daemon.log()}`,
        20_000,
      )
      const isClosed = async () =>
        (await company.call('alice', 'GET', '/api/v1/grants').catch(() => undefined))?.status === 503
      await waitUntil(isClosed, 'it is closed', 20_000, 50)
    },
  )

await t.test(
  'a daemon that is killed while it makes the tables leaves nothing, and the next one makes them',
  async (t) => {
    const url = await databases.create()
    const database = new URL(url).pathname.slice(1)
    const other = await blocked(t, url, 'create table audit_events (x int)') // whose name the migrations need
    const files = await sandbox.writeConfig(mkdtempSync(path.join(sandbox.dir, 'daemon-')), { store: { url } })
    const main = path.join(import.meta.dirname, '../../src/main.ts')
    const first = startCommand(process.execPath, [main, 'serve', '--config', files.configFile], files.env)
    const waiting = "select 1 from pg_stat_activity where datname = $1 and wait_event_type = 'Lock'"
    const isWaiting = async (count: number) => (await server.query(database, waiting, [database])).rowCount === count
    await waitUntil(
      () => isWaiting(1),
      () => `it is in the middle\n${first.output}`,
      30_000,
      50,
    )
    first.child.kill('SIGKILL')
    await first.ended
    const second = startDaemon(sandbox, { files })
    second.catch(() => {}) // it is awaited below
    await waitUntil(() => isWaiting(2), 'the next one waits for what is left of it', 30_000, 50)
    await other.query('rollback')
    const daemon = await second
    t.teardown(() => daemon.stop())
    t.equal(await problems(daemon), '')
    const { rows } = await server.query(database, 'select type from audit_events order by seq')
    t.equal(rows.filter(({ type }: { type: string }) => type === 'daemon.started').length, 1)
  },
)

/** A transaction that is left open after this statement. */
async function blocked(t: Test, url: string, sql: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  t.teardown(() => client.end())
  await client.query('begin')
  await client.query(sql)
  return client
}
