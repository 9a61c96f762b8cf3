/** Sessions from end to end: a stock client, the engine, an RDS endpoint, and a real MariaDB behind it. */
import { createConnection, type RowDataPacket } from 'mysql2/promise'
import t from 'tap'
import { startCommand } from '../../sandbox/commands.ts'
import { skipWithoutMariaDb } from '../../sandbox/mysql/mariadb.ts'
import { skipWithout } from '../../sandbox/programs.ts'
import { waitUntil } from '../../wait-until.ts'
import { identity } from '../relay/scripted-doorman.ts'
import { startEngine } from './engine-fixture.ts'

/** What it gave, or threw. */
const outcomeOf = (promise: Promise<unknown>) => promise.catch((error: unknown) => error)

const absent = skipWithoutMariaDb()
if (absent) t.plan(0, absent)
else await testEngine()

async function testEngine(): Promise<void> {
  const engine = await startEngine()
  t.teardown(() => engine.close())
  const { seen, control, mariadb, rds } = engine

  t.beforeEach(async () => {
    control.route = {}
    control.identity = undefined
    await waitUntil(() => rds.open === 0 && seen.ends.length === seen.asks.length, 'no session is left')
    for (const list of [seen.entries, seen.ends, seen.details, seen.targets, seen.asks, engine.errors]) list.length = 0
    seen.cancels = 0
    await rds.faults.clear()
  })

  const running = async (like: string) => {
    const rows = await mariadb.query(
      'select id from information_schema.processlist where info like ? and info not like ?',
      [`%${like}%`, '%processlist%'],
    )
    return rows.length
  }

  t.test('a session opens, queries in both protocols, and ends', async (t) => {
    const connection = await engine.connect(t, { connectAttributes: { program_name: 'checkout' } })
    const [rows] = await connection.query<RowDataPacket[]>('select count(*) as n, current_user() as who from customers')
    t.strictSame([{ ...rows[0] }], [{ n: 200, who: 'sallyport_rw@%' }])
    const [found] = await connection.execute<RowDataPacket[]>('select name from customers where id = ?', [17])
    t.match(found, [{ name: 'Rosa Almeida' }])
    await t.rejects(connection.query('select nothing from nowhere'), { message: /nowhere/ })
    const [id] = await connection.query<RowDataPacket[]>('select connection_id() as id')
    await connection.end()
    await engine.ended(1)
    t.match(seen.asks, [{ tool: 'checkout', carrier: { protocol: 'mysql' } }])
    t.match(seen.ends, [{ reason: 'client-closed' }])
    t.match(seen.details, [
      { database: 'orders', user: 'sallyport_rw', thread_id: String(id[0]?.id), thread_proof: 'attribute' },
    ])
    t.match(seen.targets, [{ threadId: id[0]?.id }])
    t.match(
      seen.entries.map(({ sql }) => sql),
      [/count/, /where id/, /nothing/, /connection_id/],
    )
    const attributes = rds.logins.at(-1)?.attributes
    t.match(Object.fromEntries(attributes ?? []), {
      _sallyport_session: /^ses_/,
      _sallyport_person: identity.name,
      _sallyport_grant: 'grt_1',
      program_name: 'checkout',
    })
    t.same(engine.errors, [])
  })

  t.test('what the target refuses reaches the client as an error of its sign-in', async (t) => {
    const attempt = () => outcomeOf(engine.connect(t))
    control.route = { secret: 'another token' }
    t.match(await attempt(), { errno: 1105, message: /Access denied.*IAM authentication/ })
    control.route = { databases: ['billing'] }
    t.match(await attempt(), { errno: 1044, sqlState: '42000', message: /covers billing/ })
    control.route = { serverName: 'other.example.internal' }
    t.match(await attempt(), { errno: 1105, message: /could not be verified/ })
    control.route = {}
    rds.faults.plaintext(true)
    t.match(await attempt(), { errno: 1105, message: /does not offer TLS/ })
    rds.faults.plaintext(false)
    for (const [plugin, said] of [
      ['mysql_native_password', /Access denied.*AWSAuthenticationPlugin/], // that of the greeting: it has our empty answer
      ['caching_sha2_password', /asked for caching_sha2_password/],
      ['dialog', /asked for dialog/],
    ] as const) {
      const before = rds.logins.length
      rds.faults.plugin(plugin)
      t.match(await attempt(), { errno: 1105, message: said })
      t.notOk(
        rds.logins.slice(before).some(({ answer }) => answer.length > 0),
        'the token stays here',
      )
    }
    rds.faults.plugin(null)
    rds.faults.refuseGreeting({ code: 1040, sqlState: null, text: 'Too many connections' })
    t.match(await attempt(), { message: /Too many connections/ })
    await engine.ended(8)
    t.ok(seen.ends.every(({ reason }) => reason === 'open-failed'))
  })

  t.test('Ctrl-C of the mariadb client: KILL QUERY from a second connection', async (t) => {
    const connection = await engine.connect(t)
    const second = await engine.connect(t)
    const slept = outcomeOf(connection.query('select sleep(60) as slept'))
    await waitUntil(async () => (await running('sleep(60)')) > 0, 'it sleeps')
    await second.query(`KILL QUERY ${connection.threadId}`)
    t.match(await slept, { errno: 1317, sqlState: '70100' })
    t.equal(seen.cancels, 1)
    t.match(await connection.query('select 1 as alive'), [[{ alive: 1 }]])
    const [own] = await connection.query<RowDataPacket[]>('select connection_id() as id')
    const again = outcomeOf(connection.query('select sleep(61) as slept'))
    await waitUntil(async () => (await running('sleep(61)')) > 0, 'it sleeps again')
    await second.query(`kill query ${own[0]?.id}`)
    t.match(await again, { errno: 1317 }, 'by the number that CONNECTION_ID() returns')
    const last = outcomeOf(connection.query('select sleep(62)'))
    await waitUntil(async () => (await running('sleep(62)')) > 0, 'and again')
    await second.query(`KILL ${connection.threadId}`)
    t.match(await last, { fatal: true })
    await waitUntil(async () => (await running('sleep(62)')) === 0, 'nothing runs any more')
    t.match(await second.query('select 1 as alive'), [[{ alive: 1 }]])
  })

  t.test('Ctrl-C in the mariadb client itself', { skip: skipWithout('mariadb') }, async (t) => {
    const where = ['--no-defaults', '--skip-ssl', '-h', '127.0.0.1', '-P', String(engine.port), '-pany', 'orders']
    const command = startCommand('mariadb', [...where, '-e', 'select sleep(64)'], process.env)
    await waitUntil(async () => (await running('sleep(64)')) > 0, 'it sleeps')
    command.child.kill('SIGINT')
    const { stderr } = await command.ended
    t.match(stderr, /ERROR 1317 \(70100\)/)
    t.equal(seen.cancels, 1)
    t.equal(await running('sleep(64)'), 0)
  })

  t.test('KILL of a stranger, and of nobody', async (t) => {
    const mine = await engine.connect(t)
    control.identity = { ...identity, principalId: 'prn_2' }
    const theirs = await createConnection({ host: '127.0.0.1', port: engine.port, user: 'x', password: 'y' })
    t.teardown(() => theirs.destroy())
    const killing = (id: number) => outcomeOf(theirs.query(`KILL QUERY ${id}`))
    const slept = mine.query('select sleep(0.5) as slept')
    t.match(await killing(mine.threadId), { errno: 1095 })
    await t.rejects(theirs.query(`KILL ${mine.threadId}`), { message: /owner/i })
    t.match(await slept, [[{ slept: 0 }]])
    t.equal(seen.cancels, 0)
    for (let i = 0; i < 10; i += 1) t.match(await killing(4242 + i), { errno: 1094, sqlState: 'HY000' })
  })

  t.test('a session that is cut is gone at the target within a second, on proof', async (t) => {
    const connection = await engine.connect(t)
    const slept = outcomeOf(connection.query('select sleep(63)'))
    await waitUntil(async () => (await running('sleep(63)')) > 0, 'it sleeps')
    const since = performance.now()
    await engine.cut()
    t.match(await slept, { errno: 1053, sqlState: '08S01', message: /incident 42/ })
    await waitUntil(async () => (await running('sleep(63)')) === 0, 'nothing runs any more', 1000)
    t.ok(performance.now() - since < 1500)
    await engine.ended(1)
    t.match(seen.ends, [{ reason: 'grant-revoked', unfinished: 'ended' }])
    t.match(seen.entries.at(-1), { sql: 'select sleep(63)', unfinished: true })
  })

  t.test('the rules of a level', async (t) => {
    control.route = { readOnly: true, statementTimeoutMs: 300 }
    const connection = await engine.connect(t)
    await t.rejects(connection.query('update customers set name = name'), { message: /READ ONLY/ })
    t.match(await connection.query('select @@max_statement_time as s'), [[{ s: '0.300000' }]])
  })

  t.test('a client that is pinned to a target is greeted as that target greets', async (t) => {
    await (await engine.connect(t)).end()
    const command = startCommand(
      'mariadb',
      ['--no-defaults', '--skip-ssl', '-h', '127.0.0.1', '-P', String(engine.port), '-e', 'status', '-pany', 'orders'],
      process.env,
    )
    const { stdout } = await command.ended
    t.match(stdout, /Server version:\s+10\.\d+\.\d+-MariaDB/)
    await engine.ended(2)
  })
}
