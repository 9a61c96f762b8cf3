import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { connect as connectPlain } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { promisify } from 'node:util'
import { type Connection, type ConnectionOptions, createConnection, type RowDataPacket } from 'mysql2/promise'
import t from 'tap'
import { createAuthority } from '../sandbox/certificates.ts'
import { greetings } from '../sandbox/mysql/greetings.ts'
import { skipWithoutMariaDb, startMariaDb } from '../sandbox/mysql/mariadb.ts'
import { pythonWith, skipWithout, skipWithoutPython } from '../sandbox/programs.ts'
import { mysqlOf, startSandbox } from '../sandbox/sandbox.ts'
import { waitUntil } from '../wait-until.ts'
import { rawTls, responsePacket, sslRequest } from './mysql-raw.ts'
import { signedToken, type TokenAsk } from './rds-tokens.ts'

const absent = skipWithoutMariaDb()
if (absent) t.plan(0, absent)
else await testDouble()

async function testDouble(): Promise<void> {
  const execute = promisify(execFile)
  const sandbox = await startSandbox({ mysql: {} })
  t.teardown(() => sandbox.close())
  const { mariadb, shop } = mysqlOf(sandbox)

  const token = ({ host = shop.endpoint.host, port = 3306, ...ask }: Partial<TokenAsk> = {}) =>
    signedToken(sandbox.aws.url, { host, port, ...ask })

  /** mysql2, which sends a password in clear text only if it is told to, and checks the endpoint's name. */
  function login(options: ConnectionOptions): Promise<Connection> {
    return createConnection({
      host: shop.endpoint.host,
      stream: () => connectPlain(shop.listenPort, '127.0.0.1'),
      user: 'sallyport_ro',
      database: 'orders',
      enableCleartextPlugin: true,
      ssl: { ca: sandbox.authority.cert, verifyIdentity: true },
      connectTimeout: 5_000,
      ...options,
    })
  }

  async function rowsOf(connection: Connection, sql: string, values: (string | number)[] = []) {
    const [rows] = await connection.query<RowDataPacket[]>(sql, values)
    return rows.map((row) => ({ ...row }))
  }

  const denied = (user = 'sallyport_ro') => ({
    code: 'ER_ACCESS_DENIED_ERROR',
    message: `Access denied for user '${user}'@'127.0.0.1' (using password: YES)`,
  })

  t.test('a token of the real signer opens a session on the real server', async (t) => {
    const connection = await login({ password: await token(), connectAttributes: { program_name: 'test' } })
    t.strictSame(await rowsOf(connection, 'select current_user() as who, count(*) as n from orders'), [
      { who: 'sallyport_ro@%', n: 600 },
    ])
    const [rows] = await connection.execute<RowDataPacket[]>('select name from customers where id = ?', [17])
    t.strictSame([...rows], [{ name: 'Rosa Almeida' }])
    await t.rejects(connection.query('insert into customers values (9999, ?, ?, ?, now())', ['x', 'x', 'x']), {
      code: 'ER_TABLEACCESS_DENIED_ERROR',
    })
    t.equal(shop.open, 1)
    const seen = await mariadb.query(
      `select attr_value as v from performance_schema.session_connect_attrs where processlist_id = ? and attr_name = 'program_name'`,
      [connection.threadId],
    )
    t.strictSame(seen, [{ v: 'test' }], 'the attributes reach the server, and the thread id is its own')
    await connection.end()
    const last = shop.logins.at(-1)
    t.match(last, { accepted: true, user: 'sallyport_ro', database: 'orders', isTls: true, charset: 224 })
    t.equal(last?.attributes.get('program_name'), 'test')
    t.equal(last?.caller?.arn, 'arn:aws:sts::111122223333:assumed-role/SallyportConnect/alice')
  })

  t.test('every wrong token looks the same to the client, and the reason is known here', async (t) => {
    const good = await token()
    const cases: [string, ConnectionOptions, RegExp][] = [
      ['no token', { password: 'hunter2' }, /not a token/],
      ['an empty password', { password: '' }, /not a token/],
      ['another endpoint', { password: await token({ host: 'billing.example.com' }) }, /the token is for billing/],
      ['the port of PostgreSQL', { password: await token({ port: 5432 }) }, /the token is for .*:5432/],
      ['another user', { user: 'sallyport_rw', password: good }, /for the user sallyport_ro/],
      ['a broken signature', { password: good.replace(/X-Amz-Signature=./, 'X-Amz-Signature=x') }, /signature/],
      ['cut short', { password: good.slice(0, -1) }, /host|signature/],
      ['a user with a password', { user: 'app', password: good }, /no user of AWSAuthenticationPlugin/],
      ['that user’s password', { user: 'app', password: mariadb.password }, /no user of AWSAuthenticationPlugin/],
      ['an unknown user', { user: 'nobody', password: good }, /no user of AWSAuthenticationPlugin/],
    ]
    for (const [name, options, reason] of cases) {
      await t.rejects(login(options), denied(options.user), name)
      t.match(shop.logins.at(-1)?.reason, reason, name)
      t.equal(shop.logins.at(-1)?.accepted, false, name)
    }
    t.equal(shop.open, 0)
  })

  t.test('a token is 15 minutes old at most, and not from the future', async (t) => {
    const password = await token()
    sandbox.clock.advance(901_000)
    t.teardown(() => sandbox.clock.advance(901_000))
    await t.rejects(login({ password }), denied())
    t.match(shop.logins.at(-1)?.reason, /expired/)
    sandbox.clock.advance(-2 * 901_000)
    await t.rejects(login({ password }), denied())
    t.match(shop.logins.at(-1)?.reason, /future/)
  })

  t.test('plaintext is refused without asking for the token', async (t) => {
    const plain = await token()
    const connection = createConnection({
      host: '127.0.0.1',
      port: shop.listenPort,
      user: 'sallyport_ro',
      password: plain,
      enableCleartextPlugin: true,
    })
    await t.rejects(connection, denied())
    t.match(shop.logins.at(-1), { reason: 'no TLS', isTls: false })
    t.notMatch(shop.logins.at(-1)?.answer.toString('latin1'), /X-Amz/)
  })

  t.test('a first response that names mysql_clear_password is the answer, be it empty', async (t) => {
    const own = { ca: sandbox.authority.cert, servername: shop.endpoint.host }
    const secure = await rawTls(shop.listenPort, own)
    secure.write(responsePacket(2, 'sallyport_ro', '', 'mysql_clear_password'))
    const [answer] = (await once(secure, 'data')) as [Buffer]
    t.equal(answer[3], 3)
    t.equal(answer.readUInt16LE(5), 1045)
    t.match(answer.toString('latin1', 7), /^#28000Access denied/)
    t.match(shop.logins.at(-1)?.reason, /not a token/)
  })

  t.test('SSLRequest and ClientHello in one segment', async (t) => {
    const before = shop.connections
    const socket = connectPlain(shop.listenPort, '127.0.0.1')
    await once(socket, 'readable')
    socket.read()
    socket.cork()
    socket.write(sslRequest)
    const secure = connectTls({ socket, ca: sandbox.authority.cert, servername: shop.endpoint.host })
    process.nextTick(() => socket.uncork())
    await once(secure, 'secureConnect')
    t.ok(secure.authorized)
    secure.destroy()
    t.equal(shop.connections, before + 1)
  })

  t.test('the certificate is for the endpoint name, from the sandbox’s authority', async (t) => {
    shop.faults.certificate(createAuthority().issue([shop.endpoint.host]))
    const password = await token()
    await t.rejects(login({ password }), { code: 'HANDSHAKE_SSL_ERROR' })
    shop.faults.certificate(sandbox.authority.issue(['other.example.com']))
    await t.rejects(login({ password }), /altnames|HANDSHAKE_SSL_ERROR/)
    await shop.faults.clear()
  })

  t.test('KILL QUERY with the thread id of the greeting reaches the real server', async (t) => {
    const connection = await login({ password: await token() })
    t.teardown(() => connection.end())
    const slow = connection.query('select sleep(30)')
    await running('select sleep(30)')
    const other = await login({ password: await token() })
    await other.query(`KILL QUERY ${connection.threadId}`)
    await t.rejects(slow, { code: 'ER_QUERY_INTERRUPTED' })
    await other.end()
  })

  const cli = ['--no-defaults', '-h', '127.0.0.1', '-P', String(shop.listenPort), `--ssl-ca=${sandbox.caFile}`]

  const mariadbCli = (password: string, ...args: string[]) =>
    execute('mariadb', [...cli, '-u', 'sallyport_ro', ...args], { env: { ...process.env, MYSQL_PWD: password } })

  t.test('the mariadb client, with --ssl-ca and nothing else', { skip: skipWithout('mariadb') }, async (t) => {
    const { stdout } = await mariadbCli(await token(), '-N', '-e', 'select count(*) from customers', 'orders')
    t.equal(stdout, '200\n')
    await t.rejects(
      mariadbCli('wrong', '-e', 'select 1'),
      /ERROR 1045 \(28000\): Access denied for user 'sallyport_ro'@'127.0.0.1'/,
    )
    await t.rejects(
      mariadbCli(await token(), '-e', 'select 1', 'absent'),
      /ERROR 1044 \(42000\): Access denied for user 'sallyport_ro'@'%' to database 'absent'/,
      'what the real server says of the database arrives in order',
    )
    await t.rejects(
      execute('mariadb', [...cli, '--skip-ssl', '-u', 'sallyport_ro', '-e', ''], {
        env: { ...process.env, MYSQL_PWD: await token() },
      }),
      /ERROR 1045/,
    )
  })

  t.test('PyMySQL', { skip: skipWithoutPython('pymysql') }, async (t) => {
    const script = `
import os, socket, pymysql
connection = pymysql.connect(host=os.environ['HOST'], user='sallyport_ro', password=os.environ['TOKEN'], database='orders',
    ssl={'ca': os.environ['CA'], 'check_hostname': True}, defer_connect=True)
connection.connect(socket.create_connection(('127.0.0.1', int(os.environ['PORT']))))
with connection.cursor() as cursor:
    cursor.execute('select count(*), max(total) from orders where status = %s', ('paid',))
    print(cursor.fetchone())
`
    const run = (password: string) =>
      execute(pythonWith('pymysql') ?? '', ['-c', script], {
        env: { HOST: shop.endpoint.host, PORT: String(shop.listenPort), CA: sandbox.caFile, TOKEN: password },
      })
    const { stdout } = await run(await token())
    t.match(stdout, /^\(\d+, Decimal\('[\d.]+'\)\)/)
    t.match(shop.logins.at(-1), { accepted: true, charset: 45 })
    await t.rejects(run('wrong'), /1045, "Access denied for user 'sallyport_ro'/)
  })

  t.test('faults of the greeting and the sign-in', async (t) => {
    const password = await token()
    const { faults } = shop
    t.teardown(() => faults.clear())
    faults.refuse(true)
    await t.rejects(login({ password }), denied())
    faults.refuse(false)
    faults.refuseGreeting({ code: 1040, sqlState: null, text: 'Too many connections' })
    await t.rejects(login({ password }), { code: 'ER_CON_COUNT_ERROR' })
    faults.refuseGreeting(null)
    faults.plaintext(true)
    await t.rejects(login({ password }), /does not support secure connection/)
    faults.plaintext(false)
    faults.plugin('mysql_native_password')
    await t.rejects(login({ password }), denied())
    t.match(shop.logins.at(-1)?.answer, { length: 20 }, 'a hash, and no token')
    faults.plugin(null)
    faults.switchData(Buffer.from(`${'x'.repeat(20)}\0`))
    await (await login({ password })).end()
    for (const where of ['greeting', 'tls', 'login'] as const) {
      faults.hang(where)
      await t.rejects(login({ password, connectTimeout: 300 }), { code: 'ETIMEDOUT' }, where)
    }
  })

  t.test('the greeting of a MySQL server', { skip: skipWithout('mariadb') }, async (t) => {
    t.teardown(() => shop.faults.clear())
    for (const [name, greeting] of Object.entries(greetings)) {
      shop.faults.greeting(greeting)
      const socket = connectPlain(shop.listenPort, '127.0.0.1')
      const [bytes] = (await once(socket, 'data')) as [Buffer]
      socket.destroy()
      const version = bytes.toString('latin1', 5, bytes.indexOf(0, 5))
      t.equal(version, greeting.version, name)
      t.ok(bytes.includes(greeting.plugin), name)
      const { stdout } = await mariadbCli(await token(), '-N', '-e', 'select 1')
      t.equal(stdout, '1\n', name)
    }
  })

  t.test('no MariaDB serves a client that takes up what only MySQL has', async (t) => {
    t.teardown(() => shop.faults.clear())
    shop.faults.greeting(greetings.mysql80)
    await t.rejects(
      login({ password: await token() }),
      { code: 'PROTOCOL_CONNECTION_LOST' },
      'mysql2: query attributes',
    )
    t.equal((shop.logins.at(-1)?.capabilities ?? 0) & 0x800_0000, 0x800_0000)
  })

  t.test('faults of a session: dropped, dead in mid-result, silent, down', async (t) => {
    const password = await token()
    const { faults } = shop
    t.teardown(() => faults.clear())
    const dropped = await login({ password })
    t.equal(faults.dropSessions(), 1)
    await t.rejects(dropped.query('select 1'), /closed/)
    const dying = await login({ password })
    faults.dieAfter(50_000)
    await t.rejects(dying.query('select * from samples.counted'), { code: 'PROTOCOL_CONNECTION_LOST' })
    faults.dieAfter(null)
    const silent = await login({ password })
    faults.hang('session')
    await t.rejects(silent.query({ sql: 'select 1', timeout: 200 }), { code: 'PROTOCOL_SEQUENCE_TIMEOUT' })
    faults.hang(null)
    silent.destroy()
    await waitUntil(() => shop.open === 0, 'all sessions are gone')
    await faults.down(true)
    await t.rejects(login({ password }), { code: 'ECONNREFUSED' })
    await faults.clear()
    await (await login({ password })).end()
  })

  t.test('a failover: the same server as a reader, then another one', async (t) => {
    t.teardown(() => shop.faults.clear())
    const write = 'insert into samples.files (name) values (?)'
    const writer = await login({ user: 'sallyport_rw', password: await token({ user: 'sallyport_rw' }) })
    await writer.query(write, ['before'])
    await shop.faults.readOnly(true)
    await t.rejects(writer.query(write, ['after']), { code: 'ER_OPTION_PREVENTS_STATEMENT' })
    const other = await startMariaDb({ settings: ['innodb-read-only=ON'] })
    t.teardown(() => other.close())
    shop.faults.behind(other)
    const reader = await login({ password: await token() })
    t.strictSame(await rowsOf(reader, 'select @@innodb_read_only as it'), [{ it: 1 }])
    t.strictSame(await rowsOf(reader, 'select count(*) as n from orders'), [{ n: 600 }])
    await writer.end()
    await reader.end()
  })

  t.test('a hostile server asks for a file, and shows what it was sent', async (t) => {
    t.teardown(() => shop.faults.clear())
    shop.faults.askForFile('/etc/passwd')
    const connection = await login({ password: await token() })
    await t.rejects(connection.query('select 1'), /infileStreamFactory|LOCAL/i)
    t.strictSame(shop.faults.filesGot, [])
    connection.destroy()
  })

  t.test('a client that violates the protocol is left, and nothing stays', async (t) => {
    const cases: [string, Buffer][] = [
      ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
      ['a packet of 16 MB', Buffer.from([0xff, 0xff, 0xff, 1, 0, 0])],
      ['an empty packet', Buffer.from([0, 0, 0, 1])],
      ['packet 0', Buffer.concat([Buffer.from([32, 0, 0, 0]), sslRequest.subarray(4)])],
      ['a short response without TLS', Buffer.concat([sslRequest.subarray(0, 4), Buffer.alloc(32)])],
    ]
    for (const [name, bytes] of cases) {
      const socket = connectPlain(shop.listenPort, '127.0.0.1')
      await once(socket, 'data')
      const got: Buffer[] = []
      socket.on('data', (chunk: Buffer) => got.push(chunk)).on('error', () => {})
      socket.write(bytes)
      await once(socket, 'close')
      t.equal(Buffer.concat(got).length, 0, name)
    }
    t.equal(shop.open, 0)
  })

  async function running(text: string): Promise<void> {
    const sql = 'select 1 from information_schema.processlist where info = ?'
    await waitUntil(async () => (await mariadb.query(sql, [text])).length > 0, `${text} runs`)
  }
}
