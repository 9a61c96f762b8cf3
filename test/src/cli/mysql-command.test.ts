/** `sallyport mysql`, and `connect` to a resource that speaks MySQL, as programs of their own against a broker that is played. */
import { readdirSync, readFileSync } from 'node:fs'
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type FakeBroker, startFakeBroker } from '../../proxy/local/fake-broker.ts'
import { skipWithout } from '../../sandbox/programs.ts'
import { waitUntil } from '../../wait-until.ts'
import { openTerminal, type Terminal } from './run-cli.ts'

// Commands run as processes of their own, which takes long on a busy machine.
t.setTimeout(480_000)

const withMariadb = { skip: skipWithout('mariadb') }
const orders = 'rds-mysql/111122223333/eu-west-1/orders'
const grant = { id: 'grt_1', level: 'readonly', endsAt: Date.now() + 3_600_000 }

interface Setting {
  readonly broker: FakeBroker
  readonly terminal: Terminal
  /** Where it keeps sockets and option files. */
  readonly runtime: string
}

async function open(t: Test, env: NodeJS.ProcessEnv = {}): Promise<Setting> {
  const broker = await startFakeBroker(t)
  const common = { id: orders, kind: 'rds-mysql', protocol: 'mysql', name: 'orders', levels: ['readonly'] }
  const ledger = { ...common, id: `${orders.slice(0, -6)}ledger`, name: 'ledger', database: null, grants: [grant] }
  const items = [{ ...common, database: 'shop', grants: [grant] }, ledger]
  broker.routes.set('GET /api/v1/resources', () => ({ status: 200, body: { next: null, items } }))
  const runtime = await mkdtemp(join(tmpdir(), 'sallyport-test-'))
  t.teardown(() => rm(runtime, { recursive: true, force: true }))
  const server = { SALLYPORT_SERVER: broker.url, SALLYPORT_TOKEN: 'spa_bearer-of-alice', XDG_RUNTIME_DIR: runtime }
  return { broker, runtime, terminal: openTerminal(t, null, { ...server, ...env }) }
}

t.test('mysql reaches the resource, whatever the option files and the environment say', withMariadb, async (t) => {
  const own =
    '[client]\npassword=theirs\nhost=elsewhere.example.com\nport=1\nssl\n[mysql]\nskip-column-names\nuser=root\n'
  const home = t.testdir({ '.my.cnf': own })
  const { broker, terminal, runtime } = await open(t, { HOME: home, MYSQL_HOST: 'elsewhere', MYSQL_PWD: 'theirs' })
  const ran = await terminal.run('mysql', 'orders', '--', '--batch', '-e', 'row hello world')
  t.same(ran, { code: 0, stdout: 'hello world\n', stderr: '' }, 'without column names, as their file has it')
  t.match(broker.logins, [{ user: 'sallyport', database: 'shop', answerBytes: 32 }])
  t.match(await terminal.run('mysql', 'orders', '--database', 'other', '--', '-e', 'row x'), { code: 0 })
  t.equal(broker.logins[1]?.database, 'other')
  t.match(await terminal.run('mysql', 'ledger', '--', '-e', 'row x'), { code: 0 })
  t.equal(broker.logins[2]?.database, '', 'none is chosen where the resource has none')
  t.same(readdirSync(runtime), [], 'no option file is left')
})

t.test('the password is in no process list, and in a file that only its owner can read', withMariadb, async (t) => {
  const { broker, terminal, runtime } = await open(t)
  const { child, ended } = terminal.launch(['mysql', 'orders', '--', '-e', 'wait'], { detached: true })
  await waitUntil(() => broker.waiting.size === 1, 'the statement runs')
  const [folder = ''] = readdirSync(runtime)
  const [, password = ''] =
    /^password="([A-Za-z0-9_-]{43})"$/m.exec(readFileSync(join(runtime, folder, 'my.cnf'), 'utf8')) ?? []
  t.not(password, '')
  t.notMatch(await processes(), password)
  process.kill(-(child.pid ?? 0), 'SIGINT')
  t.match(await ended, { code: 1, stderr: /ERROR 1317 \(70100\)/ })
  t.same(readdirSync(runtime), [])
})

t.test('what is about to end is said on stderr, since MySQL has no message for it', withMariadb, async (t) => {
  const { broker, terminal } = await open(t)
  let looks = 0
  let endsAt = 0
  broker.routes.set('GET /api/v1/resources', () => {
    looks += 1
    endsAt ||= Date.now() + 65_000
    const levels = { levels: ['readonly'], grants: [{ id: 'grt_7', level: 'readonly', endsAt }] }
    const item = { id: orders, kind: 'rds-mysql', protocol: 'mysql', name: 'orders', database: 'shop', ...levels }
    return { status: 200, body: { next: null, items: [item] } }
  })
  const { child, ended } = terminal.launch(['mysql', 'orders', '--', '-e', 'wait'], { detached: true })
  await waitUntil(() => looks === 2, 'it looks a minute before the end', 60_000)
  process.kill(-(child.pid ?? 0), 'SIGINT')
  const { stderr } = await ended
  t.match(stderr, /^sallyport: access to orders ends in 1 minute, at \d\d:\d\d UTC; to stay connected, run: sally/m)
  t.match(stderr, 'sallyport extend grt_7 --for 1h\n')
})

t.test('so is that a session has used the time that its level allows', withMariadb, async (t) => {
  const { broker, terminal } = await open(t)
  const held = { ...grant, sessionMs: 300_800 }
  const item = { id: orders, kind: 'rds-mysql', protocol: 'mysql', name: 'orders', database: 'shop', grants: [held] }
  broker.routes.set('GET /api/v1/resources', () => ({ status: 200, body: { next: null, items: [item] } }))
  const told = /^sallyport: a session on orders ends in 5 minutes, at \d\d:\d\d UTC; .* to go on, connect again$/m
  const { child, ended } = await terminal.start(['mysql', 'orders', '--', '-e', 'wait'], told)
  child.kill('SIGKILL')
  await ended
})

t.test('a refusal of the session is shown by the client, and the exit code is 4', withMariadb, async (t) => {
  const { broker, terminal } = await open(t)
  broker.deny = { sqlstate: '28000', code: 'GRANT_DENIED', message: 'you hold no grant' }
  const ran = await terminal.run('mysql', 'orders', '--', '-e', 'row hello')
  t.match(ran, { code: 4, stderr: /ERROR 1045 \(28000\): you hold no grant/ })
  broker.deny = null
  const cut = await terminal.run('mysql', 'orders', '--', '-e', 'cut grant-expired')
  t.match(cut, { code: 1, stderr: /ERROR 1053 \(08S01\)/ })
  t.match(cut.stderr, 'the session on orders was cut: access expired')
})

t.test('the client of MySQL is told in its own words to use no TLS on loopback', async (t) => {
  const script = `#!/bin/sh
case "$*" in *--version*) echo 'mysql  Ver 8.4.3 for Linux on x86_64 (MySQL Community Server - GPL)';; *) cat "\${1#--defaults-file=}";; esac
`
  const programs = { sh: t.fixture('symlink', '/bin/sh'), cat: t.fixture('symlink', '/bin/cat') }
  const bin = t.testdir({ mysql: script, ...programs })
  await chmod(join(bin, 'mysql'), 0o755)
  const { terminal } = await open(t, { PATH: bin })
  const ran = await terminal.run('mysql', 'orders')
  t.match(ran.stdout, /\nssl-mode="DISABLED"\n/)
  t.notMatch(ran.stdout, 'skip-ssl')
})

t.test('where neither client is installed, that is said, with what to do', async (t) => {
  const { terminal, broker } = await open(t, { PATH: '/nonexistent' })
  const ran = await terminal.run('mysql', 'orders')
  t.match(ran, { code: 1, stderr: /neither mariadb nor mysql is on the PATH\n {2}install it: .*sallyport connect/ })
  t.equal(broker.asked.length, 0)
})

t.test('psql on it, and forms of another protocol, are refused before anything is opened', async (t) => {
  const { terminal, broker } = await open(t)
  t.match(await terminal.run('psql', 'orders'), { code: 1, stderr: /connects to resources that speak postgres/ })
  const printed = await terminal.run('connect', 'orders', '--print', 'psql')
  t.match(printed.stderr, /--print psql is not for rds-mysql\/.*speaks mysql\n {2}choose one of mysql, mariadb, url/)
  t.match(await terminal.run('connect', 'orders', '--write-pgpass'), { code: 1, stderr: /--write-pgpass is not for/ })
  t.equal(broker.asked.length, 0)
})

t.test('--token prints what stock clients need for the broker’s own port', async (t) => {
  const { broker, terminal } = await open(t)
  const issued = {
    id: 'k'.repeat(16),
    token: 'spt_secret',
    resourceId: orders,
    level: 'readonly',
    expiresAt: grant.endsAt,
  }
  const at = { user: `t_${'k'.repeat(16)}`, host: 'access.example.com', port: 3306 }
  broker.routes.set('POST /api/v1/connect-tokens', () => ({ status: 201, body: { ...issued, ...at } }))
  const text = await terminal.run('connect', 'orders', '--token')
  t.match(
    text.stdout,
    /^mysql --protocol=TCP --host=access\.example\.com --port=3306 --user=t_k+ --ssl-mode=VERIFY_IDENTITY( --ssl-ca=\S+)? shop\n/,
  )
  t.match(text.stdout, '# password: export MYSQL_PWD=spt_secret')
  const file = await terminal.run('connect', 'orders', '--token', '--print', 'my.cnf')
  t.match(file.stdout, '[client-mariadb]\nssl\nssl-verify-server-cert\n')
})

/** Arguments of every process on this machine that may be read. */
async function processes(): Promise<string> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const lines = await Promise.all(ids.map((id) => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')))
  return lines.join('\n')
}
