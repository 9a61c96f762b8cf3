/** A MySQL database through the product as it runs, with stock clients: signing in, what is recorded, and what ends a session. */
import { execFile } from 'node:child_process'
import { PassThrough } from 'node:stream'
import { promisify } from 'node:util'
import type { RowDataPacket } from 'mysql2/promise'
import t from 'tap'
import { startCommand } from '../sandbox/commands.ts'
import { skipWithoutMariaDb } from '../sandbox/mysql/mariadb.ts'
import { skipWithout, skipWithoutPhp } from '../sandbox/programs.ts'
import { mysqlOf } from '../sandbox/sandbox.ts'
import { quietFor, waitFor, waitUntil } from '../wait-until.ts'
import { startCompany } from './company.ts'
import { issueMySqlToken, mySqlClientFor, openMySql, rowsOf } from './mysql-client.ts'

const absent = skipWithoutMariaDb()
if (absent) t.plan(0, absent)
else await testMySql()

async function testMySql(): Promise<void> {
  const execute = promisify(execFile)
  const company = await startCompany({ sandbox: { mysql: {} } })
  t.teardown(() => company.close())
  const { mariadb, shop } = mysqlOf(company.sandbox)

  /** Flags of a MariaDB program, as the snippets have them. */
  async function cli(level?: string) {
    const { host, port, user, token } = await issueMySqlToken(company, level)
    const tls = [`--ssl-ca=${company.sandbox.caFile}`, '--ssl-verify-server-cert']
    const args = ['--no-defaults', '--protocol=tcp', '-h', host, '-P', String(port), '-u', user, ...tls]
    return { args, env: { ...process.env, MYSQL_PWD: token } }
  }

  async function entriesOf(sessionId: string): Promise<Record<string, unknown>[]> {
    const { stdout, stderr, code } = await company.commands.carol.run(['recordings', 'play', sessionId, '--json'])
    if (code !== 0) throw new Error(stderr)
    return stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  }

  /** The farewell comes first, the books are closed right after. */
  async function endOf(sessionId: string): Promise<unknown> {
    const query = `/api/v1/audit/events?type=session.ended&subject=${sessionId}`
    const look = async () => (await company.api<{ events: unknown[] }>('carol', 'GET', query)).events[0]
    return await waitFor(look, `the log has the end of ${sessionId}`, 5000, 20)
  }

  const runs = async (pattern: string): Promise<boolean> => {
    const sql = "select 1 from information_schema.processlist where info like ? and info not like '%processlist%'"
    return (await mariadb.query(sql, [pattern])).length > 0
  }

  await t.test('without a grant nobody is let in, and the reason is said', async (t) => {
    await t.rejects(openMySql(company), /grant/)
  })

  await t.test('statements of both protocols, and what is on record of them', async (t) => {
    await company.grant(3_600_000, 'shop')
    const { connection, sessionId } = await openMySql(company)
    t.strictSame(await rowsOf(connection, 'select count(*) as n from orders'), [{ n: 600 }])
    const bound = ['Antwerp', 'marker-é-17']
    const [rows] = await connection.execute<RowDataPacket[]>(
      'select name from customers where city = ? and name <> ? limit 3',
      bound,
    )
    t.equal(rows.length, 3)
    await t.rejects(connection.query("insert into orders values ('x')"), /denied/)
    await connection.end()
    await endOf(sessionId)
    const entries = JSON.stringify(await entriesOf(sessionId))
    t.match(entries, /select count\(\*\) as n from orders/)
    t.match(entries, /select name from customers where city = \?/)
    t.match(entries, /marker-é-17/, 'the bound values')
    t.match(entries, /INSERT command denied/)
    t.match(shop.logins.at(-1)?.attributes.get('_sallyport_person'), /alice/)

    const searched = await company.commands.carol.run(['recordings', 'search', 'MARKER-É-17', '--resource', 'shop'])
    t.match(searched, { code: 0, stderr: /found 1 statement in \d+ recording/ })
    t.match(searched.stdout, new RegExp(`${sessionId}: alice@example.com on rds-mysql/`))
    t.match(searched.stdout, /select name from customers where city = \?[\s\S]*\$2: "marker-é-17"/, 'bound as binary')
  })

  await t.test('a password that a statement set is not found', async (t) => {
    const { connection, sessionId } = await openMySql(company)
    await t.rejects(connection.query("create user found_by_name identified by 'Hidden-Horse-9'"), /denied/)
    await connection.end()
    await endOf(sessionId)
    const carol = company.commands.carol
    t.match(await carol.run(['recordings', 'search', 'found_by_name']), {
      code: 0,
      stdout: /create user found_by_name/,
    })
    t.match(await carol.run(['recordings', 'search', 'hidden-horse-9']), { code: 0, stdout: '', stderr: /found 0/ })
  })

  await t.test('the mariadb client with nothing but its TLS flags', async (t) => {
    const { args, env } = await cli()
    const { stdout } = await execute(
      'mariadb',
      [...args, '-N', 'orders', '-e', 'select count(*) from customers; select 2'],
      { env },
    )
    t.equal(stdout, '200\n2\n')
    await t.rejects(
      execute('mariadb', [...args, '-e', 'select 1'], { env: { ...env, MYSQL_PWD: 'spt_wrong' } }),
      /ERROR 1045 \(28000\)/,
    )
  })

  await t.test('COM_CHANGE_USER: with the same token a new session, with another one the end', async (t) => {
    const token = await issueMySqlToken(company)
    const { connection, lost } = await mySqlClientFor(company, token)
    await connection.query("set @mine = 'x'")
    await connection.changeUser({ user: token.user, password: token.token, database: 'orders' })
    t.strictSame(await rowsOf(connection, 'select @mine as mine, database() as db'), [{ mine: null, db: 'orders' }])
    const denied = { code: 'ER_ACCESS_DENIED_ERROR' }
    await t.rejects(connection.changeUser({ user: 't_another', password: token.token }), denied)
    t.strictSame(await rowsOf(connection, 'select 1 as one'), [{ one: 1 }], 'it stays whose it is')
    await t.rejects(connection.changeUser({ user: token.user, password: 'spt_wrong' }), denied)
    t.match(await lost, { message: /./ })
    const { events } = await company.api<{ events: unknown[] }>(
      'carol',
      'GET',
      '/api/v1/audit/events?type=session.denied',
    )
    t.match(events.slice(0, 2), [{ fields: { code: 'TOKEN_INVALID' } }, { fields: { code: 'GRANT_DENIED' } }])
  })

  await t.test('a grant that is extended in time keeps its connections', async (t) => {
    const { id } = await company.grant(8000, 'shop', 'admin')
    const { connection, sessionId } = await openMySql(company, { level: 'admin' })
    const before = await rowsOf(connection, 'select connection_id() as id')
    const endOfSession = async () => {
      type Listed = { sessions: { id: string; endsAt: number }[] }
      const { sessions } = await company.api<Listed>('carol', 'GET', '/api/v1/sessions')
      return sessions.find((one) => one.id === sessionId)?.endsAt ?? 0
    }
    const firstEnd = await endOfSession()
    const { request } = await company.api<{ request: { id: string; digest: string } }>(
      'alice',
      'POST',
      `/api/v1/grants/${id}/extend`,
      { durationMs: 3_600_000, reason: 'still at it' },
    )
    await company.api('bob', 'POST', `/api/v1/requests/${request.id}/approve`, { digest: request.digest })
    await waitUntil(async () => (await endOfSession()) > firstEnd + 3_000_000, 'the session ends later')
    await quietFor(firstEnd + 300 - Date.now(), 'the first end passes, and nothing is cut')
    t.strictSame(await rowsOf(connection, 'select connection_id() as id'), before, 'the same connection')
    await connection.end()
    await company.api('alice', 'POST', `/api/v1/grants/${id}/return`, {})
  })

  const ctrlC = 'Ctrl-C ends the statement, and the session goes on'
  await t.test(ctrlC, { skip: skipWithout('script') }, async (t) => {
    const { args, env } = await cli()
    const words = ['mariadb', ...args, 'orders'].map((word) => `'${word}'`)
    // `exec`: dash would stay between, hear the Ctrl-C too, and exit with 130 once the client has left with 0.
    const typed = ['-qfec', `exec ${words.join(' ')}`, '/dev/null']
    const terminal = startCommand('script', typed, { ...env, SHELL: '/bin/sh', MYSQL_HISTFILE: '/dev/null' }, null)
    await terminal.prints(/> /)
    terminal.child.stdin?.write('select sleep(60) as ctrl_c;\n')
    await waitUntil(() => runs('%ctrl_c%'), 'it runs')
    terminal.child.stdin?.write('\x03')
    await terminal.prints(/query killed/)
    await waitUntil(async () => !(await runs('%ctrl_c%')), 'the statement has ended at the target')
    terminal.child.stdin?.write("select concat('goes ', 'on');\n")
    await terminal.prints(/goes on/)
    terminal.child.stdin?.write('quit\n')
    t.match(await terminal.ended, { code: 0 })
  })

  await t.test('a schema is dumped and restored', async (t) => {
    const { args, env } = await cli()
    const dump = await execute('mariadb-dump', [...args, '--single-transaction', '--skip-lock-tables', 'orders'], {
      env,
      maxBuffer: 1 << 28,
    })
    await mariadb.query('CREATE DATABASE restored')
    await mariadb.query("GRANT ALL ON restored.* TO sallyport_rw@'%'")
    await company.grant(3_600_000, 'shop', 'admin')
    const writer = await cli('admin')
    const restoring = startCommand('mariadb', [...writer.args, 'restored'], writer.env, dump.stdout)
    t.match(await restoring.ended, { code: 0, stderr: '' })
    const sums = async (database: string) =>
      await mariadb.query(`SELECT COUNT(*) AS n, SUM(total) AS total FROM ${database}.orders`)
    t.strictSame(await sums('restored'), await sums('orders'))
  })

  const revokedWhile: [
    string,
    (session: Awaited<ReturnType<typeof openMySql>>) => Promise<{ answer: Promise<unknown> | null }>,
  ][] = [
    ['idle', async () => ({ answer: null })],
    [
      'a long query',
      async ({ connection }) => {
        const answer = connection.query('select sleep(60) as cut_long')
        await waitUntil(() => runs('%cut_long%'), 'it runs')
        return { answer }
      },
    ],
    [
      'a large result',
      async ({ connection }) => {
        const answer = connection.query('select a.id, b.word from samples.counted a, samples.counted b')
        await waitUntil(() => runs('%samples.counted a%'), 'it runs')
        return { answer }
      },
    ],
    [
      'LOAD DATA',
      async ({ connection }) => {
        const body = new PassThrough()
        const sql = "load data local infile 'words' into table samples.imported"
        const answer = connection.query({ sql, infileStreamFactory: () => body })
        body.write('1\tone\n'.repeat(10_000))
        await waitUntil(() => runs('load data%'), 'it runs')
        return { answer }
      },
    ],
    [
      'an open transaction',
      async ({ connection }) => {
        await connection.query('start transaction')
        await connection.query("insert into samples.files (name) values ('never committed')")
        return { answer: null }
      },
    ],
  ]

  const fetching = 'revoked while a cursor of a prepared statement is read'
  await t.test(fetching, { skip: skipWithoutPhp('mysqli') }, async (t) => {
    const { id } = await company.grant(3_600_000, 'shop')
    const { host, port, user, token } = await issueMySqlToken(company, 'readonly')
    const script = `mysqli_report(MYSQLI_REPORT_OFF); $c = mysqli_init();
      mysqli_ssl_set($c, null, null, getenv('CA'), null, null);
      mysqli_real_connect($c, getenv('HOST'), getenv('WHO'), getenv('TOKEN'), 'samples', getenv('PORT'), null, MYSQLI_CLIENT_SSL) or die('not in');
      $s = $c->prepare('select id, word from counted where id > ?');
      $s->attr_set(MYSQLI_STMT_ATTR_CURSOR_TYPE, MYSQLI_CURSOR_TYPE_READ_ONLY);
      $least = 7; $s->bind_param('i', $least); $s->execute(); $s->bind_result($n, $word);
      $s->fetch(); echo "first row $n\\n"; fgets(STDIN);
      while ($s->fetch()); echo "last row $n";`
    const env = { ...process.env, HOST: host, PORT: String(port), WHO: user, TOKEN: token, CA: company.sandbox.caFile }
    const client = startCommand('php', ['-r', script], env, null)
    await client.prints(/first row 8/)
    await company.api('bob', 'POST', `/api/v1/grants/${id}/revoke`, { reason: 'incident 42' })
    await waitUntil(() => shop.open === 0, 'nothing is left at the target', 1000)
    client.child.stdin?.end('\n')
    // mysqlnd ends the loop without an error; what counts is that no further row came.
    t.match((await client.ended).stdout, /last row 8$/)
  })

  for (const [name, begin] of revokedWhile)
    await t.test(`revoked during ${name}`, async (t) => {
      const { id } = await company.grant(3_600_000, 'shop', 'admin')
      const session = await openMySql(company, { level: 'admin', flags: ['LOCAL_FILES'] })
      const { answer } = await begin(session)
      const failed = answer?.then(
        () => undefined,
        (error: unknown) => error as { errno?: number; code?: unknown; message: string },
      )
      const startedAt = performance.now()
      await company.api('bob', 'POST', `/api/v1/grants/${id}/revoke`, { reason: 'incident 42' })
      const said = await (failed ?? session.lost)
      const cutMs = performance.now() - startedAt
      t.ok(cutMs < 1000, `cut within ${cutMs.toFixed(0)} ms`)
      // mysql2 has the number of an error that answers nothing as its code.
      t.match({ number: said?.errno ?? said?.code, text: said?.message }, { number: 1053, text: /incident 42/ })
      await waitUntil(() => shop.open === 0, 'nothing is left at the target', 10_000)
      t.match(await endOf(session.sessionId), { fields: { reason: 'grant-revoked' } })
      const left = await mariadb.query("SELECT 1 FROM samples.files WHERE name = 'never committed'")
      t.strictSame(left, [])
    })
}
