/** A database that only an instance reaches: real PostgreSQL and psql, with the engine's TLS end to end inside a port session. */
import t from 'tap'
import { viaSsm } from '../../../proxy/reach/via-ssm.ts'
import { startCommand } from '../../sandbox/commands.ts'
import { skipWithout } from '../../sandbox/programs.ts'
import { tunnelCalls, via } from '../reach/tunnel-calls.ts'
import { openSession } from '../ssm/session-fixture.ts'
import { startEngine, until } from './engine-fixture.ts'

const engine = await startEngine()
t.teardown(() => engine.close())
const { control, env, seen, postgres } = engine
const portNumber = String(postgres.tcpPort)
const properties = { host: '127.0.0.1', portNumber, type: 'LocalPortForwarding' }
const { options, session } = await openSession(t, { sessionType: 'Port', properties }, { pauseMs: 0 })
let tunnels = 0
const { calls, ended } = tunnelCalls(() => {
  tunnels += 1
  return options.ticket
})
control.reach = viaSsm({ tunnels: calls, onError: (error) => t.fail('no error', { error }) })
control.traits = { via }
const skip = skipWithout('psql')

const psql = (sql: string) => startCommand('psql', ['-X', '-A', '-t', '-f', '-'], env, sql)

t.test('several sessions at once, by one tunnel; "Bye" of the gateway disturbs none', { skip }, async (t) => {
  const commands = [1, 2, 3].map((n) => psql(`select pg_sleep(1); select ${n} * 11;`).ended)
  await until(async () => (await sleeping('pg_sleep(1)')) === 3, 'all run')
  session.bye()
  t.same(
    (await Promise.all(commands)).map(({ stdout }) => stdout.trim()),
    ['11', '22', '33'],
  )
  t.equal(session.opened, 2)
  t.equal(tunnels, 1)
})

t.test('a cut ends what runs, by a second connection through the tunnel', { skip }, async (t) => {
  seen.ends.length = 0
  const command = psql('select pg_sleep(60);')
  await until(async () => (await sleeping('pg_sleep(60)')) === 1, 'it runs')
  await engine.cut()
  t.match((await command.ended).stderr, /FATAL/)
  await until(async () => (await sleeping('pg_sleep(60)')) === 0, 'it no longer runs', 2000)
  await engine.ended(1)
  t.match(seen.ends[0], { reason: 'grant-revoked', unfinished: 'ended' })
  t.same(session.faults, [])
  t.same(ended, [], 'others may still use the tunnel')
})

/** Last: beside a tunnel that is busy another one is opened, and there is only one here. */
t.test('statements and large results', { skip }, async (t) => {
  const { stdout, code } = await psql(
    "select sum(length(x)) from (select repeat('x', 1000) x from generate_series(1, 400)) a;",
  ).ended
  t.equal(code, 0)
  t.equal(stdout.trim(), '400000')
  const rows = await psql("select repeat('y', 1000) from generate_series(1, 400);").ended
  t.equal(rows.stdout.length, 400 * 1001)
})

async function sleeping(like: string): Promise<number> {
  const sql = "select 1 from pg_stat_activity where state = 'active' and query like $1 and pid <> pg_backend_pid()"
  return (await postgres.query('postgres', sql, [`%${like}%`])).rowCount ?? 0
}
