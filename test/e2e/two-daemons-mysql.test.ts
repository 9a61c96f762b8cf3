/** Two daemons on one store before a MySQL database: a KILL, Ctrl-C and the end of a grant reach a session wherever it is. */
import type { Connection } from 'mysql2/promise'
import t, { type Test } from 'tap'
import { startCommand } from '../sandbox/commands.ts'
import { shopId } from '../sandbox/daemon-files.ts'
import { skipUnlessLong } from '../sandbox/mysql/mariadb.ts'
import { skipWithout } from '../sandbox/programs.ts'
import { mysqlOf } from '../sandbox/sandbox.ts'
import { waitFor, waitUntil } from '../wait-until.ts'
import type { Door } from './company.ts'
import { issueToken } from './database-client.ts'
import { mySqlClientFor, rowsOf } from './mysql-client.ts'
import { startTwoDaemons } from './two-daemons.ts'

const absent = skipUnlessLong()
if (absent) t.plan(0, absent)
else await testTwoDaemons()

async function testTwoDaemons(): Promise<void> {
  t.setTimeout(120_000)
  const rule = {
    name: 'engineers-read-the-shop',
    who: { groups: ['engineering'] },
    what: { ids: [shopId] },
    levels: ['readonly'],
    max_duration: '1h',
  }
  const people = ['alice', 'bob', 'carol', 'dave'] as const
  const two = await startTwoDaemons({ sandbox: { mysql: {} }, overrides: { access: [rule] }, people })
  t.teardown(() => two.close())
  const { a, b } = two.at
  const { mariadb } = mysqlOf(two.sandbox)

  const grant = async (who: 'alice' | 'bob'): Promise<string> => {
    const ask = { resource: 'shop', level: 'readonly', durationMs: 3_600_000 }
    const asked = await a.api<{ grant: { id: string } | null }>(who, 'POST', '/api/v1/requests', ask)
    if (!asked.grant) throw new Error(`${who} has no grant`)
    return asked.grant.id
  }
  const open = async (door: Door, who: 'alice' | 'bob' = 'alice') =>
    await mySqlClientFor(door, await issueToken(door, who, { resource: 'shop' }))
  const runs = async (mark: string): Promise<boolean> => {
    const sql = "select 1 from information_schema.processlist where info like ? and info not like '%processlist%'"
    return (await mariadb.query(sql, [`%${mark}%`])).length > 0
  }
  /** A statement at the target that only its end ends. */
  const sleep = async (connection: Connection, mark: string) => {
    const outcome = connection.query(`select sleep(60) as ${mark}`).then(
      () => 'done',
      ({ errno }: { errno?: number }) => errno,
    )
    await waitUntil(() => runs(mark), `${mark} runs`)
    return outcome
  }
  const isRefused = async (t: Test, connection: Connection, sql: string, errno: number) =>
    t.match(await connection.query(sql).catch((error: unknown) => error), { errno }, sql)

  const grantId = await grant('alice')
  await grant('bob')

  await t.test('KILL QUERY at the other daemon, by the number of the greeting or of the target', async (t) => {
    const [here, there] = [await open(a), await open(b)]
    const [row] = await rowsOf(here.connection, 'select connection_id() as id')
    for (const number of [here.connection.threadId, Number(row?.id)]) {
      const killed = sleep(here.connection, 'killed_from_b')
      await waitUntil(() => runs('killed_from_b'), 'it runs')
      await there.connection.query(`KILL QUERY ${number}`)
      t.equal(await killed, 1317)
      t.strictSame(await rowsOf(here.connection, 'select 1 as one'), [{ one: 1 }], 'the session goes on')
    }
    await there.connection.query(`KILL ${here.connection.threadId}`)
    t.ok(await here.lost, 'without QUERY the session ends')
    await there.connection.end()
  })

  const ctrlC = 'Ctrl-C whose second connection the balancer brings to the other daemon'
  await t.test(ctrlC, { skip: skipWithout('script') }, async (t) => {
    two.balancer.to('a')
    const { token, user } = await issueToken(a, 'alice', { resource: 'shop' })
    const where = ['--no-defaults', '--protocol=tcp', '-h', '127.0.0.1', '-P', String(two.mysqlPort), '-u', user]
    const tls = [`--ssl-ca=${two.sandbox.caFile}`, '--ssl-verify-server-cert']
    const words = ['mariadb', ...where, ...tls, 'orders'].map((word) => `'${word}'`)
    const env = { ...process.env, MYSQL_PWD: token, SHELL: '/bin/sh', MYSQL_HISTFILE: '/dev/null' }
    const terminal = startCommand('script', ['-qfec', `exec ${words.join(' ')}`, '/dev/null'], env, null)
    await terminal.prints(/> /)
    terminal.child.stdin?.write('select sleep(60) as ctrl_c;\n')
    await waitUntil(() => runs('ctrl_c'), 'it runs')
    two.balancer.to('b')
    terminal.child.stdin?.write('\x03')
    await terminal.prints(/query killed/)
    await waitUntil(async () => !(await runs('ctrl_c')), 'the statement has ended at the target')
    terminal.child.stdin?.write("select concat('goes ', 'on');\nquit\n")
    await terminal.prints(/goes on/)
    t.match(await terminal.ended, { code: 0 })
    two.balancer.to('a', 'b')
  })

  await t.test('another person’s KILL is refused at either daemon', async (t) => {
    const { connection } = await open(a)
    const outcome = sleep(connection, 'of_alice')
    await waitUntil(() => runs('of_alice'), 'it runs')
    for (const door of [a, b]) {
      const foreign = (await open(door, 'bob')).connection
      for (const what of ['QUERY ', '']) await isRefused(t, foreign, `KILL ${what}${connection.threadId}`, 1095)
      await foreign.end()
    }
    t.ok(await runs('of_alice'), 'it goes on')
    const own = (await open(b)).connection
    await own.query(`KILL QUERY ${connection.threadId}`)
    t.equal(await outcome, 1317)
    await Promise.all([connection.end(), own.end()])
  })

  await t.test('ten stale kills at the other daemon hit no new session', async (t) => {
    const stale: number[] = []
    for (let i = 0; i < 5; i += 1) {
      const { connection } = await open(a)
      const [row] = await rowsOf(connection, 'select connection_id() as id')
      stale.push(connection.threadId, Number(row?.id))
      await connection.end()
    }
    const [late, killer] = [(await open(a)).connection, (await open(b)).connection]
    const outcome = sleep(late, 'is_new')
    await waitUntil(() => runs('is_new'), 'it runs')
    for (const number of stale) await isRefused(t, killer, `KILL QUERY ${number}`, 1094)
    t.ok(await runs('is_new'), 'it goes on')
    await killer.query(`KILL QUERY ${late.threadId}`)
    t.equal(await outcome, 1317)
    await Promise.all([late.end(), killer.end()])
  })

  await t.test('`sallyport revoke` at one daemon cuts the session at the other within a second', async (t) => {
    const { connection, sessionId } = await open(a)
    const outcome = connection.query('select sleep(60) as revoked').then(
      () => undefined,
      (error: { errno?: number; message: string }) => error,
    )
    await waitUntil(() => runs('revoked'), 'it runs')
    const ran = await b.commands.dave.run(['revoke', grantId, '--reason', 'incident 42'])
    t.equal(ran.code, 0, ran.stderr)
    t.match(await outcome, { errno: 1053, message: /incident 42/ })
    interface Event {
      readonly at: number
      readonly fields: Readonly<Record<string, unknown>>
    }
    const eventOf = async (type: string, subject: string) => {
      const path = `/api/v1/audit/events?type=${type}&subject=${subject}`
      const look = async () => (await a.api<{ events: Event[] }>('carol', 'GET', path)).events[0]
      return await waitFor(look, `the log has ${type}`, 10_000, 50)
    }
    const [decided, ended] = [await eventOf('grant.revoked', grantId), await eventOf('session.ended', sessionId)]
    t.equal(ended.fields.reason, 'grant-revoked')
    const ms = Number(ended.fields.stopped_at) - decided.at
    t.ok(ms <= 1000, `${ms} ms`)
    await waitUntil(async () => !(await runs('revoked')), 'the statement has ended at the target', 2000)
  })
}
