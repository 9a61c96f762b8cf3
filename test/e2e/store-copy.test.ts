/** From a SQLite store to PostgreSQL with the command, and on with the same state.dir: what was there works and verifies. */
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { parse, stringify } from 'yaml'
import { startDaemon } from '../sandbox/daemon.ts'
import { startStoreDatabases } from '../sandbox/store-databases.ts'
import { waitUntil } from '../wait-until.ts'
import { startCompany } from './company.ts'
import { clientFor, issueToken, refusal } from './database-client.ts'

t.setTimeout(300_000)
const company = await startCompany()
t.teardown(() => company.close())
const databases = await startStoreDatabases()
t.teardown(() => databases.close())
const files = company.daemon
const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

function copy(...more: string[]): { code: number | null; stdout: string; stderr: string } {
  const args = [main, 'store', 'copy', '--config', files.configFile, '--from', files.databaseFile, ...more]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { env: files.env, encoding: 'utf8' })
  return { code: status, stdout, stderr }
}

function setStore(url: string): void {
  const config = parse(readFileSync(files.configFile, 'utf8')) as { server: object }
  writeFileSync(
    files.configFile,
    stringify({
      ...config,
      server: { ...config.server, peer_url: files.url.replace('127.0.0.1', 'localhost') },
      store: { url },
    }),
  )
}

const grant = await company.grant()
const token = await issueToken(company)
const revoked = await company.grant()
await company.api('bob', 'POST', `/api/v1/grants/${revoked.id}/revoke`, { reason: 'no longer needed' })
const before = await company.api<{ total: number }>('carol', 'GET', '/api/v1/audit/events')

await t.test('refused: a daemon that runs, a SQLite target, a file that is not there', async (t) => {
  t.match(copy(), { code: 1, stderr: /set it to where the copy goes/ })
  setStore(await databases.create())
  t.match(copy(), { stderr: /in use by another daemon/ })
  t.match(copy('--from', `${files.databaseFile}.nowhere`), { stderr: /no such file/ })
})

await t.test('all of it is copied, compared and verified', async (t) => {
  await company.daemon.stop()
  const done = copy('--json')
  t.equal(done.code, 0, done.stderr)
  const { tables, summary } = JSON.parse(done.stdout) as { tables: { table: string; rows: number }[]; summary: string }
  t.match(summary, /^verified: \d+ events/)
  t.ok(tables.some(({ table, rows }) => table === 'grants' && rows === 2))
  t.match(copy(), { stderr: /has rows already: copy into an empty database/ }, 'not twice')
})

await t.test('the daemon goes on there: logins, grants, tokens, the log', async (t) => {
  company.daemon = await startDaemon(company.sandbox, { files })
  const { grants } = await company.api<{ grants: { id: string; state: string }[] }>(
    'alice',
    'GET',
    '/api/v1/grants?all=true',
  )
  t.same(
    grants.map(({ id, state }) => [id, state]).sort(),
    [
      [grant.id, 'active'],
      [revoked.id, 'revoked'],
    ].sort(),
  )
  const client = clientFor(company, token)
  await client.connect()
  t.equal((await client.query('select 1 as one')).rows[0].one, 1)
  await client.end()
  const after = await company.api<{ total: number }>('carol', 'GET', '/api/v1/audit/events')
  t.ok(after.total > before.total)
  const report = await company.api<{ ok: boolean; summary: string }>('carol', 'GET', '/api/v1/audit/verify')
  t.ok(report.ok, report.summary)
})

await t.test('a second daemon joins with the same keys: from one to two', async (t) => {
  const { sandbox, daemon } = company
  const { store } = parse(readFileSync(files.configFile, 'utf8')) as { store: { url: string } }
  const second = await startDaemon(sandbox, {
    overrides: { server: { public_url: files.url }, store, keys: { dir: files.keysDir } },
  })
  const headers = { cookie: company.cookie('alice') }
  t.equal((await fetch(`${second.url}/api/v1/grants`, { headers })).status, 200, 'a login of before holds there')
  for (const { metricsUrl } of [daemon, second])
    await waitUntil(
      async () => (await (await fetch(`${metricsUrl}/metrics`)).text()).includes('sallyport_daemons{state="live"} 2'),
      'each sees two',
    )
  t.equal(
    await refusal(clientFor(company, { ...token, port: second.postgresPort })).then(({ message }) => message),
    'it opened',
  )
  const config = readFileSync(second.configFile, 'utf8')
  writeFileSync(second.configFile, stringify({ ...(parse(config) as object), access: [] }))
  second.signal('SIGHUP')
  const warned = async () => {
    const { warnings } = (await (await fetch(`${daemon.url}/readyz`)).json()) as { warnings: string[] }
    return /the rules in force here are not those of/.test(warnings.join())
  }
  await waitUntil(warned, 'the first says that rules differ')
  t.match(await (await fetch(`${daemon.metricsUrl}/metrics`)).text(), /sallyport_daemons\{state="rules-differ"\} 1/)
  t.equal(await second.stop(), 0)
})

await t.test('the SQLite file is behind now, so a daemon on it opens nothing', async (t) => {
  await company.daemon.stop()
  setStore(`sqlite:${files.databaseFile}`)
  company.daemon = await startDaemon(company.sandbox, { files, closed: true })
  t.match(await refusal(clientFor(company, token)), { code: '57P03', message: /does not trust its store/ })
})
