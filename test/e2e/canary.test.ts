/** No secret is anywhere that people, log collectors or backups may read; looked for after a day's work in one minute. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type pg from 'pg'
import t from 'tap'
import type { Postgres } from '../sandbox/postgres.ts'
import { skipWithout } from '../sandbox/programs.ts'
import { waitUntil } from '../wait-until.ts'
import { startCompany } from './company.ts'
import { clientFor, issueToken } from './database-client.ts'
import { findLeaks, type Place, type Secret } from './leaks.ts'

const company = await startCompany()
t.teardown(() => company.close())
const { daemon, sandbox, commands } = company
const secrets: Secret[] = []
const places: Place[] = []

const canary = 'canary-in-a-statement-7f3a9c'
const marker = 'marker-that-must-be-found-5e1d'

await t.test('a day of work', { skip: skipWithout('psql') }, async (t) => {
  await company.grant()

  // A stock client with a connect token, and one that is wrong.
  const token = await issueToken(company)
  secrets.push({ what: 'connect token', value: secretOf(token.token) })
  const client = clientFor(company, token)
  client.on('error', () => {})
  await client.connect()
  await client.query(`select '${marker}'`)
  await client
    .query(`alter role sallyport_ro password '${canary}'`)
    .catch((error: Error) => noteOutput('SQL error', error.message))
  await client.query(`create user mallory with encrypted password '${canary}'`).catch(() => {})
  const wrong = clientFor(company, { ...token, token: `${token.token.slice(0, -8)}AAAAAAAA` })
  wrong.on('error', () => {})
  await wrong.connect().catch((error: Error) => noteOutput('refusal of a wrong token', error.message))

  // The local proxy, with psql on it, while the list of processes is read.
  const local = commands.alice.start(['connect', 'orders', '--json'])
  await local.prints(/Press Ctrl-C to stop/)
  const { connections } = JSON.parse(local.stdout) as { connections: pg.ClientConfig[] }
  secrets.push({ what: 'password of the local proxy', value: String(connections[0]?.password) })
  const psql = commands.alice.start(['psql', 'orders', '--', '-c', `select 'busy'`, '-c', 'select pg_sleep(2)'])
  await psql.prints(/busy/)
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) noteCommandLine(pid)
  const ran = await psql.ended
  t.equal(ran.code, 0)
  noteOutput('psql', ran.stdout + ran.stderr)
  local.child.kill('SIGINT')
  noteOutput('connect, stderr', (await local.ended).stderr)

  // Roles, by both trust models, with a program that runs under one while the list of processes is read.
  for (const role of ['ReportsReader', 'Personal']) await company.grant(3_600_000, role)
  const tell = 'console.log(process.env.AWS_CONTAINER_AUTHORIZATION_TOKEN); setTimeout(() => {}, 1000)'
  const exec = commands.alice.start(['aws', 'ReportsReader', 'exec', '--', process.execPath, '-e', tell])
  const [, containerToken = ''] = await exec.prints(/^([\w-]{43})\n/)
  secrets.push({ what: 'token of the container endpoint', value: containerToken })
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) noteCommandLine(pid)
  noteOutput('exec, stderr', (await exec.ended).stderr)
  noteOutput('credential-process, stderr', (await commands.alice.run(['aws', 'Personal', 'credential-process'])).stderr)
  const link = await commands.alice.run(['aws', 'ReportsReader', 'console', '--print'])
  t.equal(link.code, 0, link.stderr)
  secrets.push({ what: 'link to the console', value: link.stdout.trim().slice(-48) })
  noteOutput('console, stderr', link.stderr)
  const script = path.join(daemon.dir, 'slow-browser.mjs')
  const visit = `const { headers } = await fetch(process.argv[2], { redirect: 'manual' })
    console.error(headers.get('location')); setTimeout(() => {}, 1500)`
  writeFileSync(script, visit)
  const opening = commands.alice.run(['aws', 'ReportsReader', 'console'], {
    SALLYPORT_BROWSER: `${process.execPath} ${script}`,
  })
  const browsing = () => readdirSync('/proc').filter((pid) => commandLineOf(pid).includes('slow-browser.mjs'))
  await waitUntil(() => browsing().length > 0, 'the browser runs', 60_000, 20)
  for (const pid of browsing()) noteCommandLine(pid)
  const opened = await opening
  t.equal(opened.code, 0, opened.stderr)
  noteOutput('console in a browser, stderr', opened.stderr)
  secrets.push({ what: 'a sign-in at the console', value: 'SigninToken=' })

  // Tokens for programs, and requests that are refused.
  const made = await company.api<{ token: string }>('alice', 'POST', '/api/v1/tokens', {
    name: 'ci',
    scopes: ['read'],
    durationMs: 600_000,
  })
  secrets.push({ what: 'API token', value: secretOf(made.token) })
  const authorization = `Bearer ${made.token}`
  for (const [route, headers] of [
    ['/api/v1/whoami', { authorization }],
    ['/api/v1/principals', { authorization }],
    ['/api/v1/nowhere', { authorization }],
    ['/api/v1/whoami', { authorization: `${authorization}x` }],
    ['/api/v1/whoami', { cookie: `${company.cookie('alice')}x` }],
    [`/api/v1/whoami?token=${made.token}`, {}],
    ['/callback/oidc?code=made-up&state=made-up', {}],
  ] as const)
    noteOutput(`answer of ${route.split('?')[0]}`, await (await fetch(`${daemon.url}${route}`, { headers })).text())

  // The database refuses, and AWS does.
  sandbox.databases.orders.faults.refuse(true)
  noteOutput('refused upstream', (await commands.alice.run(['psql', 'orders', '--', '-c', 'select 1'])).stderr)
  await sandbox.databases.orders.faults.clear()
  sandbox.aws.faults.deny('sts:AssumeRole')
  await company.grant()
  noteOutput('denied by AWS', (await commands.alice.run(['psql', 'orders', '--', '-c', 'select 1'])).stderr)
  sandbox.aws.faults.clear()

  await client.end()
  noteOutput('metrics', await (await fetch(`${daemon.metricsUrl}/metrics`)).text())
  noteOutput('audit export', (await commands.carol.run(['audit', 'export'])).stdout)
  await daemon.stop()

  noteOutput('log of the daemon', daemon.log())
  for (const file of readdirSync(daemon.dir).filter((name) => name.startsWith(path.basename(daemon.databaseFile))))
    noteOutput(`store (${file})`, readFileSync(path.join(daemon.dir, file)))
  if (sandbox.stores) await noteTables(sandbox.stores.server, new URL(daemon.storeUrl).pathname.slice(1))
  noteOutput('anchor', readFileSync(daemon.anchorFile))
  for (const file of readdirSync(daemon.recordingsDir, { recursive: true, withFileTypes: true }))
    if (file.isFile()) noteOutput(`recording ${file.name}`, readFileSync(path.join(file.parentPath, file.name)))
  collectSecrets()

  t.ok(secrets.length > 20, `${secrets.length} secrets`)
  t.ok(places.length > 40, `${places.length} places`)
  for (const where of ['recording', 'store', 'log of the daemon', 'audit export', 'metrics', 'command line'])
    t.ok(
      places.some(({ what, content }) => what.startsWith(where) && content.length > 20),
      `${where} was read`,
    )
  const found = findLeaks([{ what: 'the marker', value: marker }], places)
  t.match(found, [/^the marker in recording/], 'what is there is found, so that finding nothing means something')
  t.same(findLeaks(secrets, places), [])
})

function noteOutput(what: string, content: string | Buffer): void {
  places.push({ what, content })
}

/** Bytes as text as far as they are. */
async function noteTables(server: Pick<Postgres, 'query'>, database: string): Promise<void> {
  await server.query(database, `alter database ${database} set bytea_output = 'escape'`)
  const { rows: tables } = await server.query(database, "select tablename from pg_tables where schemaname = 'public'")
  for (const { tablename } of tables) {
    const { rows } = await server.query(database, `select t::text as text from "${tablename}" t`)
    noteOutput(`store (${tablename})`, rows.map(({ text }) => text).join('\n'))
  }
}

function noteCommandLine(pid: string): void {
  noteOutput(`command line of ${pid}`, commandLineOf(pid))
}

function commandLineOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return '' // it has ended, or is no process
  }
}

/** Tokens are `PREFIX_ID_SECRET` or the like: the id may be seen, the end may not. */
function secretOf(token: string): string {
  return token.slice(-24)
}

function collectSecrets(): void {
  secrets.push({ what: 'password in a statement', value: canary })
  secrets.push({ what: 'client secret of the provider', value: sandbox.oidc.clientSecret })
  for (const token of sandbox.oidc.issued) secrets.push({ what: 'token of the provider', value: secretOf(token) })
  for (const { secretAccessKey, session } of sandbox.aws.callers.issued) {
    secrets.push({ what: 'secret key of a role', value: secretAccessKey })
    secrets.push({ what: 'session token of a role', value: session?.token ?? '' })
  }
  secrets.push({ what: 'secret key of the daemon', value: daemon.env.AWS_SECRET_ACCESS_KEY ?? '' })
  secrets.push({ what: 'signature of an RDS token', value: 'X-Amz-Signature=' })
  for (const name of ['alice', 'bob', 'carol', 'dave'] as const) {
    secrets.push({ what: `cookie of ${name}`, value: secretOf(company.cookie(name)) })
    const home = commands[name].env.SALLYPORT_HOME ?? ''
    const { servers } = JSON.parse(readFileSync(path.join(home, 'login.json'), 'utf8')) as {
      servers: Record<string, { token: string }>
    }
    for (const { token } of Object.values(servers)) secrets.push({ what: `login of ${name}`, value: secretOf(token) })
  }
  for (const name of readdirSync(daemon.keysDir))
    secrets.push({ what: `key ${name}`, value: keyIn(path.join(daemon.keysDir, name)) })
}

/** Of a PEM file the last line of its body, else the file's own end. */
function keyIn(file: string): string | Buffer {
  const content = readFileSync(file)
  const lines = content.toString('latin1').trim().split('\n')
  return lines[0]?.startsWith('-----BEGIN') ? (lines.at(-2) ?? '').slice(0, 48) : content.subarray(-24)
}

t.test('a secret is found in whatever form it is written', async (t) => {
  const secret = 'sp3c!al/secret+value'
  const places: Place[] = [
    { what: 'itself', content: `a ${secret} b` },
    { what: 'a URL', content: `?q=${encodeURIComponent(secret)}&x` },
    { what: 'hex', content: Buffer.from(`xx${secret}`).toString('hex') },
    ...['', 'x', 'xx'].map((before) => ({
      what: `base64 after ${before.length}`,
      content: Buffer.from(`${before}${secret}yy`).toString('base64'),
    })),
    { what: 'base64url', content: Buffer.from(`x${secret}yy`).toString('base64url') },
  ]
  t.equal(findLeaks([{ what: 'it', value: secret }], places).length, places.length)
  t.same(findLeaks([{ what: 'another', value: 'another-secret-value' }], places), [])
})
