/** Two daemons whose store is behind PgBouncer in transaction mode, with fewer connections than they ask it for. */
import t from 'tap'
import { startPgBouncer } from '../sandbox/pgbouncer.ts'
import { skipWithout } from '../sandbox/programs.ts'
import { startStoreDatabases } from '../sandbox/store-databases.ts'
import { waitUntil } from '../wait-until.ts'
import { openDatabase } from './database-client.ts'
import { startTwoDaemons } from './two-daemons.ts'

const most = 4

t.test('a pooler in transaction mode', { skip: skipWithout('pgbouncer') }, async (t) => {
  const databases = await startStoreDatabases()
  t.teardown(() => databases.close())
  const url = new URL(await databases.create())
  const bouncer = await startPgBouncer(
    [`* = host=127.0.0.1 port=${databases.server.tcpPort} user=postgres`],
    ['pool_mode = transaction', `default_pool_size = ${most}`, 'max_client_conn = 200'],
  )
  t.teardown(() => bouncer.stop())
  const name = url.pathname.slice(1)
  url.port = String(bouncer.port)
  const two = await startTwoDaemons({ overrides: { store: { url: url.href } } })
  t.teardown(() => two.close())
  const { a, b } = two.at
  await a.grant()
  const sessions = [await openDatabase(a), await openDatabase(b)]
  for (const { client } of sessions) {
    t.equal((await client.query('select 1')).rowCount, 1)
    await client.end()
  }
  const ended = async () =>
    (await a.api<{ sessions: { endReason: string | null }[] }>('carol', 'GET', '/api/v1/sessions')).sessions
  await waitUntil(async () => (await ended()).filter(({ endReason }) => endReason !== null).length === 2, 'both ended')
  await Promise.all(Array.from({ length: 40 }, (_, i) => (i % 2 ? a : b).call('alice', 'GET', '/api/v1/grants')))
  const report = await a.api<{ problems: { where: string }[] }>('carol', 'GET', '/api/v1/audit/verify')
  t.same(
    report.problems.filter(({ where }) => where !== 'recording'), // each keeps its own
    [],
  )
  const { rows } = await databases.server.query(
    'postgres',
    'select count(*)::int as n from pg_stat_activity where datname = $1',
    [name],
  )
  t.ok(rows[0].n >= 1 && rows[0].n <= most, `${rows[0].n} connections`)
  const daemons = await databases.server.query(name, 'select number, lost_at from daemons order by number')
  t.same(daemons.rows, [
    { number: 0, lost_at: null },
    { number: 1, lost_at: null },
  ])
})
