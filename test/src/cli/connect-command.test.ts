/** `connect` and `psql` as programs of their own, with real clients, against a broker that is played. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import t, { type Test } from 'tap'
import { type FakeBroker, startFakeBroker } from '../../proxy/local/fake-broker.ts'
import { freePort } from '../../sandbox/ports.ts'
import { skipWithout } from '../../sandbox/programs.ts'
import { waitUntil } from '../../wait-until.ts'
import { openTerminal, type Terminal } from './run-cli.ts'

// Commands run as processes of their own, which takes long on a busy machine.
t.setTimeout(480_000)

const withPsql = { skip: skipWithout('psql') }

const orders = 'rds-postgres/111122223333/eu-west-1/orders'
const ledger = 'rds-postgres/111122223333/eu-west-1/ledger'
const bearer = 'spa_bearer-of-alice'
const endsAt = Date.now() + 3_600_000
const grant = { id: 'grt_1', level: 'readonly', endsAt }
const hint = 'request it: sallyport request orders --level readonly --for 1h --reason "…"'
const denial = {
  sqlstate: '28000',
  code: 'GRANT_DENIED',
  message: `access was not granted: you hold no grant for ${orders}`,
  hint,
}

interface Setting {
  readonly broker: FakeBroker
  readonly terminal: Terminal
  /** The live grants on orders, as the broker lists them. */
  hold(...grants: readonly (typeof grant)[]): void
}

async function open(t: Test, env: NodeJS.ProcessEnv = {}): Promise<Setting> {
  const broker = await startFakeBroker(t)
  let grants: readonly (typeof grant)[] = [grant]
  broker.routes.set('GET /api/v1/resources', () => ({
    status: 200,
    body: {
      next: null,
      items: [
        {
          id: orders,
          kind: 'rds-postgres',
          protocol: 'postgres',
          name: 'orders',
          database: 'shop',
          levels: ['readonly'],
          grants,
        },
        {
          id: ledger,
          kind: 'rds-postgres',
          protocol: 'postgres',
          name: 'ledger',
          database: null,
          levels: ['readonly'],
          grants: [grant],
        },
      ],
    },
  }))
  const terminal = openTerminal(t, null, { SALLYPORT_SERVER: broker.url, SALLYPORT_TOKEN: bearer, ...env })
  return {
    broker,
    terminal,
    hold: (...held) => {
      grants = held
    },
  }
}

interface Printed {
  readonly resource: string
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
}

/** Starts `connect … --json` and waits until its ports listen. */
async function connect(t: Test, terminal: Terminal, ...args: string[]) {
  const { child, ended } = terminal.launch(['connect', ...args, '--json'])
  let text = ''
  child.stdout?.on('data', (chunk) => {
    text += chunk
  })
  await waitUntil(() => text.endsWith('\n') || child.exitCode !== null, 'it listens')
  const { connections: printed, ...first } = JSON.parse(text) as Printed & { connections: readonly Printed[] }
  t.equal(text.split('\n').length, 2, 'one line')
  t.same(first, printed[0])
  t.teardown(() => child.kill())
  return { printed, child, ended }
}

function clientOf(t: Test, { host, port, user, password, database }: Printed, more: pg.ClientConfig = {}): pg.Client {
  const client = new pg.Client({ host, port, user, password, database, ...more })
  client.on('error', () => {})
  t.teardown(() => client.end().catch(() => {}))
  return client
}

/** Arguments of every process on this machine that may be read. */
async function commandLines(): Promise<string> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const lines = await Promise.all(ids.map((id) => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')))
  return lines.join('\n')
}

t.test('connect --json prints how to reach each resource, and clients get in until Ctrl-C', async (t) => {
  const { broker, terminal } = await open(t)
  const { printed, child, ended } = await connect(t, terminal, 'orders', 'ledger')
  const [first, second] = printed
  if (!first || !second) throw new Error('two connections')
  t.match(first, {
    resource: orders,
    level: 'readonly',
    endsAt,
    host: '127.0.0.1',
    user: 'sallyport',
    database: 'shop',
  })
  t.match(second, { resource: ledger, database: 'postgres' })
  t.match(first.password, /^[\w-]{43}$/)
  for (const how of printed) {
    const client = clientOf(t, how)
    await client.connect()
    t.same((await client.query(`row ${how.database}`)).rows, [{ c: how.database }])
    await client.end()
  }
  t.match(broker.asked, [
    { query: { resource: orders, level: 'readonly' }, authorization: `Bearer ${bearer}` },
    { query: { resource: ledger, level: 'readonly' } },
  ])
  const lines = await commandLines()
  for (const secret of [first.password, bearer]) t.notMatch(lines, secret)
  t.notMatch(JSON.stringify(broker.asked.map(({ query }) => query)), bearer)
  child.kill('SIGINT')
  const ran = await ended
  t.equal(ran.code, 0)
  t.equal(ran.stderr, 'Press Ctrl-C to stop.\n')
})

t.test('a wrong password of a client is told to both, and reaches nobody', async (t) => {
  const { broker, terminal } = await open(t)
  const { printed, child, ended } = await connect(t, terminal, 'orders')
  const [how] = printed
  if (!how) throw new Error('one connection')
  await t.rejects(clientOf(t, { ...how, password: 'guess' }).connect(), { code: '28P01' })
  child.kill('SIGTERM')
  t.match(await ended, { code: 0, stderr: /orders: a client was refused: password authentication failed/ })
  t.equal(broker.asked.length, 0)
})

t.test('without a known grant the broker is asked, and its denial ends the command with 4', async (t) => {
  const { broker, terminal, hold } = await open(t)
  hold()
  broker.deny = denial
  const ran = await terminal.run('connect', 'orders')
  t.same(ran, { code: 4, stdout: '', stderr: `sallyport: ${denial.message}\n  ${hint}\n` })
  t.match(broker.asked, [{ query: { resource: orders, tool: 'sallyport connect' } }])
  t.notOk('level' in (broker.asked[0]?.query ?? {}), 'the level is the broker’s to say')
  broker.deny = { sqlstate: '28000', code: 'RESOURCE_UNKNOWN', message: 'no such resource' }
  t.match(await terminal.run('connect', 'nothing'), { code: 1, stderr: 'sallyport: no such resource\n' })
  t.equal(broker.asked[1]?.query.resource, 'nothing', 'unknown names are the broker’s to refuse')
})

t.test('a grant that ends is told on stderr, with the reason of the cut, and the command exits 4', async (t) => {
  const { terminal, hold } = await open(t)
  const { printed, ended } = await connect(t, terminal, 'orders')
  const [how] = printed
  if (!how) throw new Error('one connection')
  const client = clientOf(t, how)
  await client.connect()
  hold()
  await t.rejects(client.query('cut grant-revoked'), { code: '57P01', message: /revoked by bob/ })
  const ran = await ended
  t.equal(ran.code, 4)
  t.match(ran.stderr, 'a session on orders was cut: access was revoked')
  t.match(ran.stderr, 'the grant on orders ended: access was revoked')
})

t.test('a session that was killed leaves the port open: the grant goes on', async (t) => {
  const { terminal } = await open(t)
  const { printed, child, ended } = await connect(t, terminal, 'orders')
  const [how] = printed
  if (!how) throw new Error('one connection')
  const client = clientOf(t, how)
  await client.connect()
  await t.rejects(client.query('cut killed'))
  const next = clientOf(t, how)
  await next.connect()
  t.same((await next.query('row again')).rows, [{ c: 'again' }])
  child.kill('SIGINT')
  t.match(await ended, { code: 0, stderr: /cut: an administrator ended the session/ })
})

t.test('--print says it in the form asked for; --no-password is told to the broker', async (t) => {
  const { broker, terminal } = await open(t)
  const port = await freePort()
  const { ended, child } = await terminal.start(
    ['connect', 'orders', '--port', String(port), '--print', 'url', '--no-password'],
    /Press Ctrl-C to stop/,
  )
  const client = new pg.Client({ connectionString: `postgresql://sallyport@127.0.0.1:${port}/shop?sslmode=disable` })
  await client.connect()
  await client.end()
  t.equal(broker.asked[0]?.query.no_password, '1')
  child.kill('SIGINT')
  const ran = await ended
  t.equal(ran.stdout, `postgresql://sallyport@127.0.0.1:${port}/shop?sslmode=disable\n`)
})

t.test('a port in use is named, and so are options that exclude each other', async (t) => {
  const { terminal } = await open(t)
  const squatter = createServer().listen(0, '127.0.0.1')
  t.teardown(() => squatter.close())
  await once(squatter, 'listening')
  const { port } = squatter.address() as { port: number }
  t.match(await terminal.run('connect', 'orders', '--port', String(port)), {
    code: 1,
    stderr: `sallyport: port ${port} on 127.0.0.1 is in use\n  choose another with --port, or omit`,
  })
  for (const args of [
    ['--no-password', '--socket'],
    ['--json', '--print', 'url'],
    ['--port', '0'],
    ['--for', '1h'],
    ['--print', 'xml'],
    ['--token', '--port', '1'],
  ])
    t.match(await terminal.run('connect', 'orders', ...args), { code: 2 }, args.join(' '))
})

t.test('a sign-in to another server meanwhile does not send its token to this one', async (t) => {
  const { broker, terminal } = await open(t, { SALLYPORT_SERVER: '', SALLYPORT_TOKEN: undefined })
  const path = join(terminal.home, 'login.json')
  const here = { token: 'token-of-here', name: 'alice', ca: null }
  const elsewhere = { token: 'token-of-elsewhere', name: 'alice', ca: null }
  const there = 'https://other.example.com'
  const write = (file: unknown) => writeFile(path, JSON.stringify(file), { mode: 0o600 })
  await write({ version: 1, current: broker.url, servers: { [broker.url]: here } })
  const { printed } = await connect(t, terminal, 'orders')
  const [how] = printed
  if (!how) throw new Error('one connection')
  await clientOf(t, how).connect()
  const again = { ...here, token: 'token-of-a-new-sign-in' }
  await write({ version: 1, current: there, servers: { [broker.url]: again, [there]: elsewhere } })
  await clientOf(t, how).connect()
  t.same(
    broker.asked.map(({ authorization }) => authorization),
    ['Bearer token-of-here', 'Bearer token-of-a-new-sign-in'],
  )
})

t.test('--socket needs no password; --write-pgpass lets psql find it, until the end', withPsql, async (t) => {
  const { terminal } = await open(t)
  const socket = await connect(t, terminal, 'orders', '--socket')
  t.match(socket.printed, [{ host: /sallyport-/, port: 5432, password: null }])
  const [how] = socket.printed
  if (!how) throw new Error('one connection')
  t.same(await psql(how, {}), { stdout: 'in\n', stderr: '' })
  socket.child.kill('SIGTERM')
  await socket.ended
  t.notOk(existsSync(how.host), 'the folder is gone')

  const file = join(t.testdir({}), 'pgpass')
  const withFile = await open(t, { PGPASSFILE: file })
  const { printed, child, ended } = await connect(t, withFile.terminal, 'orders', '--write-pgpass')
  await waitUntil(() => existsSync(file), 'the password is written')
  const [port] = printed
  if (!port) throw new Error('one connection')
  t.same(await psql(port, { PGPASSFILE: file }), { stdout: 'in\n', stderr: '' })
  child.kill('SIGHUP')
  t.match(await ended, { code: 0 })
  t.notOk(existsSync(file), 'the file held nothing else')
})

async function psql({ host, port, user, database }: Printed, env: Record<string, string>) {
  const settings = { PGHOST: host, PGPORT: String(port), PGUSER: user, PGDATABASE: database }
  return await promisify(execFile)('psql', ['-XAtwc', 'row in'], {
    env: { PATH: process.env.PATH, ...settings, ...env },
  })
}

t.test('not signed in is 3, and a broker that is not there is 5', async (t) => {
  const { broker, terminal } = await open(t)
  broker.routes.set('GET /api/v1/resources', () => ({ status: 401, body: { code: 'TOKEN_INVALID', detail: 'over' } }))
  for (const command of ['connect', 'psql']) t.match(await terminal.run(command, 'orders'), { code: 3, stderr: /over/ })
  const gone = openTerminal(t, null, { SALLYPORT_SERVER: 'http://127.0.0.1:1', SALLYPORT_TOKEN: bearer })
  for (const command of ['connect', 'psql'])
    t.match(await gone.run(command, 'orders'), { code: 5, stderr: /cannot reach http:\/\/127\.0\.0\.1:1/ })
})

t.test('--token prints what stock clients need for the broker’s own port', async (t) => {
  const { broker, terminal } = await open(t)
  const bodies: unknown[] = []
  const issued = { id: 'k'.repeat(16), token: 'spt_secret', resourceId: orders, level: 'readonly', expiresAt: endsAt }
  const at = { user: `t_${'k'.repeat(16)}`, host: 'access.example.com', port: 5432 }
  broker.routes.set('POST /api/v1/connect-tokens', (body) => {
    bodies.push(body)
    return { status: 201, body: { ...issued, ...at } }
  })
  const json = await terminal.run('connect', 'orders', '--token', '--for', '2h', '--json')
  t.match(json, { code: 0, stderr: '' })
  const expected = {
    ...issued,
    ...at,
    resource: orders,
    database: 'shop',
    password: 'spt_secret',
    sslmode: 'verify-full',
  }
  t.match(JSON.parse(json.stdout), expected)
  t.same(bodies, [{ resource: orders, level: 'readonly', durationMs: 7_200_000 }])
  const text = await terminal.run('connect', 'orders', '--token')
  t.match(text.stdout, /^psql 'host=access\.example\.com port=5432 dbname=shop user=t_k+ sslmode=verify-full/)
  t.match(text.stdout, '# password: export PGPASSWORD=spt_secret')
  t.match(text.stderr, /Revoke it earlier with: sallyport tokens revoke t_k+/)

  broker.routes.set('POST /api/v1/connect-tokens', () => ({
    status: 201,
    body: { ...issued, ...at, host: null, port: null },
  }))
  let revoked = 0
  broker.routes.set(`DELETE /api/v1/connect-tokens/${issued.id}`, () => {
    revoked++
    return { status: 204, body: undefined }
  })
  const none = await terminal.run('connect', 'orders', '--token')
  t.match(none, { code: 1, stdout: '', stderr: /the broker has no public port/ })
  t.equal(revoked, 1, 'no token is left that nobody can use')
  const body = { code: denial.code, detail: denial.message, hint }
  broker.routes.set('POST /api/v1/connect-tokens', () => ({ status: 403, body }))
  t.match(await terminal.run('connect', 'orders', '--token'), { code: 4, stderr: `${denial.message}\n  ${hint}\n` })
})

t.test('psql gets what it needs by its environment, and its exit code is ours', withPsql, async (t) => {
  const { broker, terminal } = await open(t, { PGHOST: 'elsewhere', PGSERVICE: 'x', PGPASSFILE: '/x' })
  t.match(await terminal.run('psql', 'orders', '--', '-XAtc', 'row hello world'), {
    code: 0,
    stdout: 'hello world\n',
    stderr: '',
  })
  t.match(broker.startups[0], { user: 'sallyport', database: 'shop', application_name: 'psql' })
  t.match(await terminal.run('psql', 'orders', '--', '-Xc', 'nonsense'), { code: 1, stderr: /no such statement/ })
  t.match(await terminal.run('psql', 'orders', '--database', 'other', '--', '-XAtc', 'row x'), { code: 0 })
  t.equal(broker.startups[2]?.database, 'other')
  t.equal(broker.asked[0]?.query.tool, 'psql')
})

t.test('a refusal of the session is shown by psql, and the exit code is 4', withPsql, async (t) => {
  const { broker, terminal, hold } = await open(t)
  hold()
  broker.deny = denial
  const ran = await terminal.run('psql', 'orders', '--', '-Xc', 'row hello')
  t.equal(ran.code, 4)
  t.match(ran.stderr, `FATAL:  ${denial.message}`)
  t.match(ran.stderr, `HINT:  ${hint}`)
  t.equal(broker.asked.length, 1, 'the broker heard of it, once')
})

t.test('what refuses the websocket decides the exit code of psql too', withPsql, async (t) => {
  const { broker, terminal } = await open(t)
  const cases = [
    { status: 401, body: JSON.stringify({ code: 'LOGIN_REQUIRED', detail: 'sign in first' }), code: 3 },
    { status: 403, body: JSON.stringify({ code: 'SCOPE_REQUIRED', detail: 'no scope' }), code: 4 },
    { status: 503, body: JSON.stringify({ code: 'DRAINING', detail: 'shutting down' }), code: 5 },
    { status: 404, body: '<html>', code: 1 },
  ]
  for (const { code, ...refuse } of cases) {
    broker.refuse = refuse
    const ran = await terminal.run('psql', 'orders', '--', '-Xc', 'row hello')
    t.match(ran, { code, stderr: /FATAL/ }, `status ${refuse.status}`)
  }
})

t.test('a session of psql that is cut says why', withPsql, async (t) => {
  const { terminal } = await open(t)
  const ran = await terminal.run('psql', 'orders', '--', '-Xc', 'cut grant-expired')
  t.equal(ran.code, 2)
  t.match(ran.stderr, /FATAL: {2}access was revoked by bob@example.com/)
  t.match(ran.stderr, 'the session on orders was cut: access expired')
})

t.test('psql that is not installed is said so, with what to do', async (t) => {
  const { terminal, broker } = await open(t, { PATH: '/nonexistent' })
  const ran = await terminal.run('psql', 'orders')
  t.match(ran, { code: 1, stderr: /psql is not on the PATH\n {2}install it: .*sallyport connect/ })
  t.equal(broker.asked.length, 0)
})

/** In a process group of its own, as a terminal would have it. */
function inOwnGroup({ terminal }: Setting, ...args: string[]) {
  const { child, ended } = terminal.launch(args, { detached: true })
  return { child, ended, signal: (name: NodeJS.Signals) => process.kill(-(child.pid ?? 0), name) }
}

t.test('Ctrl-C goes to psql, which cancels its statement and ends in its own way', withPsql, async (t) => {
  const setting = await open(t)
  const { broker } = setting
  const { signal, ended } = inOwnGroup(setting, 'psql', 'orders', '--', '-Xc', 'wait')
  await waitUntil(() => broker.waiting.size === 1, 'the statement runs')
  const lines = await commandLines()
  t.match(lines, 'psql')
  t.notMatch(lines, bearer)
  signal('SIGINT')
  const ran = await ended
  t.match(ran, { code: 1, stderr: /canceling statement due to user request/ })
  t.equal(broker.cancels.length, 1)
})

t.test('SIGTERM ends psql too', withPsql, async (t) => {
  const setting = await open(t)
  const { child, ended } = inOwnGroup(setting, 'psql', 'orders', '--', '-Xc', 'wait')
  await waitUntil(() => setting.broker.waiting.size === 1, 'the statement runs')
  child.kill('SIGTERM')
  t.equal((await ended).code, 143)
  await waitUntil(() => setting.broker.sockets.size === 0, 'the session has ended')
})
