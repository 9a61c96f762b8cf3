/**
 * Stock MySQL clients through the product as it runs, on the broker's TLS ports and on a local port, told only what `sallyport connect`
 * prints. With `SALLYPORT_CLIENTS=true`, or where it is not CI, since it takes long.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { createConnection } from 'mysql2/promise'
import t, { type Test } from 'tap'
import { parse, stringify } from 'yaml'
import type { ConfigFile } from '../../src/config/schema.ts'
import { type Running, startCommand } from '../sandbox/commands.ts'
import { shopId } from '../sandbox/daemon-files.ts'
import { skipUnlessLong } from '../sandbox/mysql/mariadb.ts'
import { freePort } from '../sandbox/ports.ts'
import { mysqlOf, startSandbox } from '../sandbox/sandbox.ts'
import { companyIn } from './company.ts'
import { issueMySqlToken } from './mysql-client.ts'
import { type Place, runJdbc, skipJava, stockClients } from './stock-mysql.ts'
import { expected, resettingClients } from './stock-mysql-resets.ts'

const absent = skipUnlessLong()
if (absent) t.plan(0, absent)
else await testClients()

async function testClients(): Promise<void> {
  t.setTimeout(300_000)
  const execute = promisify(execFile)
  const user = () => ({ db_user: 'sallyport_rw', databases: ['*'] }) // a configuration may hold no YAML aliases
  const sandbox = await startSandbox({ mysql: {} })
  const files = await sandbox.writeConfig(mkdtempSync(path.join(sandbox.dir, 'daemon-')), {
    levels: [
      {
        for: { kinds: ['rds-mysql'] },
        admin: user(),
        guarded: { ...user(), read_only: true, statement_timeout: '3s' },
      },
    ],
    access: [
      {
        name: 'engineers-change-the-shop',
        who: { groups: ['engineering'] },
        what: { ids: [shopId] },
        levels: ['admin', 'guarded'],
        max_duration: '8h',
        require: { reason: true },
        approval: { stages: [{ any_of: ['group:database-owners'], count: 1 }] },
      },
    ],
  })
  pinPort(files.configFile, await freePort())
  const company = await companyIn(sandbox, { files })
  t.teardown(() => company.close())
  const { mariadb } = mysqlOf(company.sandbox)
  const { alice } = company.commands
  await company.grant(3_600_000, 'shop', 'admin')
  await company.grant(3_600_000, 'shop', 'guarded')
  const [city] = await mariadb.query("select count(*) as n from orders.customers where city = 'Antwerp'")
  const counts = `600 ${city?.n}`

  /** `connect` with a local port, until the test has ended. */
  async function open(t: Test, level: string, ...args: string[]): Promise<Running> {
    const local = alice.start(['connect', 'shop', '--level', level, ...args])
    t.teardown(async () => {
      local.child.kill('SIGINT')
      await local.ended
    })
    await local.prints(/Press Ctrl-C to stop/)
    return local
  }

  async function localPlace(t: Test, level: string): Promise<Place> {
    const local = await open(t, level, '--json')
    const { connections } = JSON.parse(local.stdout) as { connections: Omit<Place, 'ca'>[] }
    const [first] = connections
    if (!first) throw new Error(`no connection: ${local.output}`)
    return { ...first, ca: null }
  }

  /** The port that `connect` names: the resource has one of its own. */
  async function ownPlace(_: Test, level: string): Promise<Place> {
    const { host, port, user, token } = await issueMySqlToken(company, level)
    return { host, port, user, password: token, ca: company.sandbox.caFile }
  }

  const sharedPlace = async (t: Test, level: string): Promise<Place> => ({
    ...(await ownPlace(t, level)),
    port: files.mysqlPort,
  })

  await t.test('a pool of Connector/J is let in on a port of the resource, before anyone else was', async (t) => {
    const place = await ownPlace(t, 'guarded')
    t.not(place.port, files.mysqlPort)
    for (const [name, client, skip, skipShared] of resettingClients)
      if (skipShared) await t.test(name, { skip }, async (t) => t.equal(await client(place, name), expected))
  })

  const ways = [
    ['the shared TLS port', sharedPlace],
    ['a local port', localPlace],
  ] as const
  for (const [where, find] of ways)
    await t.test(`stock clients on ${where}`, async (t) => {
      const place = await find(t, 'admin')
      for (const [name, client, skip] of stockClients)
        await t.test(`${name}: a query, a prepared statement, a batch`, { skip }, async (t) => {
          const word = `${name} on ${where}`
          t.equal(await client(place, word), counts)
          t.match(await mariadb.query('select count(*) as n from samples.imported where word = ?', [word]), [{ n: 3 }])
        })
    })

  for (const [where, find] of ways)
    await t.test(`a connection made new on ${where} has nothing of before, and the limits of its level`, async (t) => {
      const place = await find(t, 'guarded')
      for (const [name, client, skip, skipShared = false] of resettingClients)
        await t.test(name, { skip: skip || (place.ca !== null && skipShared) }, async (t) =>
          t.equal(await client(place, name), expected),
        )
      t.strictSame(await mariadb.query("select 1 from samples.imported where word = 'written'"), [])
    })

  await t.test('`sallyport mysql` runs the client', async (t) => {
    const ran = await alice.run(['mysql', 'shop', '--level', 'admin', '--', '-N', '-e', 'select count(*) from orders'])
    t.match(ran, { code: 0, stdout: '600\n', stderr: '' })
  })

  const passwordIn = (text: string) => /^# password: (?:export MYSQL_PWD=)?'?([^'\s]+)'?$/m.exec(text)?.[1] ?? ''

  await t.test('what `connect --print` prints is used as it is', async (t) => {
    const asked = ['-N', '-e', 'select count(*) from orders']
    await t.test('mariadb', async (t) => {
      const { stdout } = await open(t, 'admin', '--print', 'mariadb')
      const [command = ''] = stdout.split('\n')
      const env = { ...process.env, MYSQL_PWD: passwordIn(stdout) }
      t.equal((await execute('sh', ['-c', `${command} -N -e 'select count(*) from orders'`], { env })).stdout, '600\n')
    })
    await t.test('env', async (t) => {
      const { stdout } = await open(t, 'admin', '--print', 'env')
      const script = `${stdout}\nmariadb --no-defaults -u "$MYSQL_USER" "$MYSQL_DATABASE" "$@"`
      t.equal((await execute('sh', ['-c', script, 'sh', ...asked])).stdout, '600\n')
    })
    await t.test('url', async (t) => {
      const { stdout } = await open(t, 'admin', '--print', 'url')
      const url = new URL(stdout.split('\n')[0] ?? '')
      url.password = passwordIn(stdout)
      const connection = await createConnection(url.href)
      t.match(await connection.query('select count(*) as n from orders'), [[{ n: 600 }]])
      await connection.end()
    })
    await t.test('jdbc', { skip: skipJava }, async (t) => {
      const { stdout } = await open(t, 'admin', '--print', 'jdbc')
      const [url = ''] = stdout.split('\n')
      const place = { host: '', port: 0, user: 'sallyport', password: passwordIn(stdout), ca: null }
      t.equal(await runJdbc(url, place, 'jdbc'), counts)
    })
    await t.test('dbeaver', async (t) => {
      const { stdout } = await open(t, 'admin', '--print', 'dbeaver')
      t.match(
        stdout,
        /^dbeaver -con '?driver=mysql8\|name=shop\|host=127\.0\.0\.1\|port=\d+\|database=orders\|user=sallyport\|/,
      )
    })
    await t.test('my.cnf, also for a dump that is restored', async (t) => {
      const { stdout } = await open(t, 'admin', '--print', 'my.cnf')
      const file = path.join(company.sandbox.dir, 'my.cnf')
      writeFileSync(file, stdout, { mode: 0o600 })
      const options = [`--defaults-file=${file}`]
      t.equal((await execute('mariadb', [...options, ...asked])).stdout, '600\n')
      const from = [...options, '--single-transaction', '--skip-lock-tables', 'orders']
      const dump = await execute('mariadb-dump', from, { maxBuffer: 1 << 28 })
      await mariadb.query('CREATE DATABASE restored')
      await mariadb.query("GRANT ALL ON restored.* TO sallyport_rw@'%'")
      const restoring = startCommand('mariadb', [...options, 'restored'], process.env, dump.stdout)
      t.match(await restoring.ended, { code: 0, stderr: '' })
      const sums = async (name: string) =>
        await mariadb.query(`SELECT COUNT(*) AS n, SUM(total) AS total FROM ${name}.orders`)
      t.strictSame(await sums('restored'), await sums('orders'))
    })
  })
}

/** Another port, for the resource alone, by the short name that the configuration's example has. */
function pinPort(configFile: string, port: number): void {
  const config = parse(readFileSync(configFile, 'utf8')) as ConfigFile
  const [shared] = config.listeners?.mysql ?? []
  if (!shared) throw new Error('the sandbox has no port for MySQL')
  const pinned = { ...structuredClone(shared), listen: `127.0.0.1:${port}`, resource: 'shop' }
  writeFileSync(configFile, stringify({ ...config, listeners: { ...config.listeners, mysql: [shared, pinned] } }))
}
