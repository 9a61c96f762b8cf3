/**
 * Any text that a person can write, given to one running daemon and its database by all that takes a text, then through every
 * list, `recordings play`, and an export that is proven without the daemon. `SALLYPORT_FUZZ_SEED` repeats a run,
 * `SALLYPORT_FUZZ_SECONDS` makes more rounds of it.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import t from 'tap'
import { printable } from '../../proxy/printable.ts'
import { startCompany } from '../e2e/company.ts'
import { issueToken } from '../e2e/database-client.ts'
import fc from '../fast-check.ts'
import { startCommand } from '../sandbox/commands.ts'
import { skipWithout } from '../sandbox/programs.ts'
import { waitUntil } from '../wait-until.ts'
import { harmful, seconds, seed, text } from './f-fuzz-setup.ts'

t.setTimeout(240_000 + seconds * 3000)
t.comment(`SALLYPORT_FUZZ_SEED=${seed}`)

const company = await startCompany()
t.teardown(() => company.close())
const { api, call, commands } = company
const { carol } = commands

/** What was written and has to be found again, by the list that shows it. */
const written = { requests: [] as string[], tokens: [] as string[], tools: [] as string[], audit: [] as string[] }
const sessions = new Map<string, { statements: string[]; values: string[] }>()
const account = (
  await api<{ principal: { id: string } }>('dave', 'POST', '/api/v1/service-accounts', { name: 'fuzzed' })
).principal.id

/** Texts that the API must take as they are: of some length, without NUL. */
const accepted = text.map((some) => `x${some.replaceAll('\0', '')}x`.slice(0, 60).toWellFormed())

async function writeAll(round: number): Promise<void> {
  const texts = fc.sample(accepted, { seed: seed + round, numRuns: 12 })
  for (const some of texts.slice(0, 6)) {
    const body = { resource: 'orders', level: 'readonly', durationMs: 3_600_000, reason: some, ticket: some }
    const { id, digest } = (
      await api<{ request: { id: string; digest: string } }>('alice', 'POST', '/api/v1/requests', body)
    ).request
    await api('bob', 'POST', `/api/v1/requests/${id}/deny`, { digest, comment: some })
    written.requests.push(some)
  }
  for (const some of texts.slice(0, 4)) {
    await api('alice', 'POST', '/api/v1/tokens', { name: some, scopes: ['read'], durationMs: 3_600_000 })
    written.tokens.push(some)
  }
  for (const some of texts.slice(0, 3))
    for (const verb of ['lock', 'unlock']) {
      await api('dave', 'POST', `/api/v1/principals/${account}/${verb}`, { reason: some })
      written.audit.push(some)
    }
  for (const some of fc.sample(text, { seed: seed + round, numRuns: 12 })) {
    const made = await call('dave', 'POST', '/api/v1/service-accounts', { name: some })
    if (![400, 201].includes(made.status)) throw new Error(`a service account ${JSON.stringify(some)}: ${made.status}`)
    if (made.status === 201 && harmful.test(some)) throw new Error(`accepted: ${JSON.stringify(some)}`)
  }
  const grant = await company.grant()
  for (const some of texts.slice(0, 3)) await runStatements(some, texts)
  const reason = `to be altered: ${texts[0]}`
  await api('bob', 'POST', `/api/v1/grants/${grant.id}/revoke`, { reason })
  written.audit.push(reason)
}

/** A session whose client calls itself so, which runs the texts in every place of a statement, and is then killed for that reason. */
async function runStatements(tool: string, texts: readonly string[]): Promise<void> {
  const { host, port, user, token: password } = await issueToken(company)
  const ssl = { ca: company.sandbox.authority.cert }
  const client = new pg.Client({ host, port, user, password, database: 'orders', ssl, application_name: tool })
  const lost = new Promise<Error>((resolve) => client.on('error', resolve))
  await client.connect()
  const name = (await client.query("select current_setting('application_name') as name")).rows[0].name
  if (harmful.test(name)) throw new Error(`application_name at the target: ${JSON.stringify(name)}`)
  const sessionId = /ses_[0-9a-z]{26}/.exec(name)?.[0] ?? ''
  const said = { statements: [] as string[], values: [] as string[] }
  const ask = async (query: string | pg.QueryConfig) => {
    said.statements.push(typeof query === 'string' ? query : query.text)
    await client.query(query).catch((error: Error & { code?: string }) => {
      if (error.code === undefined || error.code.startsWith('57')) throw error // the session is gone
    })
  }
  for (const some of texts) {
    await ask(`select '${some.replaceAll("'", "''")}' as "${some.replaceAll('"', '""')}"`)
    await ask(`select cast($$${some.replaceAll('$', '')}$$ as int)`)
    await ask(some)
    await ask({
      text: 'select $1::text, $2::bytea, $3',
      values: [some, Buffer.from(some, 'latin1'), Buffer.from(some)],
    })
    said.values.push(some)
    await ask({ name: some, text: `select $1::int /* ${some.replaceAll(/[*/]/g, '')} */`, values: [some] })
  }
  sessions.set(sessionId, said)
  written.tools.push(tool)
  await api('bob', 'POST', `/api/v1/sessions/${sessionId}/kill`, { reason: tool })
  const { message } = await lost
  if (harmful.test(message)) throw new Error(`an error of the broker: ${JSON.stringify(message)}`)
  const isOver = async () =>
    (await api<{ items: unknown[] }>('carol', 'GET', '/api/v1/sessions?open=true')).items.length === 0
  await waitUntil(isOver, 'the session has ended')
}

interface List {
  readonly args: readonly string[]
  readonly by: keyof typeof commands
  /** Texts that its JSON has to hold, as they were written. */
  readonly holds?: readonly string[]
  /** JSON lines rather than one document. */
  readonly lines?: boolean
}

const lists: readonly List[] = [
  { args: ['requests', '--all'], by: 'alice', holds: written.requests },
  { args: ['grants', '--all'], by: 'alice' },
  { args: ['ls'], by: 'alice' },
  { args: ['tokens', 'ls', '--all', '--limit', '1000'], by: 'dave', holds: written.tokens },
  { args: ['service-accounts', 'ls'], by: 'dave' },
  { args: ['sessions', '--all'], by: 'carol', holds: written.tools },
  { args: ['recordings', 'ls', '--all'], by: 'carol' },
  { args: ['audit', 'search', '--all'], by: 'carol', holds: written.audit },
  { args: ['audit', 'tail', '--since', '24h', '--no-follow'], by: 'carol', holds: written.audit, lines: true },
  { args: ['audit', 'verify'], by: 'carol' },
]

/** A Node program that forgets to escape: what a list shows without its guard. */
const forgetful = `const replace = RegExp.prototype[Symbol.replace]
  RegExp.prototype[Symbol.replace] = function (text, by) {
    return this.source.includes('p{Cf}') ? text : replace.call(this, text, by)
  }`
const unescaped = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(forgetful)}` }

const isClean = (shown: string) => !harmful.test(shown.replaceAll('\n', ''))

/** Every string in a JSON value. */
function strings(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return value !== null && typeof value === 'object' ? Object.values(value).flatMap(strings) : []
}

interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}
const driver = fileURLToPath(new URL('f-fuzz-commands.ts', import.meta.url))

/** Many commands of one person, in one process. */
async function runAll(by: keyof typeof commands, all: readonly (readonly string[])[], more = {}): Promise<Ran[]> {
  const env = { ...commands[by].env, ...more }
  const { code, stdout, stderr } = await startCommand(process.execPath, [driver], env, JSON.stringify(all)).ended
  if (code !== 0) throw new Error(`the commands ended with ${code}: ${stderr}`)
  return JSON.parse(stdout) as Ran[]
}

/** Every list of one person's, for people and as JSON. @returns the JSON of each */
async function check(t: Tap, by: keyof typeof commands, all: readonly List[]): Promise<unknown[][]> {
  const ran = await runAll(
    by,
    all.flatMap(({ args }) => [args, [...args, '--json']]),
  )
  return all.map(({ args, holds = [], lines = false }, i) => {
    const name = args.join(' ')
    const both = ran.slice(2 * i, 2 * i + 2)
    for (const { code, stdout, stderr } of both) {
      t.equal(code, 0, `${name}: ${JSON.stringify(stderr)}`)
      t.not(stdout, '', `${name}: something is shown`)
      t.ok(isClean(stdout + stderr), `${name}: no control character`)
    }
    const json = both[1]?.stdout.trimEnd() ?? ''
    const parsed: unknown[] = (lines ? json.split('\n') : [json]).map((line) => JSON.parse(line))
    const found = new Set(strings(parsed))
    const lost = holds.filter((some) => !found.has(some))
    t.same(lost, [], `${name}: every text as it was written`)
    return parsed
  })
}
type Tap = Pick<typeof t, 'equal' | 'not' | 'ok' | 'same'>

/** About five seconds each. */
const rounds = 1 + Math.floor(seconds / 5)
for (let round = 0; round < rounds; round += 1)
  await t.test(`fuzz: round ${round}: every list answers, and no control character reaches a terminal`, async (t) => {
    await writeAll(round)
    for (const by of ['alice', 'carol', 'dave'] as const)
      await check(
        t,
        by,
        lists.filter((list) => list.by === by),
      )
    const played = [...sessions].map(([id, { values }]) => ({
      args: ['recordings', 'play', id],
      holds: values,
      lines: true,
    }))
    for (const [i, entries] of (
      await check(
        t,
        'carol',
        played.map((list) => ({ ...list, by: 'carol' })),
      )
    ).entries()) {
      const recorded = new Set(entries.map((entry) => (entry as { sql?: string }).sql))
      const { statements } = [...sessions.values()][i] ?? { statements: [] }
      const lost = statements.filter((sql) => sql.trim() !== '' && !recorded.has(sql))
      t.same(lost, [], 'every statement as it was sent')
    }
    sessions.clear()
    for (const { id } of (await api<{ items: { id: string }[] }>('alice', 'GET', '/api/v1/tokens?limit=1000')).items)
      await api('alice', 'DELETE', `/api/v1/tokens/${id}`)
    written.tokens.length = 0
  })

await t.test('fuzz: an export with such texts is proven without the daemon, and printed on a terminal', async (t) => {
  const file = path.join(company.daemon.dir, 'export.jsonl')
  const key = path.join(company.daemon.dir, 'key.pem')
  writeFileSync(key, company.daemon.publicKeyPem())
  t.match(await carol.run(['audit', 'export', '--out', file]), { code: 0 })
  const verify = ['audit', 'verify', '--export', file, '--public-key', key]
  t.match(await carol.run(verify), { code: 0, stdout: /^verified/ })
  const good = readFileSync(file, 'utf8')
  const at = good.lastIndexOf('to be altered')
  t.ok(at > 0, 'the export has the texts')
  writeFileSync(file, `${good.slice(0, at)}y${good.slice(at + 1)}`)
  t.match(await carol.run(verify), { code: 1, stdout: /VERIFICATION FAILED/ }, 'a planted fault: one letter of a text')
})

t.test('fuzz: an export on a terminal', { skip: skipWithout('script') }, async (t) => {
  const command = `'${process.execPath}' src/main.ts audit export`
  const { code, stdout } = await startCommand('script', ['-qec', command, '/dev/null'], carol.env).ended
  t.equal(code, 0, stdout.slice(0, 300))
  t.ok(stdout.includes('\\u'), 'with its texts')
  t.ok(isClean(stdout.replaceAll('\r\n', '\n')))
})

t.test('fuzz: a planted fault, a list that does not escape, is found in each', async (t) => {
  const session = (await carol.json<{ items: { id: string }[] }>(['recordings', 'ls'])).items[0]?.id ?? ''
  const planted = [
    ['requests', '--all'],
    ['requests', '--all', '--json'],
    ['sessions', '--all', '--json'],
    ['audit', 'search', '--all'],
    ['recordings', 'play', session],
    ['recordings', 'play', session, '--json'],
  ]
  for (const [i, { code, stdout }] of (await runAll('carol', planted, unescaped)).entries()) {
    t.equal(code, 0, JSON.stringify(planted[i]))
    t.notOk(isClean(stdout), JSON.stringify(planted[i]))
  }
})

t.test('fuzz: what a command says of a text that leads nowhere', async (t) => {
  const asked = fc.sample(accepted, { seed, numRuns: 10 }).flatMap((some) => [
    ['policy', 'why', some, some],
    ['requests', '--who', some],
    ['requests', '--resource', some],
    ['audit', 'search', '--type', some],
    ['service-accounts', 'create', `${some}!`],
    ['service-accounts', 'accept', some],
    ['lock', some, '--reason', some],
    ['tokens', 'revoke', some],
    ['recordings', 'play', some],
  ])
  const ran = await runAll('dave', asked)
  t.equal(ran.length, asked.length)
  // Not named by their texts, which no reader of TAP would bear.
  const bad = ran.flatMap(({ code, stdout, stderr }, i) =>
    code !== 0 && stderr !== '' && isClean(stdout + stderr) ? [] : [JSON.stringify([asked[i], code, stdout, stderr])],
  )
  t.same(bad.map(printable), [])
})
