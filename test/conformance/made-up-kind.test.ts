/** A kind is one folder and one line of a registry: everything else follows from it, up to a session through real PostgreSQL. */
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { parse, stringify } from 'yaml'
import { rulesCheck } from '../../src/access/rules/load-rules.ts'
import { renderJsonSchema, renderReference } from '../../src/config/reference.ts'
import type { ConfigFile } from '../../src/config/schema.ts'
import { kinds as builtIn } from '../../src/kinds/registry.ts'
import { companyIn } from '../e2e/company.ts'
import { clientFor, issueToken } from '../e2e/database-client.ts'
import { startPostgres } from '../sandbox/postgres.ts'
import { skipWithout } from '../sandbox/programs.ts'
import { startSandbox } from '../sandbox/sandbox.ts'
import { minimal, problemsOf } from '../src/config/load-text.ts'
import { waitFor, waitUntil } from '../wait-until.ts'
import { kinds } from './made-up-kind/registry.ts'

const main = fileURLToPath(new URL('./made-up-kind/main.ts', import.meta.url))
const serverName = 'things.example.internal'

const sandbox = await startSandbox()
t.teardown(() => sandbox.close())
const postgres = await startPostgres({ tcp: { tls: sandbox.authority.issue([serverName]) } })
t.teardown(() => postgres.close())
const files = await sandbox.writeConfig(path.join(sandbox.dir, 'daemon'))
const config: ConfigFile = parse(readFileSync(files.configFile, 'utf8'))
const thing = { id: 'made-up/thing', port: postgres.tcpPort, server_name: serverName, ca: sandbox.caFile }
const rule = { name: 'engineers-use-things', who: { groups: ['engineering'] }, what: { kinds: ['made-up'] } }
const approval = { stages: [{ any_of: ['group:database-owners'], count: 1 }] }
writeFileSync(
  files.configFile,
  stringify({
    ...config,
    resources: [...(config.resources ?? []), thing],
    levels: [...(config.levels ?? []), { for: { kinds: ['made-up'] }, readonly: { role: 'sallyport_ro' } }],
    access: [...(config.access ?? []), { ...rule, levels: ['readonly'], max_duration: '8h', approval }],
  }),
)
const company = await companyIn(sandbox, { files, main }, ['alice', 'bob', 'carol'])
t.teardown(async () => void (await company.daemon.stop()))
const { url } = company.daemon

await t.test('the configuration is checked by its schemas', async (t) => {
  const bad = {
    ...parse(minimal),
    resources: [
      { ...thing, port: 0, colour: 'red' },
      { ...thing, id: 'made-up/a/b' },
    ],
  }
  const levels = [{ for: { kinds: ['made-up'] }, readonly: { user: 'x' } }]
  const options = { kinds, checks: [rulesCheck(kinds)] }
  t.match(await problemsOf(t, stringify(bad), options), [
    /^\d+:\d+ resources\[0\]\.port: expected .*; \S/,
    /^\d+:\d+ resources\[0\]\.colour: .*; \S/,
  ])
  const better = { ...bad, resources: [thing], levels }
  const found = (await problemsOf(t, stringify(better), options)).join('\n')
  t.match(found, /^\d+:\d+ levels\[0\]\.readonly\.role: .*; \S/m)
  t.match(found, /^\d+:\d+ levels\[0\]\.readonly\.user: unknown.*; \S/m)
  t.match(await problemsOf(t, stringify(better), { kinds: builtIn, checks: [rulesCheck(builtIn)] }), [/made-up/])
})

await t.test('the JSON schema and the reference have it', async (t) => {
  const schema = renderJsonSchema(kinds)
  for (const part of ['^made-up/', 'Name in its certificate', 'Who signs in there']) {
    t.ok(schema.includes(part), part)
    t.notOk(renderJsonSchema(builtIn).includes(part))
  }
  const [, resources = ''] = renderReference(kinds).split('## Resources of made-up')
  t.match(resources, '| `server_name` | text | **required** | `things.example.internal` |')
  t.match(resources, /## Levels of made-up[\s\S]*\| `role` \|/)
})

await t.test('it is listed with its protocol, and can be asked for on the command line', async (t) => {
  const { resources } = await company.api<{ resources: unknown[] }>('alice', 'GET', '/api/v1/resources?kind=made-up')
  t.match(resources, [
    {
      id: thing.id,
      kind: 'made-up',
      account: null,
      region: null,
      name: 'thing',
      protocol: 'postgres',
      shown: { name: serverName },
      levels: ['readonly'],
    },
  ])
  t.match(await company.commands.alice.run(['ls']), { code: 0, stdout: /made-up\/thing/ })
  const asked = await company.commands.alice.run([
    'request',
    'thing',
    '--level',
    'readonly',
    '--for',
    '1h',
    '--reason',
    'looking',
  ])
  t.equal(asked.code, 0, asked.stderr)
})

await t.test('a session through the connect route, with psql', { skip: skipWithout('psql') }, async (t) => {
  await company.grant(3_600_000, 'thing')
  const sql = "select 'one of ' || count(*) || ' as ' || current_user from orders"
  const ran = await company.commands.alice.run(['psql', 'thing', '--', '-At', '-c', sql])
  t.match(ran, { code: 0, stdout: /^one of \d+ as sallyport_ro$/m }, ran.stderr)
})

await t.test('a session through the listener of its protocol, recorded, counted and on the books', async (t) => {
  await company.grant(3_600_000, 'thing')
  const issued = await issueToken(company, 'alice', { resource: 'thing' })
  t.equal(issued.port, company.daemon.postgresPort)
  const client = clientFor(company, issued)
  await client.connect()
  const { rows } = await client.query("select current_user as who, current_setting('application_name') as name")
  t.equal(rows[0].who, 'sallyport_ro')
  const sessionId = /ses_[0-9a-z]{26}/.exec(rows[0].name)?.[0] ?? ''
  await client.end()
  const path = `/api/v1/audit/events?type=session.ended&subject=${sessionId}`
  const end = async () => (await company.api<{ events: unknown[] }>('carol', 'GET', path)).events[0]
  t.match(await waitFor(end, 'the end is in the log'), { fields: { resource: thing.id, reason: 'client-closed' } })
  const recording = await (await company.call('carol', 'GET', `/api/v1/recordings/${sessionId}`)).text()
  t.match(recording, /"verified":\{"ok":true/)
  t.match(recording, /select current_user as who/)
  const metrics = async () => await (await fetch(`${company.daemon.metricsUrl}/metrics`)).text()
  for (const sample of [
    'sallyport_sessions_total{kind="made-up",outcome="client-closed"}',
    'sallyport_statement_seconds_count{kind="made-up"}',
    'sallyport_relay_bytes_total{kind="made-up",direction="up"}',
    'sallyport_session_open_seconds_count{kind="made-up",phase="upstream"}',
  ])
    await waitUntil(async () => (await metrics()).includes(sample), `${sample} is there`)
})

await t.test('the end of a grant ends its sessions', async (t) => {
  const { id } = await company.grant(3_600_000, 'thing')
  const client = clientFor(company, await issueToken(company, 'alice', { resource: 'thing' }))
  const lost = new Promise((resolve) => client.on('error', resolve))
  await client.connect()
  await company.api('bob', 'POST', `/api/v1/grants/${id}/revoke`, { reason: 'incident 42' })
  t.match(await lost, { code: '57P01', message: /incident 42/ })
})

/** What is answered over a connection that is upgraded, once it says so much. */
async function upgrade(path: string) {
  const asked = httpRequest(new URL(path, url), { headers: { connection: 'Upgrade', upgrade: 'made-up' } }).end()
  const [response, socket] = await once(asked, 'upgrade')
  return { status: response.statusCode as number, socket: socket as import('node:net').Socket }
}

await t.test('a path of its own is served ahead of the API: no body is parsed, no sign-in asked', async (t) => {
  const body = `{ not JSON ${'x'.repeat(300_000)}` // above the limit of the API
  const headers = { 'content-type': 'application/json' }
  const answered = await fetch(`${url}/made-up/pods?watch=1`, { method: 'PATCH', body, headers })
  t.equal(answered.status, 200)
  t.equal(await answered.text(), `daemon 0, PATCH /made-up/pods?watch=1: ${body}`)
  t.equal(answered.headers.get('content-security-policy'), null)
  t.equal((await fetch(`${url}/made-up`)).status, 200)
  t.equal((await fetch(`${url}/made-upper`)).status, 404, 'another segment is the API’s')
  t.equal((await fetch(`${url}/healthz`)).status, 200)
  const { status, socket } = await upgrade('/made-up/exec')
  t.equal(status, 101)
  socket.end('through and back')
  t.equal(await text(socket), 'through and back')
})

await t.test('a handler that rejects: its client is cut off, the log has why, and the daemon goes on', async (t) => {
  await t.rejects(fetch(`${url}/made-up/fails`).then((response) => response.text()))
  const { socket } = await upgrade('/made-up/fails')
  await once(socket.resume(), 'close')
  for (const why of ['a request that was made to fail', 'an upgrade that was made to fail'])
    await waitUntil(() => company.daemon.log().includes(why), `the log has: ${why}`)
  t.match(company.daemon.log(), /a handler of a kind failed/)
  t.equal((await fetch(`${url}/readyz`)).status, 200)
})

await t.test(
  'a handler that throws before it waits for anything, and a client that resets what was upgraded',
  async (t) => {
    await t.rejects(fetch(`${url}/made-up/throws`).then((response) => response.text()))
    await t.rejects(upgrade('/made-up/throws'))
    for (const why of ['a request that threw at once', 'an upgrade that threw at once'])
      await waitUntil(() => company.daemon.log().includes(why), `the log has: ${why}`)
    const { socket } = await upgrade('/made-up/exec')
    socket.on('error', () => {}).resetAndDestroy()
    await once(socket, 'close')
    t.equal((await fetch(`${url}/readyz`)).status, 200, 'the daemon goes on')
  },
)

await t.test('the daemon stops though a connection that a kind took over is open', async (t) => {
  const { socket } = await upgrade('/made-up/exec')
  const closed = once(socket.resume(), 'close')
  t.equal(await company.daemon.stop(), 0)
  await closed
})
