/** What an operator does with the daemon: signals, probes, metrics, a second copy by mistake, a broken file. */
import { readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { parse, stringify } from 'yaml'
import { startCommand } from '../sandbox/commands.ts'
import { startDaemon } from '../sandbox/daemon.ts'
import { waitUntil } from '../wait-until.ts'
import { startCompany } from './company.ts'
import { clientFor, issueToken, openDatabase, refusal } from './database-client.ts'

const company = await startCompany({ overrides: { server: { drain: '3s' } } })
t.teardown(() => company.close())
const { configFile } = company.daemon
const good = readFileSync(configFile, 'utf8')

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${company.daemon.metricsUrl}/metrics`)).text()
  const value = new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1]
  if (value === undefined) throw new Error(`no ${name} in\n${text}`)
  return Number(value)
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  await waitUntil(holds, () => `${what}\n${company.daemon.log()}`, 10_000, 20)
}

await t.test('healthz, readyz and metrics', async (t) => {
  const { url } = company.daemon
  t.same(await (await fetch(`${url}/healthz`)).json(), { status: 'ok' })
  t.same(await (await fetch(`${url}/readyz`)).json(), { status: 'ready', problems: [], warnings: [] })
  t.equal((await fetch(`${url}/metrics`)).status, 404, 'metrics are not on the port that everybody reaches')
  await company.grant()
  const { client } = await openDatabase(company)
  t.equal(await metric('sallyport_sessions_active'), 1)
  t.equal(await metric('sallyport_rules_digest_mismatch'), 0)
  await client.end()
  await until('the session is counted', async () => (await metric('sallyport_sessions_total').catch(() => 0)) === 1)
})

await t.test('SIGHUP with a broken file: every problem is told, and the old rules stay', async (t) => {
  const broken = parse(good)
  broken.levels[0].readonly.max_rows = -1
  broken.access[0].max_duration = 'long'
  writeFileSync(configFile, stringify(broken))
  company.daemon.signal('SIGHUP')
  await until('the mismatch is seen', async () => (await metric('sallyport_rules_digest_mismatch')) === 1)
  for (const place of ['max_rows', 'max_duration'])
    await until(`${place} is told`, () => company.daemon.log().includes(place))
  const { client } = await openDatabase(company)
  t.equal((await client.query('select 1')).rowCount, 1, 'access is as it was')
  await client.end()
  const { events } = await company.api<{ events: unknown[] }>('carol', 'GET', '/api/v1/audit/events?type=rules.refused')
  t.equal(events.length, 1, 'the log says that a file was refused')
})

await t.test('SIGHUP with rules that no longer allow it: the grant ends and the session is cut', async (t) => {
  const session = await openDatabase(company)
  const without = parse(good)
  without.access = without.access.slice(1)
  writeFileSync(configFile, stringify(without))
  company.daemon.signal('SIGHUP')
  const { code, message } = await session.lost
  t.equal(code, '57P01')
  t.match(message, /rule/)
  t.equal(await metric('sallyport_rules_digest_mismatch'), 0)
  await t.rejects(openDatabase(company), /GRANT_DENIED|RESOURCE_UNKNOWN/)
  writeFileSync(configFile, good)
  company.daemon.signal('SIGHUP')
  await until('the first rules are back', async () => {
    const { resources } = await company.api<{ resources: unknown[] }>(
      'alice',
      'GET',
      '/api/v1/resources?kind=rds-postgres',
    )
    return resources.length === 1
  })
  await company.grant()
  const { client } = await openDatabase(company)
  await client.end()
})

const oneWriter = company.sandbox.stores ? 'a store in PostgreSQL is shared' : false
await t.test('a second daemon on the same store is refused, and the first goes on', { skip: oneWriter }, async (t) => {
  const files = await company.sandbox.writeConfig(`${company.sandbox.dir}/second`, {
    store: { url: company.daemon.storeUrl },
    keys: { dir: company.daemon.keysDir },
  })
  await t.rejects(startDaemon(company.sandbox, { files }), /ended with 5[\s\S]*in use by another daemon/)
  const { client } = await openDatabase(company)
  t.equal((await client.query('select 1')).rowCount, 1)
  await client.end()
})

await t.test('a broken configuration: exit code 2, every problem with its place and its fix', async (t) => {
  const broken = parse(good)
  broken.server.listen = 'nowhere'
  broken.oidc.isuer = broken.oidc.issuer
  broken.levels[0].readonly.max_rows = -1
  const file = `${company.sandbox.dir}/broken.yaml`
  writeFileSync(file, stringify(broken))
  const main = new URL('../../src/main.ts', import.meta.url).pathname
  const ran = await startCommand(process.execPath, [main, 'serve', '--config', file], {
    ...process.env,
    ...company.daemon.env,
  }).ended
  t.equal(ran.code, 2)
  for (const place of ['server.listen', 'oidc.isuer', 'max_rows']) t.match(ran.stderr, place)
  t.match(ran.stderr, /broken\.yaml:\d+:\d+/)
})

await t.test('SIGTERM: nothing new opens, what is open may finish, the rest is cut, and it exits with 0', async (t) => {
  const [quick, slow] = [await openDatabase(company), await openDatabase(company)]
  const late = await issueToken(company)
  company.daemon.signal('SIGTERM')
  await until('it is not ready any more', async () => {
    const response = await fetch(`${company.daemon.url}/readyz`)
    return response.status === 503
  })
  const refused = await clientFor(company, late)
    .connect()
    .then(
      () => undefined,
      (error: { code?: string; message: string }) => error,
    )
  t.equal(refused?.code, '57P03')
  t.match(refused?.message, /drain|shut|stop/)
  t.equal((await quick.client.query('select 1')).rowCount, 1, 'an open session works on')
  await quick.client.end()
  const { code, message } = await slow.lost
  t.equal(code, '57P01')
  t.match(message, /shutting down/)
  t.equal(await company.daemon.exited, 0)
  company.daemon = await startDaemon(company.sandbox, { files: company.daemon })
  const report = await company.api<{ ok: boolean; summary: string }>('carol', 'GET', '/api/v1/audit/verify')
  t.equal(report.ok, true, report.summary)
  const { sessions } = await company.api<{ sessions: { id: string; endReason: string }[] }>(
    'carol',
    'GET',
    '/api/v1/sessions',
  )
  t.equal(sessions.find(({ id }) => id === slow.sessionId)?.endReason, 'drain')
})

await t.test(
  'server.drain_delay: a balancer hears first that it is not ready, and until then sessions open',
  async (t) => {
    await company.daemon.stop()
    const text = readFileSync(company.daemon.configFile, 'utf8')
    writeFileSync(company.daemon.configFile, text.replace('drain_delay: 0s', 'drain_delay: 3s'))
    company.daemon = await startDaemon(company.sandbox, { files: company.daemon })
    const token = await issueToken(company)
    const before = await openDatabase(company)
    company.daemon.signal('SIGTERM')
    const since = performance.now()
    await until('it is not ready any more', async () => (await fetch(`${company.daemon.url}/readyz`)).status === 503)
    t.ok(performance.now() - since < 3000, 'at once')
    t.equal(
      (await fetch(`${company.daemon.url}/healthz`)).headers.get('connection'),
      'close',
      'who keeps it goes elsewhere',
    )
    t.equal((await refusal(clientFor(company, token))).message, 'it opened')
    await until('nothing opens', async () => (await refusal(clientFor(company, token))).code === '57P03')
    t.ok(performance.now() - since >= 2900, 'after the delay')
    t.equal((await before.client.query('select 1')).rowCount, 1, 'and no session was cut')
    await before.client.end()
    t.equal(await company.daemon.exited, 0)
  },
)
