import pg from 'pg'
import t from 'tap'
import { BrokerError } from '../../../proxy/session.ts'
import { startCommand } from '../../sandbox/commands.ts'
import { skipWithout } from '../../sandbox/programs.ts'
import { quietFor } from '../../wait-until.ts'
import { startEngine, until } from '../postgres/engine-fixture.ts'

const engine = await startEngine()
t.teardown(() => engine.close())
const { seen, control, env } = engine
const skip = skipWithout('psql')

t.beforeEach(() => {
  seen.entries.length = 0
  seen.ends.length = 0
  control.refusal = undefined
  control.isFull = false
  control.breaks = false
  control.route = {}
})

async function connect(database = 'orders'): Promise<pg.Client> {
  const client = new pg.Client({ host: '127.0.0.1', port: engine.port, user: 'anyone', database })
  client.on('error', () => {}) // cut sessions are meant to fail; what the query says is asserted
  await client.connect()
  return client
}

const running = (text: string) =>
  until(async () => {
    const sql = "select 1 from pg_stat_activity where state = 'active' and query like $1 and pid <> pg_backend_pid()"
    return ((await engine.postgres.query('postgres', sql, [`%${text}%`])).rowCount ?? 0) > 0
  }, `${text} runs`)

const idle = (text: string) =>
  until(async () => {
    const sql = "select 1 from pg_stat_activity where state = 'active' and query like $1 and pid <> pg_backend_pid()"
    return (await engine.postgres.query('postgres', sql, [`%${text}%`])).rowCount === 0
  }, `${text} no longer runs`)

t.test('a simple query is answered by the target and recorded', async (t) => {
  const client = await connect()
  await client.query('select 1 as one; select 2 as two where false')
  const name = await client.query('select application_name from pg_stat_activity where pid = pg_backend_pid()')
  t.equal(name.rows[0].application_name, 'sallyport:ses_01234567890123456789012345:alice@example.com')
  await client.end()
  await engine.ended(1)
  t.match(seen.entries[0], { type: 'query', sql: /select 1 as one; select 2/, tags: ['SELECT 1', 'SELECT 0'], rows: 1 })
  t.type(seen.entries[0]?.ms, 'number')
  t.equal(seen.ends[0]?.reason, 'client-closed')
  t.match(seen.details.at(-1), { database: 'orders', user: 'sallyport_rw' })
  t.ok((seen.ends[0]?.bytesDown ?? 0) > 0)
})

t.test('extended protocol is recorded with its values, once for each time it runs', async (t) => {
  const client = await connect()
  for (const id of [17, 18])
    await client.query({
      name: 'by-id',
      text: 'select id from orders where id = $1 and status <> $2',
      values: [id, null],
    })
  await client.query('select $1::text as said', ['it’s me'])
  await client.end()
  await engine.ended(1)
  const executed = seen.entries.filter(({ type }) => type === 'execute')
  for (const { ms } of executed) t.ok((ms as number) > 0, `took ${ms} ms`)
  t.match(executed[0], { sql: 'select id from orders where id = $1 and status <> $2', values: ['17', null] })
  t.match(executed[1], { values: ['18', null] })
  t.match(executed[2], { sql: 'select $1::text as said', values: ['it’s me'], rows: 1, tags: ['SELECT 1'] })
})

t.test('errors are recorded, and what the server leaves out is said to be left out', async (t) => {
  const client = await connect()
  await t.rejects(client.query('select * from nowhere'), { code: '42P01' })
  await t.rejects(client.query('select 1 / $1::int', [0]), { code: '22012' })
  await t.rejects(client.query('select nonsense($1)', ['x']), { code: '42883' })
  t.equal((await client.query('select 3 as three')).rows[0].three, 3, 'the session goes on')
  await client.end()
  await engine.ended(1)
  t.match(seen.entries[0], { type: 'query', error: { code: '42P01', message: /nowhere/ } })
  t.match(seen.entries[1], { type: 'bind', sql: 'select 1 / $1::int', values: ['0'], error: { code: '22012' } })
  t.match(seen.entries[2], { type: 'parse', sql: 'select nonsense($1)', error: { code: '42883' } })
  t.match(seen.entries[3], { type: 'bind', values: ['x'], skipped: true })
  t.match(seen.entries[4], { type: 'query', rows: 1 })
})

t.test('a name counts once the server has accepted it: a refused second Parse changes no record', async (t) => {
  const client = await connect()
  await client.query({ name: 's', text: 'select 1 as real' })
  const error = await new Promise((resolve) =>
    client.query({
      submit: (connection: { parse(statement: object): void; sync(): void }) => {
        connection.parse({ name: 's', text: 'select 2 as pretended' })
        connection.sync()
      },
      handleError: resolve,
      handleReadyForQuery: () => {},
    } as never),
  )
  t.match(error, { code: '42P05' })
  await client.query({ name: 's', text: 'select 1 as real' })
  await client.end()
  await engine.ended(1)
  const executed = seen.entries.filter(({ type }) => type === 'execute')
  t.same(
    executed.map(({ sql }) => sql),
    ['select 1 as real', 'select 1 as real'],
  )
})

t.test('passwords in statements are not recorded', async (t) => {
  const client = await connect()
  await client.query("select 'alter role x password ''hunter2'''").catch(() => {})
  await client.query("alter role nobody_there password 'hunter2'").catch(() => {})
  await client.query("alter role nobody_there password E'hun\\'ter2'").catch(() => {})
  await client.query('alter role nobody_there password $q$hunter2$q$').catch(() => {})
  await client.end()
  await engine.ended(1)
  t.equal(seen.entries.length, 4)
  for (const { sql } of seen.entries.slice(1)) t.match(sql, /password \[redacted\]/)
})

t.test('COPY both ways: sizes, and the digest of what was sent', { skip }, async (t) => {
  const script = `create temp table c (n int, x text);
copy c from stdin;
1\tone
2\ttwo
\\.
copy (select repeat('x', 1000) from generate_series(1, 5000)) to stdout;`
  const { stdout } = await psql(['-q', '-v', 'ON_ERROR_STOP=1', '-f', '-'], script)
  t.equal(stdout.split('\n').length, 5001)
  await engine.ended(1)
  const [, copied, dumped] = seen.entries
  t.match(copied, {
    tags: ['COPY 2'],
    copyIn: {
      bytes: 15, // psql sends the closing line too
      hmac: /^[0-9a-f]{64}$/,
    },
  })
  t.match(dumped, { tags: ['COPY 5000'], rows: 5000, copyOut: { bytes: 5_005_000 } })
})

async function psql(args: readonly string[], input?: string) {
  const command = startCommand('psql', ['-X', ...args], env, input)
  return await command.ended
}

t.test('what is cut is told in psql within a second, and the statement is stopped', async (t) => {
  for (const [state, sql] of [
    ['in a query', 'select pg_sleep(60)'],
    ['in a transaction', 'begin; select pg_sleep(60)'],
  ] as const) {
    const client = await connect()
    const failed = t.rejects(
      client.query(sql),
      { code: '57P01', message: /revoked by bob@example.com: incident 42/ },
      state,
    )
    await running('pg_sleep(60)')
    const since = Date.now()
    await engine.cut()
    await failed
    t.ok(Date.now() - since < 1000, `${state}: ${Date.now() - since} ms`)
    await idle('pg_sleep(60)')
    await engine.ended(state === 'in a query' ? 1 : 2) // both have the same id
  }
  for (const { reason, stoppedAt } of seen.ends) {
    t.equal(reason, 'grant-revoked')
    t.type(stoppedAt, 'number')
  }
  t.match(seen.entries.at(-1), { sql: /pg_sleep/, unfinished: true })
})

t.test('an idle client is told at once', async (t) => {
  const client = await connect()
  const told = new Promise<Error & { code?: string }>((resolve) => client.on('error', resolve))
  await engine.cut({ reason: 'grant-expired', text: 'the grant expired' })
  t.match(await told, { code: '57P01', message: 'the grant expired' })
  await engine.ended(1)
  t.equal(seen.ends[0]?.reason, 'grant-expired')
})

t.test('a cut in the middle of a large result comes at a message boundary', async (t) => {
  const client = await connect()
  const big = client.query("select repeat('x', 100000) from generate_series(1, 20000)")
  const failed = t.rejects(big, { code: '57P01' })
  await until(() => engine.relayed().down > 1_000_000, 'a megabyte passed')
  await engine.cut()
  await failed
  await engine.ended(1)
})

t.test('Ctrl-C stops the statement, not the session', { skip }, async (t) => {
  const before = seen.cancels
  const command = startCommand('psql', ['-X', '-c', 'select pg_sleep(60)', '-c', "select 'still here'"], env)
  await running('pg_sleep(60)')
  command.child.kill('SIGINT')
  const ran = await command.ended
  t.match(ran.stderr, /canceling statement due to user request/)
  t.equal(seen.cancels, before + 1)
  await engine.ended(1)
})

t.test('a wrong key cancels nothing', async (t) => {
  const client = await connect()
  const { processID } = client as unknown as { processID: number }
  const slow = client.query('select pg_sleep(0.5)')
  await running('pg_sleep(0.5)')
  const request = Buffer.alloc(16)
  for (const [index, value] of [16, 80877102, processID, 12345].entries()) request.writeInt32BE(value, index * 4)
  const { connect: dial } = await import('node:net')
  const socket = dial(engine.port, '127.0.0.1')
  socket.write(request)
  await new Promise((resolve) => socket.resume().once('close', resolve))
  await slow
  t.ok(seen.unidentified.includes('NOT_FOUND'))
  await client.end()
  await engine.ended(1)
})

t.test('limits: rows and time of a statement', async (t) => {
  control.route = { maxRows: 10 }
  const client = await connect()
  t.equal((await client.query('select generate_series(1, 10)')).rowCount, 10)
  await t.rejects(client.query('select generate_series(1, 11)'), { code: '53400', message: /at most 10 rows/ })
  await engine.ended(1)
  t.equal(seen.ends[0]?.reason, 'limit-reached')
  control.route = { statementTimeoutMs: 100 }
  const hurried = await connect()
  await t.rejects(hurried.query('select pg_sleep(5)'), { code: '57014' })
  await hurried.end()
  await engine.ended(2)
})

t.test('what can be wrong upstream, each in its own words', async (t) => {
  const other = (await import('../../sandbox/certificates.ts')).createAuthority('another')
  const cases: [string, typeof control.route, string, RegExp][] = [
    ['down', { port: 1 }, '08001', /did not answer: ECONNREFUSED/],
    ['another authority', { ca: other.cert }, '08001', /identity of the target could not be verified/],
    ['another name', { serverName: 'elsewhere.example' }, '08001', /identity of the target could not be verified/],
    ['a database that is not there', { defaultDatabase: 'nowhere' }, '3D000', /nowhere/],
    ['a database beyond the level', { databases: ['billing'] }, '3D000', /does not cover/],
    ['a user that is not there', { user: 'nobody_there' }, '28000', /refused the broker/],
    [
      'AWS denies the token',
      { password: () => Promise.reject(new BrokerError('AWS_DENIED', 'sts:AssumeRole')) },
      '',
      /./,
    ],
  ]
  for (const [name, route, code, message] of cases.slice(0, -1)) {
    control.route = route
    const database = name.includes('not there') && route.defaultDatabase ? 'nowhere' : 'orders'
    await t.rejects(connect(database), { code, message }, name)
  }
  await engine.ended(cases.length - 1)
  t.equal(seen.ends.length, cases.length - 1, 'each one’s books are closed, once')
  for (const { reason } of seen.ends) t.equal(reason, 'open-failed')
  const { rows } = await engine.postgres.query(
    'postgres',
    "select count(*)::int as n from pg_stat_activity where application_name like 'sallyport:%'",
  )
  t.equal(rows[0].n, 0, 'and nothing is left open')
})

t.test('a refusal of the doorman is the client’s sign-in error', async (t) => {
  control.refusal = new BrokerError('GRANT_DENIED', 'you hold no grant', { hint: 'run: sallyport request orders' })
  await t.rejects(connect(), {
    code: '28000',
    message: /access was not granted: you hold no grant/,
    hint: /sallyport request orders/,
    detail: /GRANT_DENIED/,
  })
  t.equal(seen.ends.length, 0)
})

t.test('a cut that comes before the session is known here ends it, and the client is told why', async (t) => {
  control.cutEarly = { reason: 'grant-revoked', text: 'access was revoked meanwhile', decidedAt: Date.now() }
  t.teardown(() => {
    control.cutEarly = undefined
  })
  await t.rejects(connect(), { code: '57P01', message: 'access was revoked meanwhile' })
  await engine.ended(1)
  t.match(seen.ends, [{ reason: 'grant-revoked', stoppedAt: Number, decidedAt: control.cutEarly.decidedAt }])
  t.same(seen.entries, [])
})

t.test('a recorder that is behind pauses the session, and one that breaks ends it', async (t) => {
  const client = await connect()
  control.isFull = true
  const first = client.query('select 1')
  const second = client.query("select 'second'")
  await first
  await until(() => seen.entries.length === 1, 'the first is recorded')
  await quietFor(50, 'nothing is read while the recorder is behind')
  t.equal(seen.entries.length, 1, 'nothing is read meanwhile')
  control.isFull = false
  control.drain()
  await second
  control.breaks = true
  await t.rejects(client.query('select 3'), { code: '57P01' })
  await engine.ended(1)
  t.equal(seen.ends[0]?.reason, 'recording-failed')
})

t.test('a target that is lost is told, and a client that is lost leaves nothing behind', async (t) => {
  const client = await connect()
  const failed = t.rejects(client.query('select pg_sleep(60)'), { code: '57P01' })
  await running('pg_sleep(60)')
  await engine.postgres.query(
    'postgres',
    "select pg_terminate_backend(pid) from pg_stat_activity where query like 'select pg_sleep(60)'",
  )
  await failed
  await engine.ended(1)
  t.equal(seen.ends[0]?.reason, 'upstream-closed')
  const lost = await connect()
  lost.query('select pg_sleep(61)').catch(() => {})
  await running('pg_sleep(61)')
  ;(lost as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy()
  await engine.ended(2)
  t.equal(seen.ends[1]?.reason, 'client-closed')
  await idle('pg_sleep(61)')
})

t.test('a client that breaks the protocol is told, and its session ends', async (t) => {
  const client = await connect()
  const told = new Promise<Error & { code?: string }>((resolve) => client.on('error', resolve))
  ;(client as unknown as { connection: { stream: { write(bytes: Buffer): void } } }).connection.stream.write(
    Buffer.from('zzzzz\0\0\0'),
  )
  t.match(await told, { code: '08P01' })
  await engine.ended(1)
  t.equal(seen.ends[0]?.reason, 'protocol-error')
})

t.test('a client that does not read costs no memory', async (t) => {
  const client = await connect()
  const { stream } = (client as unknown as { connection: { stream: { pause(): void; resume(): void } } }).connection
  const answered = client.query("select repeat('x', 1000) from generate_series(1, 100000)")
  stream.pause()
  const before = engine.relayed().down
  await quietFor(1200, 'counts are reported once a second')
  const passed = engine.relayed().down - before
  t.ok(passed < 20_000_000, `${passed} of 100 MB were taken from the target`)
  stream.resume()
  t.equal((await answered).rowCount, 100_000)
  await client.end()
  await engine.ended(1)
})

t.test('pipelined statements are told apart', async (t) => {
  const client = await connect()
  const count = 2000
  const answers = await Promise.all(Array.from({ length: count }, (_, i) => client.query('select $1::int as n', [i])))
  t.equal(answers.at(-1)?.rows[0].n, count - 1)
  await client.end()
  await engine.ended(1)
  const executed = seen.entries.filter(({ type }) => type === 'execute')
  t.equal(executed.length, count)
  t.ok(executed.every(({ values }, i) => (values as string[])[0] === String(i)))
})

t.test('an idle session ends, one that works does not', async (t) => {
  const other = await startEngine({ idleTimeoutMs: 300 })
  t.teardown(() => other.close())
  const client = new pg.Client({ host: '127.0.0.1', port: other.port, user: 'anyone', database: 'orders' })
  const told = new Promise<Error & { code?: string }>((resolve) => client.on('error', resolve))
  await client.connect()
  await client.query('select pg_sleep(0.7)')
  t.equal(other.seen.ends.length, 0, 'a running statement is no idleness')
  t.match(await told, { code: '57P05', message: /idle/ })
  await other.ended(1)
  t.equal(other.seen.ends[0]?.reason, 'idle')
})

t.test('a NOTICE before the end, whether a statement runs or none does; the next end has its own', async (t) => {
  control.leftMs = 302_000
  t.teardown(() => {
    control.leftMs = 3_600_000
  })
  const client = await connect()
  const notices: unknown[] = []
  client.on('notice', (notice) => notices.push(notice))
  const slept = client.query('select pg_sleep(2.5)')
  await until(() => notices.length === 1, 'it is told while it sleeps')
  t.match(notices, [
    {
      severity: 'NOTICE',
      code: '00000',
      message: /^this session ends in 5 minutes, at \d\d:\d\d UTC$/,
      hint: 'To stay connected, run: sallyport extend grt_1 --for 1h.',
    },
  ])
  await slept
  await engine.move(60_200)
  await until(() => notices.length === 3, 'an earlier end at once, and a minute before it, while nothing runs')
  t.match(notices.slice(1), [{ message: /1 minute/ }, { message: /1 minute/ }])
  await engine.move(3_600_000)
  t.match(await client.query('select 1 as one'), { rows: [{ one: 1 }] }, 'the connection goes on')
  await client.end()
})

t.test(
  'a NOTICE before a session has used the time that its level allows, unless its grant ends earlier',
  async (t) => {
    control.budget = { rows: 0, bytes: 0, ms: 300_200 }
    t.teardown(() => {
      control.budget = undefined
    })
    const client = await connect()
    const notices: unknown[] = []
    client.on('notice', (notice) => notices.push(notice))
    await until(() => notices.length === 1, 'it is told')
    t.match(notices, [{ message: /^this session ends in 5 minutes/, hint: /^Its access level .* connect again\.$/ }])
    await engine.move(7_200_000)
    await engine.move(60_200)
    await until(() => notices.length === 3, 'the grant ends first now')
    t.match(notices.slice(1), [
      { message: /1 minute/, hint: /extend grt_1/ },
      { message: /1 minute/, hint: /extend/ },
    ])
    await engine.move(7_200_000)
    t.match(await client.query('select 1 as one'), { rows: [{ one: 1 }] }, 'and then no more')
    t.equal(notices.length, 3)
    await client.end()
  },
)
