import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFile, stat } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import pg from 'pg'
import t, { type Test } from 'tap'
import { makeLocalPassword } from '../../../proxy/local/local-password.ts'
import { type ListenAt, type LocalPort, makeSocketDirectory } from '../../../proxy/local/local-port.ts'
import type { ClientOptions } from '../../../proxy/local/local-protocol.ts'
import { localPostgres } from '../../../proxy/local/postgres/local-postgres.ts'
import { skipWithout } from '../../sandbox/programs.ts'
import { quietFor, waitUntil } from '../../wait-until.ts'
import { type FakeBroker, startFakeBroker } from './fake-broker.ts'
import { type Opened, openPort, type Ran, run } from './open-port.ts'

const withPsql = { skip: skipWithout('psql') }

const orders = 'rds-postgres/111122223333/eu-west-1/orders'

function open(
  t: Test,
  options: Partial<ClientOptions> = {},
  at: ListenAt = { port: 0 },
  broker?: FakeBroker,
): Promise<Opened> {
  return openPort(t, localPostgres, orders, { options, at, ...(broker ? { broker } : {}) })
}

function psql(port: LocalPort, env: Record<string, string>, ...args: string[]): Promise<Ran> {
  const settings = {
    PGHOST: port.host,
    PGPORT: String(port.port),
    PGUSER: 'sallyport',
    PGDATABASE: 'shop',
    PGAPPNAME: 'psql',
  }
  return run('psql', ['-X', '-At', '-w', ...args], { ...settings, ...env })
}

async function client(t: Test, opened: Opened, settings: pg.ClientConfig = {}): Promise<pg.Client> {
  const { port, password } = opened
  const made = new pg.Client({
    host: port.host,
    port: port.port,
    user: 'sallyport',
    database: 'shop',
    password,
    ...settings,
  })
  made.on('error', () => {})
  t.teardown(() => made.end().catch(() => {}))
  return made
}

t.test(
  'psql with the right password reaches the broker, which hears who, what and with which program',
  withPsql,
  async (t) => {
    const { broker, port, password, ends } = await open(t)
    const ran = await psql(port, { PGPASSWORD: password }, '-c', 'row hello')
    t.same(ran, { code: 0, stdout: 'hello\n', stderr: '' })
    t.same(broker.asked, [
      { query: { resource: orders, level: 'readonly', tool: 'psql' }, authorization: 'Bearer bearer-of-alice' },
    ])
    t.match(
      broker.startups,
      [{ user: 'sallyport', database: 'shop', application_name: 'psql' }],
      'the startup message came untouched',
    )
    await waitUntil(() => ends.length === 1, 'the session has ended')
    t.equal(ends[0]?.code, 1000)
    await waitUntil(() => broker.sockets.size === 0, 'nothing is left behind')
  },
)

t.test('a wrong password is refused with 28P01 before the broker hears of it', withPsql, async (t) => {
  const { broker, port, refusals } = await open(t)
  const ran = await psql(port, { PGPASSWORD: 'guess' }, '-c', 'row hello')
  t.equal(ran.code, 2)
  t.match(ran.stderr, /FATAL: {2}.*password/)
  const impostor = new pg.Client({ host: port.host, port: port.port, user: 'sallyport', password: 'guess' })
  await t.rejects(impostor.connect(), { code: '28P01', severity: 'FATAL' })
  t.equal(broker.asked.length, 0)
  t.match(refusals, [{ code: 'TOKEN_INVALID' }, { code: 'TOKEN_INVALID' }])
})

t.test('node-postgres signs in by SCRAM and can say more than once', async (t) => {
  const opened = await open(t)
  const db = await client(t, opened)
  await db.connect()
  t.same((await db.query('row one')).rows, [{ c: 'one' }])
  t.same((await db.query('row two')).rows, [{ c: 'two' }])
  await t.rejects(db.query('nonsense'), { code: '42601' })
})

t.test('two ports made at once have different passwords', async (t) => {
  const [a, b] = [makeLocalPassword(), makeLocalPassword()]
  t.match(a, /^[A-Za-z0-9_-]{43}$/)
  t.not(a, b)
})

t.test('a password with colon and backslash survives the password file and psql', withPsql, async (t) => {
  const { pgpassLine } = await import('../../../proxy/local/postgres/pgpass.ts')
  const text = 'a:b\\c::\\:d'
  const { port } = await open(t, { password: text })
  const line = pgpassLine({ host: port.host, port: port.port, user: 'sallyport', password: text })
  const file = join(t.testdir({ pgpass: t.fixture('file', `${line}\n`) }), 'pgpass')
  const { chmod } = await import('node:fs/promises')
  await chmod(file, 0o600)
  t.same(await psql(port, { PGPASSFILE: file }, '-c', 'row in'), { code: 0, stdout: 'in\n', stderr: '' })
})

t.test('a Unix socket in a folder of mode 0700 asks for no password', withPsql, async (t) => {
  const directory = await makeSocketDirectory({})
  t.teardown(() => directory.remove())
  const { port, broker } = await open(t, { password: null }, { directory: directory.path, port: 5432 })
  t.equal((await stat(directory.path)).mode & 0o777, 0o700)
  t.equal((await stat(join(directory.path, '.s.PGSQL.5432'))).mode & 0o777, 0o600)
  t.same(await psql(port, {}, '-c', 'row socket'), { code: 0, stdout: 'socket\n', stderr: '' })
  t.equal(broker.asked[0]?.query.no_password, undefined)
  await port.close()
  await t.rejects(stat(join(directory.path, '.s.PGSQL.5432')), { code: 'ENOENT' })
})

t.test('an open port tells the broker so', withPsql, async (t) => {
  const { port, broker } = await open(t, { password: null, openPort: true })
  t.equal((await psql(port, {}, '-c', 'row open')).stdout, 'open\n')
  t.equal(broker.asked[0]?.query.no_password, '1')
})

t.test('a refused upgrade becomes FATAL with the reason and the hint, in psql and in drivers', withPsql, async (t) => {
  const opened = await open(t)
  const detail = 'access was not granted: no rule lets you'
  const hint = 'sallyport request orders --level readonly'
  opened.broker.refuse = { status: 403, body: JSON.stringify({ code: 'GRANT_DENIED', detail, hint, status: 403 }) }
  const ran = await psql(opened.port, { PGPASSWORD: opened.password }, '-c', 'row hello')
  t.equal(ran.code, 2)
  t.match(ran.stderr, `FATAL:  ${detail}`)
  t.match(ran.stderr, `HINT:  ${hint}`)
  await t.rejects((await client(t, opened)).connect(), { code: '28000', severity: 'FATAL', message: detail, hint })
  t.match(opened.refusals, [{ code: 'GRANT_DENIED', message: detail, hint }, {}])
})

t.test('whatever refuses the upgrade, the client is told in its own protocol', async (t) => {
  const opened = await open(t)
  const cases: { refuse: FakeBroker['refuse']; expect: { code?: string; message?: string | RegExp } }[] = [
    { refuse: { status: 401, body: '' }, expect: { code: '28000', message: /HTTP status 401/ } },
    { refuse: { status: 404, body: '{"code":"RESOURCE_UNKNOWN"}' }, expect: { code: '28000' } },
    { refuse: { status: 429, body: '<html>busy' }, expect: { code: '53300' } },
    { refuse: { status: 503, body: '{"code":"AUDIT_UNAVAILABLE","detail":"no log"}' }, expect: { message: 'no log' } },
    { refuse: { status: 502, body: 'x'.repeat(100_000) }, expect: { message: /HTTP status 502/ } },
    { refuse: { status: 500, body: '{"code":"toString","detail":7}' }, expect: { message: /HTTP status 500/ } },
    {
      refuse: { status: 302, body: '', headers: { location: 'http://127.0.0.1:1/' } },
      expect: { message: /HTTP status 302/ },
    },
  ]
  for (const { refuse, expect } of cases) {
    opened.broker.refuse = refuse
    const failed: unknown = await (await client(t, opened)).connect().catch((error: Error) => error)
    t.match(failed, { severity: 'FATAL', ...expect }, `status ${refuse?.status}`)
  }
  t.equal(opened.broker.asked.length, cases.length, 'no redirect was followed')
})

t.test('a broker that is not there is named, without the token', async (t) => {
  const opened = await open(t, { server: 'http://127.0.0.1:1' })
  const failed = await (await client(t, opened)).connect().then(
    () => t.fail('connected'),
    (error: Error) => error,
  )
  t.match(failed, { severity: 'FATAL', message: 'cannot reach the broker at http://127.0.0.1:1: ECONNREFUSED' })
  t.notMatch(JSON.stringify(failed), 'bearer-of-alice')
})

t.test('a sign-in that has ended is a refusal like any other', async (t) => {
  const { BrokerError } = await import('../../../proxy/session.ts')
  const opened = await open(t, {
    bearer: () => Promise.reject(new BrokerError('LOGIN_REQUIRED', undefined, { hint: 'run: sallyport login' })),
  })
  await t.rejects((await client(t, opened)).connect(), { code: '28000', message: 'sign in first' })
  t.match(opened.refusals, [{ code: 'LOGIN_REQUIRED', hint: 'run: sallyport login' }])
})

t.test('Ctrl-C reaches the broker, and the statement is cancelled', async (t) => {
  const opened = await open(t)
  const { broker } = opened
  const db = await client(t, opened)
  await db.connect()
  const running = db.query('wait')
  const pid = (db as unknown as { processID: number }).processID
  const request = Buffer.alloc(16)
  for (const [i, word] of [16, 80877102, pid, 0x11223344].entries()) request.writeInt32BE(word, i * 4)
  const second = connect(opened.port.port, opened.port.host)
  second.resume()
  second.write(request)
  await t.rejects(running, { code: '57014' })
  await once(second, 'close')
  t.same(broker.cancels, [request], 'the request came whole')
  t.same(broker.asked[1]?.query.tool, 'cancel')
})

t.test('psql itself cancels on SIGINT', withPsql, async (t) => {
  const { port, password, broker } = await open(t)
  const settings = { PGHOST: port.host, PGPORT: String(port.port), PGUSER: 'u', PGDATABASE: 'd', PGPASSWORD: password }
  const child = execFile('psql', ['-X', '-c', 'wait'], { env: { PATH: process.env.PATH, ...settings } })
  let stderr = ''
  child.stderr?.on('data', (text) => {
    stderr += text
  })
  await waitUntil(() => broker.startups.length === 1, 'psql is in')
  await quietFor(100, 'psql installs its handler after it has sent the statement')
  child.kill('SIGINT')
  await once(child, 'close')
  t.match(stderr, 'canceling statement due to user request')
  t.equal(broker.cancels.length, 1)
})

t.test('a client that does not read holds up the broker, and little is kept here', async (t) => {
  const opened = await open(t)
  const db = await client(t, opened)
  await db.connect()
  const socket = (db as unknown as { connection: { stream: Socket } }).connection.stream
  const rows = 64 * 1024
  const answer = db.query(`big ${rows}`)
  socket.pause()
  const before = process.memoryUsage().arrayBuffers
  let last = -1
  while (opened.broker.written !== last) {
    last = opened.broker.written
    await quietFor(200, 'the broker writes no more')
  }
  t.ok(opened.broker.written < 32 * 1024 * 1024, `the broker stopped after ${opened.broker.written} bytes`)
  t.ok(process.memoryUsage().arrayBuffers - before < 32 * 1024 * 1024, 'memory is bounded')
  socket.resume()
  t.equal((await answer).rowCount, rows)
})

t.test('a session that is cut ends with the farewell of the broker, and the port is told why', async (t) => {
  const opened = await open(t)
  const db = await client(t, opened)
  await db.connect()
  await t.rejects(db.query('cut grant-revoked'), { code: '57P01', message: 'access was revoked by bob@example.com' })
  await waitUntil(() => opened.ends.length === 1, 'the end was told')
  t.same(opened.ends, [{ code: 4001, reason: 'grant-revoked' }])
})

t.test('a broker that is lost closes the client', async (t) => {
  const opened = await open(t)
  const db = await client(t, opened)
  await db.connect()
  await t.rejects(db.query('vanish'), /terminated/)
  await waitUntil(() => opened.ends.length === 1, 'the end was told')
  t.equal(opened.ends[0]?.code, 1006)
})

t.test('a client that vanishes ends its session', async (t) => {
  const opened = await open(t)
  const db = await client(t, opened)
  await db.connect()
  const socket = (db as unknown as { connection: { stream: Socket } }).connection.stream
  socket.resetAndDestroy()
  await waitUntil(() => opened.broker.sockets.size === 0 && opened.ends.length === 1, 'the session has ended')
  t.same(opened.ends, [{ code: 1000, reason: '' }], 'that is no loss of the broker')
})

t.test('a port that is closed drops its clients, which is no loss of the broker either', async (t) => {
  const opened = await open(t)
  const db = await client(t, opened)
  await db.connect()
  await opened.port.close()
  await waitUntil(() => opened.ends.length === 1, 'the end was told')
  t.same(opened.ends, [{ code: 1000, reason: '' }])
})

t.test('a client that leaves in good order is heard to the end', async (t) => {
  const { port, broker, ends } = await open(t, { password: null })
  broker.closesItself = false
  const socket = connect(port.port, port.host)
  t.teardown(() => socket.destroy())
  // length, version 3.0, user=a, end
  socket.write(Buffer.concat([Buffer.from([0, 0, 0, 16, 0, 3, 0, 0]), Buffer.from('user\0a\0\0')]))
  await once(socket, 'data')
  const statement = Buffer.alloc(4 * 1024 * 1024, 'x')
  statement.write('Q')
  statement.writeUInt32BE(statement.length - 1, 1)
  statement[statement.length - 1] = 0
  socket.write(statement)
  socket.end(Buffer.from([0x58, 0, 0, 0, 4])) // Terminate
  await waitUntil(() => ends.length === 1, 'the end was told')
  t.equal(broker.terminates, 1)
})

t.test('several resources at once: each port leads to its own', withPsql, async (t) => {
  const broker = await startFakeBroker(t)
  const ids = ['rds-postgres/1/r/a', 'rds-postgres/1/r/b', 'rds-postgres/1/r/c']
  const all = await Promise.all(ids.map((resourceId) => open(t, { resourceId }, { port: 0 }, broker)))
  const results = await Promise.all(all.map((o, i) => psql(o.port, { PGPASSWORD: o.password }, '-c', `row ${i}`)))
  t.same(
    results.map((ran) => ran.stdout),
    ['0\n', '1\n', '2\n'],
  )
  t.same(broker.asked.map(({ query }) => query.resource).sort(), ids)
  const [first, second] = all
  if (!first || !second) return
  t.equal(
    (await psql(first.port, { PGPASSWORD: second.password }, '-c', 'row x')).code,
    2,
    'one password opens one port',
  )
})

t.test('no password is in the arguments of psql', withPsql, async (t) => {
  const opened = await open(t)
  const settings = {
    PGHOST: opened.port.host,
    PGPORT: String(opened.port.port),
    PGUSER: 'u',
    PGDATABASE: 'd',
    PGPASSWORD: opened.password,
  }
  const child = execFile('psql', ['-X', '-c', 'wait'], { env: { PATH: process.env.PATH, ...settings } })
  await waitUntil(() => opened.broker.startups.length === 1, 'psql is in')
  t.notMatch(await readFile(`/proc/${child.pid}/cmdline`, 'utf8'), opened.password)
  child.kill()
  await once(child, 'close')
})
