/** Sessions from end to end: a stock client, the engine, an RDS endpoint, and a real MariaDB behind it. */
import { connect } from 'node:net'
import { createConnection, createPool, type RowDataPacket } from 'mysql2/promise'
import t from 'tap'
import { startCommand } from '../../sandbox/commands.ts'
import { skipWithoutMariaDb } from '../../sandbox/mysql/mariadb.ts'
import { skipWithout } from '../../sandbox/programs.ts'
import { waitUntil } from '../../wait-until.ts'
import { identity } from '../relay/scripted-doorman.ts'
import { startEngine } from './engine-fixture.ts'
import { errorOf, login, Packets, packet } from './raw-client.ts'
import { command, openSession, query, readRows } from './raw-session.ts'

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
    for (const list of [
      seen.entries,
      seen.unidentified,
      seen.ends,
      seen.details,
      seen.targets,
      seen.asks,
      engine.errors,
    ])
      list.length = 0
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
    t.match(await last, /interrupted|Connection lost/, 'whichever it hears first')
    await t.rejects(connection.query('select 1'), { message: /closed state|Connection lost/ })
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

  t.test('what a lost session left running is ended by the next run, on proof that it is that', async (t) => {
    const connection = await engine.connect(t)
    const slept = outcomeOf(connection.query('select sleep(65)'))
    await waitUntil(async () => (await running('sleep(65)')) > 0, 'it sleeps')
    const [detail = {}] = seen.details
    t.match(detail, { thread_id: /^\d+$/, server: /./, thread_proof: 'attribute', target_address: /^127\.0\.0\.1:/ })
    for (const [wrong, more, reason] of [
      [detail, { sessionId: 'ses_of_somebody_else' }, /another session has the number/],
      [{ ...detail, server: '1 elsewhere' }, {}, /another server answers/],
      [{ ...detail, thread_proof: 'origin' }, {}, /no proof of which thread/],
      [{ ...detail, thread_id: '' }, {}, /no proof of which thread/],
      [detail, { user: 'sallyport_ro' }, /another database user/],
    ] as const) {
      await t.rejects(engine.endLost(wrong, more), { code: 'TARGET_REFUSED', message: reason })
      t.equal(await running('sleep(65)'), 1, String(reason))
    }
    t.equal(await engine.endLost(detail), true)
    t.equal(await running('sleep(65)'), 0, 'it is gone when that resolves')
    t.match(await slept, Error)
    t.equal(await engine.endLost(detail), true, 'one that is gone already is no error')
    await engine.ended(1)
  })

  t.test('the rules of a level', async (t) => {
    control.route = { readOnly: true, statementTimeoutMs: 300 }
    const connection = await engine.connect(t)
    await t.rejects(connection.query('update customers set name = name'), { message: /READ ONLY/ })
    t.match(await connection.query('select @@max_statement_time as s'), [[{ s: '0.300000' }]])
  })

  t.test('RESET_CONNECTION keeps read-only and the time limit, also for what is sent behind it', async (t) => {
    control.route = { readOnly: true, statementTimeoutMs: 300 }
    const socket = connect({ host: '127.0.0.1', port: engine.port })
    t.teardown(() => socket.destroy())
    const packets = new Packets(socket)
    await packets.next() // greeting
    socket.write(packet(1, login({ database: 'orders', answer: Buffer.alloc(32, 1) })))
    t.same((await packets.next()).payload, Buffer.from([1, 3]))
    t.equal((await packets.next()).payload[0], 0)
    const query = (sql: string) => packet(0, Buffer.from(`\x03${sql}`))
    socket.write(
      Buffer.concat([query('set @mine = 1'), packet(0, Buffer.from([0x1f])), query('select @@max_statement_time')]),
    )
    socket.write(query('update customers set name = name'))
    socket.write(query('select @mine is null'))
    t.match(await packets.next(), { sequence: 1, payload: { 0: 0 } })
    t.match(await packets.next(), { sequence: 1, payload: { 0: 0 } }, 'the reset')
    for (let i = 0; i < 3; i += 1) await packets.next()
    t.same((await packets.next()).payload, Buffer.from('\x080.300000'))
    await packets.next()
    t.match(errorOf((await packets.next()).payload), { number: 1792, state: '25006' })
    for (let i = 0; i < 3; i += 1) await packets.next()
    t.same((await packets.next()).payload, Buffer.from('\x011'), 'the session is a new one all the same')
    socket.end(packet(0, Buffer.from([1])))
    await engine.ended(1)
    t.same(
      seen.entries.map(({ sql, command }) => sql ?? command),
      [
        'set @mine = 1',
        'RESET_CONNECTION',
        'select @@max_statement_time',
        'update customers set name = name',
        'select @mine is null',
      ],
      'what the broker asked is not among them',
    )
    t.match(seen.ends, [{ reason: 'client-closed' }])
  })

  t.test('a pool of mysql2 that resets what is released', async (t) => {
    control.route = { statementTimeoutMs: 5000 }
    const pool = createPool({ ...engine.client, connectionLimit: 1, resetOnRelease: true })
    t.teardown(() => pool.end())
    const [first] = await pool.execute<RowDataPacket[]>('select connection_id() as id, @who as who')
    await pool.query("set @who = 'the one before'")
    const [second] = await pool.execute<RowDataPacket[]>('select connection_id() as id, @who as who')
    t.same(second, first, 'the same connection, without what was set')
    t.match(await pool.query('select @@max_statement_time as s'), [[{ s: '5.000000' }]])
  })

  t.test('a reset after which the target does not take the limits again ends the session', async (t) => {
    control.route = { readOnly: true }
    const connection = await engine.connect(t)
    rds.faults.refuseText('TRANSACTION READ ONLY')
    const reset = outcomeOf(connection.reset())
    const next = outcomeOf(connection.query('select 1'))
    t.match(await reset, { errno: 1105, message: /does not take a setting of the access level.*1227/ })
    t.match(await next, { fatal: true })
    await engine.ended(1)
    t.match(seen.ends, [{ reason: 'upstream-failed', error: { code: 'TARGET_REFUSED' } }])
    t.match(seen.entries, [{ command: 'RESET_CONNECTION', unfinished: true }])
  })

  t.test('CHANGE_USER to the same user: a new session, with the limits of the level', async (t) => {
    control.route = { readOnly: true }
    const connection = await engine.connect(t, { charset: 'utf8mb4_general_ci' })
    const [own] = await connection.query<RowDataPacket[]>('select connection_id() as id')
    await connection.query("set @mine = 1, sql_mode = 'NO_BACKSLASH_ESCAPES'")
    for (const database of ['billing', 'orders']) {
      await connection.changeUser({ user: 'anyone', password: 'local', database, charset: 'LATIN1_SWEDISH_CI' })
      const [rows] = await connection.query<RowDataPacket[]>(
        'select connection_id() as id, @mine as mine, database() as db, @@character_set_client as charset',
      )
      t.match(rows, [{ id: own[0]?.id, mine: null, db: database, charset: 'latin1' }])
      t.match(await outcomeOf(connection.query('update customers set name = name')), { errno: 1792 })
    }
    t.match(
      seen.entries.filter(({ command }) => command === 'CHANGE_USER'),
      [{ detail: 'anyone', database: 'billing' }, { database: 'orders' }],
    )
    t.notOk(
      seen.entries.some(({ sql }) => /READ ONLY|COLLATIONS|SET NAMES/.test(String(sql))),
      'what the broker asked is not on record as the client’s',
    )
  })

  t.test('CHANGE_USER to another user, and to a database that the level does not cover', async (t) => {
    control.route = { databases: ['orders'] }
    const connection = await engine.connect(t)
    for (let i = 0; i < 3; i += 1)
      t.match(await outcomeOf(connection.changeUser({ user: 'bob', password: 'local' })), {
        errno: 1045,
        sqlState: '28000',
        message: /connect again/,
      })
    t.match(await outcomeOf(connection.changeUser({ user: 'anyone', database: 'billing' })), { errno: 1044 })
    await waitUntil(() => seen.unidentified.length > 0, 'it is in the log')
    t.same(seen.unidentified, ['GRANT_DENIED'], 'once')
    t.match(seen.entries, Array(4).fill({ command: 'CHANGE_USER', refused: true }))
    const again = outcomeOf(connection.query('select database() as db'))
    t.match(await again, [[{ db: 'orders' }]], 'the session stays as it was')
  })

  t.test('a client that leaves amid CHANGE_USER, and a cut there', async (t) => {
    for (const [i, how] of (['leaves', 'is cut'] as const).entries()) {
      const socket = connect({ host: '127.0.0.1', port: engine.port })
      t.teardown(() => socket.destroy())
      const packets = new Packets(socket)
      await packets.next()
      socket.write(packet(1, login({ database: 'orders', answer: Buffer.alloc(32, 1) })))
      await packets.next()
      await packets.next()
      socket.write(packet(0, Buffer.from('\x11anyone\0\0\0')))
      t.match((await packets.next()).payload.toString('latin1'), /^\xfecaching_sha2_password\0/)
      if (how === 'leaves') socket.end()
      else {
        await engine.cut()
        const { sequence, payload } = await packets.next()
        t.match({ sequence, ...errorOf(payload) }, { sequence: 2, number: 1053, text: /incident 42/ })
      }
      await engine.ended(i + 1)
      t.match(seen.ends.at(-1), { reason: how === 'leaves' ? 'client-closed' : 'grant-revoked' })
      t.match(seen.entries.at(-1), { command: 'CHANGE_USER', unfinished: true })
    }
  })

  t.test('what is sent behind the proof of CHANGE_USER waits for the limits of the level', async (t) => {
    control.route = { readOnly: true, statementTimeoutMs: 300 }
    const session = await openSession(t, engine.port)
    session.send(command(0x11, Buffer.from('anyone\0\0\0')))
    t.equal((await session.packets.next()).payload[0], 0xfe)
    session.send(
      packet(2, Buffer.alloc(32, 1)),
      query('update customers set name = name'),
      query('select @@max_statement_time'),
    )
    t.same((await session.packets.next()).payload, Buffer.from([1, 3]))
    const renewed = await session.packets.next()
    t.same([renewed.sequence, renewed.payload[0]], [4, 0], renewed.payload.toString('latin1'))
    t.match(errorOf((await session.packets.next()).payload), { number: 1792, state: '25006' })
    t.same((await readRows(session))[3], Buffer.from('\x080.300000'))
    session.socket.destroy()
    await engine.ended(1)
    t.match(seen.entries, [{ command: 'CHANGE_USER' }, { sql: /^update/ }, { sql: /^select/ }])
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
