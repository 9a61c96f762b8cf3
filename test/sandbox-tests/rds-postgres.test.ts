import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { connect as connectPlain } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { promisify } from 'node:util'
import pg from 'pg'
import t from 'tap'
import { createAuthority } from '../sandbox/certificates.ts'
import { allow, region } from '../sandbox/default-world.ts'
import { skipWithout } from '../sandbox/programs.ts'
import { startSandbox } from '../sandbox/sandbox.ts'
import { waitUntil } from '../wait-until.ts'
import { signedToken, type TokenAsk } from './rds-tokens.ts'

const execute = promisify(execFile)
const sandbox = await startSandbox()
t.teardown(() => sandbox.close())
const { orders, billing } = sandbox.databases

const token = ({ host = orders.endpoint.host, ...ask }: Partial<TokenAsk> = {}) =>
  signedToken(sandbox.aws.url, { host, port: 5432, ...ask })

interface Login {
  readonly user?: string
  readonly database?: string
  readonly password: string
  readonly tls?: boolean
}

function login({ user = 'sallyport_ro', database = 'orders', password, tls = true }: Login): pg.Client {
  const client = new pg.Client({
    host: '127.0.0.1',
    port: orders.listenPort,
    user,
    database,
    password,
    application_name: 'test',
    ssl: tls ? { ca: sandbox.authority.cert, servername: orders.endpoint.host } : false,
  })
  client.on('error', () => {})
  return client
}

t.test('a token of the real signer opens a session on the real server', async (t) => {
  const client = login({ password: await token() })
  await client.connect()
  t.strictSame((await client.query('select current_user, count(*)::int from orders group by 1')).rows, [
    { current_user: 'sallyport_ro', count: 600 },
  ])
  await t.rejects(client.query("insert into customers values (9999, 'x', 'x', 'x', now())"), { code: '42501' })
  t.equal(orders.open, 1)
  await client.end()
  const last = orders.logins.at(-1)
  t.match(last, { accepted: true, user: 'sallyport_ro', database: 'orders', applicationName: 'test' })
  t.equal(last?.caller?.arn, 'arn:aws:sts::111122223333:assumed-role/SallyportConnect/alice')
})

t.test('a session policy for one user is enough for that user and no other', async (t) => {
  const one = allow(
    'rds-db:connect',
    `arn:aws:rds-db:${region}:111122223333:dbuser:${orders.endpoint.resourceId}/sallyport_ro`,
  )
  const client = login({ password: await token({ policy: one }) })
  await client.connect()
  await client.end()
  const other = login({ user: 'sallyport_rw', password: await token({ user: 'sallyport_rw', policy: one }) })
  await t.rejects(other.connect(), { code: '28000', message: 'PAM authentication failed for user "sallyport_rw"' })
  t.match(orders.logins.at(-1)?.reason, /may not rds-db:connect on .*sallyport_rw: the session policy/)
})

t.test('every wrong token looks the same to the client, and the reason is known here', async (t) => {
  const good = await token()
  const cases: [string, Login, RegExp][] = [
    ['no token', { password: 'hunter2' }, /not a token/],
    ['another endpoint', { password: await token({ host: billing.endpoint.host }) }, /the token is for billing/],
    ['another user', { user: 'sallyport_rw', password: good }, /for the user sallyport_ro/],
    ['a broken signature', { password: good.replace(/X-Amz-Signature=./, 'X-Amz-Signature=x') }, /signature/],
    ['cut short', { password: good.slice(0, -1) }, /host|signature/],
  ]
  for (const [name, ask, reason] of cases) {
    const expected = { code: '28000', message: `PAM authentication failed for user "${ask.user ?? 'sallyport_ro'}"` }
    await t.rejects(login(ask).connect(), expected, name)
    t.match(orders.logins.at(-1)?.reason, reason, name)
  }
  await t.rejects(login({ user: 'app', password: good }).connect(), {
    code: '28P01',
    message: 'password authentication failed for user "app"',
  })
  t.equal(orders.logins.at(-1)?.accepted, false)
})

t.test('a token is 15 minutes old at most, and not from the future', async (t) => {
  const password = await token()
  sandbox.clock.advance(901_000)
  t.teardown(() => sandbox.clock.advance(901_000))
  await t.rejects(login({ password }).connect(), { code: '28000' })
  t.match(orders.logins.at(-1)?.reason, /expired/)
  sandbox.clock.advance(-2 * 901_000)
  await t.rejects(login({ password }).connect(), { code: '28000' })
  t.match(orders.logins.at(-1)?.reason, /future/)
})

t.test('plaintext is refused as pg_hba does', async (t) => {
  await t.rejects(login({ password: await token(), tls: false }).connect(), {
    code: '28000',
    message: 'no pg_hba.conf entry for host "127.0.0.1", user "sallyport_ro", database "orders", no encryption',
  })
})

t.test('the certificate is for the endpoint name, from the sandbox’s authority', async (t) => {
  const attempt = (ssl: { ca: string; servername: string }) => {
    const client = new pg.Client({ host: '127.0.0.1', port: orders.listenPort, user: 'x', password: 'x', ssl })
    return client.connect()
  }
  const own = { ca: sandbox.authority.cert, servername: orders.endpoint.host }
  await t.rejects(attempt({ ...own, servername: billing.endpoint.host }), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
  orders.faults.certificate(createAuthority().issue([orders.endpoint.host]))
  await t.rejects(attempt(own), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })
  await orders.faults.clear()
})

t.test('CancelRequest reaches the real server', async (t) => {
  const client = login({ password: await token() })
  await client.connect()
  t.teardown(() => client.end())
  const before = orders.cancels
  const slow = t.rejects(client.query('select pg_sleep(30)'), { code: '57014' })
  await running('pg_sleep(30)')
  const { processID, secretKey } = client as unknown as { processID: number; secretKey: number }
  const request = Buffer.alloc(16)
  for (const [index, value] of [16, 80877102, processID, secretKey].entries()) request.writeInt32BE(value, index * 4)
  const socket = connectPlain(orders.listenPort, '127.0.0.1')
  socket.end(request)
  await once(socket.resume(), 'close')
  await slow
  t.equal(orders.cancels, before + 1)
})

t.test('psql, through libpq', { skip: skipWithout('psql') }, async (t) => {
  const env = {
    ...process.env,
    PGPASSWORD: await token(),
    PGSSLMODE: 'verify-full',
    PGSSLROOTCERT: sandbox.caFile,
    PGHOST: orders.endpoint.host,
    PGHOSTADDR: '127.0.0.1',
    PGPORT: String(orders.listenPort),
    PGUSER: 'sallyport_ro',
  }
  const { stdout } = await execute('psql', ['-AtX', '-d', 'orders', '-c', 'select count(*) from customers'], { env })
  t.equal(stdout, '200\n')
  const refused = execute('psql', ['-X', '-d', 'orders', '-c', ''], { env: { ...env, PGPASSWORD: 'wrong' } })
  await t.rejects(refused, /FATAL: {2}PAM authentication failed for user "sallyport_ro"/)
})

t.test('faults: refuse, md5, plaintext, drop, down', async (t) => {
  const password = await token()
  orders.faults.refuse(true)
  await t.rejects(login({ password }).connect(), { code: '28000' })
  orders.faults.refuse(false)
  orders.faults.md5(true)
  await t.rejects(login({ password }).connect(), { code: '28P01' })
  orders.faults.md5(false)
  orders.faults.plaintext(true)
  await t.rejects(login({ password }).connect(), /does not support SSL/)
  orders.faults.plaintext(false)
  const client = login({ password })
  await client.connect()
  client.on('error', () => {}) // that it was lost is what is asked for
  const ended = new Promise((resolve) => client.once('end', resolve))
  t.equal(orders.faults.dropSessions(), 1)
  await ended
  await orders.faults.down(true)
  await t.rejects(login({ password }).connect(), { code: 'ECONNREFUSED' })
  await orders.faults.clear()
  const again = login({ password })
  await again.connect()
  await again.end()
})

t.test('whoever breaks the protocol is left, and nothing stays', async (t) => {
  const ssl = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f])
  const cases: [string, Buffer][] = [
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['a startup packet of 2 GB', Buffer.from([0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 0])],
    ['length 0', Buffer.alloc(8)],
    ['bytes after SSLRequest', Buffer.concat([ssl, ssl])],
    ['protocol 2', Buffer.from([0, 0, 0, 8, 0, 2, 0, 0])],
    ['half a packet', ssl.subarray(0, 5)],
  ]
  for (const [name, bytes] of cases) {
    const socket = connectPlain(orders.listenPort, '127.0.0.1')
    const got: Buffer[] = []
    socket.on('data', (chunk: Buffer) => got.push(chunk)).on('error', () => {})
    socket[name === 'half a packet' ? 'end' : 'write'](bytes)
    await once(socket, 'close')
    t.notMatch(Buffer.concat(got).toString('latin1'), /R/, name)
  }
  const plain = connectPlain(orders.listenPort, '127.0.0.1')
  plain.write(ssl)
  t.equal(String((await once(plain, 'data'))[0]), 'S')
  const secure = connectTls({ socket: plain, ca: sandbox.authority.cert, servername: orders.endpoint.host })
  secure.on('error', () => {})
  await once(secure, 'secureConnect')
  secure.write(ssl)
  await once(secure, 'close')
  t.equal(orders.open, 0)
})

t.test('the two endpoints are told apart, whatever server is behind them', async (t) => {
  const client = new pg.Client({
    host: '127.0.0.1',
    port: billing.listenPort,
    user: 'sallyport_ro',
    database: 'billing',
    password: await token({ host: billing.endpoint.host }),
    ssl: { ca: sandbox.authority.cert, servername: billing.endpoint.host },
  })
  await client.connect()
  t.equal((await client.query('select count(*)::int as n from invoices')).rows[0].n, 300)
  await client.end()
})

async function running(text: string): Promise<void> {
  const sql = "select 1 from pg_stat_activity where state = 'active' and query like $1 and pid <> pg_backend_pid()"
  const count = async () => (await sandbox.postgres.query('postgres', sql, [`%${text}%`])).rowCount ?? 0
  await waitUntil(async () => (await count()) > 0, `${text} runs`)
}
