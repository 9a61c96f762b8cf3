/** What an auditor does on the command line: search, follow, export, prove, and replay. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import pg from 'pg'
import t from 'tap'
import { startDaemon } from '../sandbox/daemon.ts'
import { waitUntil } from '../wait-until.ts'
import { startCompany } from './company.ts'
import { openDatabase } from './database-client.ts'

interface Event {
  readonly seq: number
  readonly type: string
  readonly fields: Readonly<Record<string, unknown>>
}

const company = await startCompany()
t.teardown(() => company.close())
const { carol, alice, dave } = company.commands
const dir = path.join(company.sandbox.dir, 'auditor')
mkdirSync(dir)

const grant = await company.grant()
const session = await openDatabase(company)
await session.client.query('select id, status from orders where id = $1 and total > $2', [17, 0])
// Bytes are sent in binary; only the first statement says that they are text.
const types = Object.assign([25], { getTypeParser: pg.types.getTypeParser })
await session.client.query({ text: 'select $1::text as bound', values: [Buffer.from('Bound-As-Binary')], types })
await session.client.query('select $1::bytea as bytes', [Buffer.from('Of-No-Type')])
await session.client.query('select nothing from nowhere').catch(() => {})
await session.client.end()
await company.commands.alice.run(['connect', 'billing']) // not hers
const logged = async (type: string) =>
  (await company.api<{ events: Event[] }>('carol', 'GET', `/api/v1/audit/events?type=${type}`)).events
await waitUntil(async () => (await logged('session.ended')).length === 1, 'the session has ended')

await t.test('search: by type, subject and actor; nothing found is said; an unknown type is an error', async (t) => {
  const about = (await carol.json<{ items: Event[] }>(['audit', 'search', '--subject', grant.id])).items
  t.same(
    about.map(({ type }) => type).filter((type) => type !== 'connect-token.issued'),
    ['grant.created', 'session.started', 'session.ended', 'audit.read'], // who looked is part of the story
  )
  const ofSession = await carol.run(['audit', 'search', '--subject', session.sessionId, '--type', 'session.started'])
  t.match(ofSession.stdout, new RegExp(`session\\.started.*${session.sessionId}`))
  t.equal((await carol.json<{ items: Event[] }>(['audit', 'search', '--limit', '3'])).items.length, 3)
  t.match(await carol.run(['audit', 'search', '--type', 'grant.tampered']), { code: 0, stdout: 'no matching events\n' })
  t.match(await carol.run(['audit', 'search', '--type', 'session.begun']), { code: 1, stderr: /type/ })
})

await t.test('tail: from a while ago, and on as things happen', async (t) => {
  const past = await carol.run(['audit', 'tail', '--since', '1h', '--no-follow', '--json'])
  const seqs = past.stdout
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as Event).seq)
  t.same(
    seqs,
    [...seqs].sort((a, b) => a - b),
  )
  t.equal(seqs[0], 1, 'without a gap from the first')
  t.equal(seqs.at(-1), seqs.length)
  const follow = carol.start(['audit', 'tail', '--json'])
  t.teardown(() => follow.child.kill('SIGINT'))
  const isFollowing = async () => (await logged('audit.read')).some(({ fields }) => fields.what === 'tail')
  await waitUntil(isFollowing, 'the tail is open')
  await dave.run(['lock', 'bob@example.com', '--reason', 'on leave'])
  await follow.prints(/principal\.locked/)
  await dave.run(['unlock', 'bob@example.com'])
  follow.child.kill('SIGINT')
  await follow.ended
  for (const line of follow.stdout.trimEnd().split('\n')) t.ok((JSON.parse(line) as Event).seq > 0)
})

await t.test('an export is proven without the daemon; a changed, shortened or reordered one is not', async (t) => {
  const file = path.join(dir, 'audit.jsonl')
  const key = path.join(dir, 'key.pem')
  writeFileSync(key, company.daemon.publicKeyPem())
  const anchors = () => readFileSync(company.daemon.anchorFile, 'utf8').trim().split('\n').length
  const before = anchors()
  await carol.run(['audit', 'search', '--limit', '1']) // an event for the next checkpoint: none is made of nothing new
  await waitUntil(() => anchors() > before, 'a checkpoint is anchored', 15_000, 50)
  const anchor = path.join(dir, 'anchor.jsonl')
  copyFileSync(company.daemon.anchorFile, anchor)
  t.match(await carol.run(['audit', 'export', '--out', file]), { code: 0, stdout: /wrote \d+ lines to/ })
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  const verify = (content: readonly string[], ...more: string[]) => {
    const copy = path.join(dir, 'copy.jsonl')
    writeFileSync(copy, `${content.join('\n')}\n`)
    return carol.run(['audit', 'verify', '--export', copy, '--public-key', key, ...more])
  }
  t.match(await verify(lines, '--anchor', anchor), { code: 0, stdout: /^verified: [\s\S]*proven up to event \d+/ })
  t.match(await verify(lines), { code: 0, stdout: /without an anchor/ })

  const at = lines.findIndex((line) => line.includes('"grant.created"'))
  const { seq } = (JSON.parse(lines[at] ?? '{}') as { event: Event }).event
  const changed = lines.with(at, (lines[at] ?? '').replace('readonly', 'adminxxx'))
  t.match(
    await verify(changed),
    { code: 1, stdout: new RegExp(`VERIFICATION FAILED[\\s\\S]*${seq}`) },
    'the place is named',
  )
  t.match(await verify(lines.toSpliced(at, 1)), { code: 1, stdout: /VERIFICATION FAILED/ }, 'one event is left out')
  const swapped = lines.with(at, lines[at + 1] ?? '').with(at + 1, lines[at] ?? '')
  t.match(await verify(swapped), { code: 1, stdout: /VERIFICATION FAILED/ })
  t.match(await verify(lines.slice(0, -3), '--anchor', anchor), { code: 1 }, 'the end is cut off')
  t.match(await verify(['garbage']), { code: 1 })
  t.match(await carol.run(['audit', 'verify', '--export', path.join(dir, 'nowhere'), '--public-key', key]), {
    code: 5,
    stderr: /nowhere/,
  })
})

await t.test('recordings: listed, played with values, rows and errors; reading is written down', async (t) => {
  const listed = (
    await carol.json<{ items: { id: string; principal: string; entries: number }[] }>(['recordings', 'ls'])
  ).items
  t.match(listed, [{ id: session.sessionId, principal: 'alice@example.com' }])
  const played = await carol.run(['recordings', 'play', session.sessionId])
  t.equal(played.code, 0)
  t.match(played.stdout, /recording verified/)
  t.match(played.stdout, /where id = \$1 and total > \$2[\s\S]*\$1 = "17"[\s\S]*\$2 = "0"/)
  t.match(played.stdout, /ERROR 42P01: relation "nowhere" does not exist/)
  const json = await carol.run(['recordings', 'play', session.sessionId, '--json'])
  for (const line of json.stdout.trimEnd().split('\n')) t.ok(JSON.parse(line))
  const reads = (await carol.json<{ items: Event[] }>(['audit', 'search', '--type', 'recording.read'])).items
  t.match(reads, [{ fields: { session: session.sessionId } }, { fields: { session: session.sessionId } }])
  t.match(await carol.run(['recordings', 'play', `ses_${'0'.repeat(26)}`]), { code: 1, stderr: /no session/ })
})

await t.test('recordings are searched: texts and bound values, and that it was done is written down', async (t) => {
  const search = async (...args: string[]) => {
    const { code, stdout, stderr } = await carol.run(['recordings', 'search', ...args, '--json'])
    t.equal(code, 0, stderr)
    const lines = stdout.split('\n').filter((line) => line !== '')
    return lines.map((line) => JSON.parse(line) as { sessionId: string; at: number; found: { member: string }[] })
  }
  const by = { sessionId: session.sessionId, principal: 'alice@example.com', resourceId: /orders$/ }
  t.match(await search('WHERE ID = $1 AND'), [{ ...by, sql: /where id = \$1/, found: [{ member: 'sql' }] }])
  t.match(await search('relation "NOWHERE"'), [{ ...by, found: [{ member: 'error.message' }] }])
  t.match(await search('bound-as-binary', '--who', 'alice'), [{ ...by, found: [{ member: /^values\[0\]/ }] }])
  t.match(await search('Of-No-Type'), [{ ...by, found: [{ member: 'values[0]', text: 'Of-No-Type' }] }])
  t.strictSame(await search('bound-as-binary', '--who', 'bob'), [])
  t.strictSame(await search('bound-as-binary', '--until', '2020-01-01'), [])
  t.strictSame(await search('no such text anywhere'), [])
  t.match(await search('select', '--limit', '1'), { length: 1 })
  const events = async (type: string) =>
    (await carol.json<{ items: Event[] }>(['audit', 'search', '--type', type])).items
  const searches = await events('recording.searched')
  t.match(searches.at(-1), { actor: /^prn_/, text: { search: 'select' } })
  const shown = (await events('recording.read')).filter(({ fields }) => fields.how === 'search')
  t.equal(shown.length, 5, 'one for each search that showed something of a recording')
  t.match(shown[0]?.fields, { session: session.sessionId })
  for (const [args, code, said] of [
    [['', '--json'], 1, /text/],
    [['x'.repeat(201)], 1, /text/],
    [['x', '--who', 'nobody@example.com'], 1, /nobody@example.com/],
  ] as const)
    t.match(await carol.run(['recordings', 'search', ...args]), { code, stdout: '', stderr: said })
  const forged = { text: 'x', cursor: 'ses_1' }
  t.match(await company.call('carol', 'POST', '/api/v1/recordings/search', forged), { status: 400 })
})

await t.test('who is no auditor reads nothing, not even of their own sessions', async (t) => {
  for (const command of [
    ['audit', 'search'],
    ['audit', 'tail', '--no-follow'],
    ['audit', 'export'],
    ['audit', 'verify'],
    ['recordings', 'ls'],
    ['recordings', 'play', session.sessionId],
    ['recordings', 'search', 'select'],
  ])
    t.match(await alice.run(command), { code: 4, stdout: '' }, command.join(' '))
})

await t.test('a recording that was changed on disk is named by `audit verify`, and shown as what it is', async (t) => {
  const folder = company.daemon.recordingsDir
  const found = readdirSync(folder, { recursive: true, encoding: 'utf8' }).find((name) =>
    name.includes(session.sessionId),
  )
  const file = path.join(folder, found ?? '')
  const good = readFileSync(file, 'utf8')
  writeFileSync(file, good.replace('"17"', '"18"'))
  const report = await carol.run(['audit', 'verify'])
  t.equal(report.code, 1)
  t.match(report.stdout, new RegExp(session.sessionId))
  t.match((await carol.run(['recordings', 'play', session.sessionId])).stdout, /VERIFICATION FAILED/)
  writeFileSync(file, good)
  t.match(await carol.run(['audit', 'verify']), { code: 0, stdout: /^verified/ })
})

const ofFile = company.sandbox.stores ? 'of a store in PostgreSQL its daemons, or an export, are asked' : false
await t.test(
  'the store of a daemon that is stopped is proven too, with its recordings',
  { skip: ofFile },
  async (t) => {
    await company.daemon.stop()
    const { databaseFile, recordingsDir, anchorFile } = company.daemon
    const ran = await carol.run([
      ...['audit', 'verify', '--store', `sqlite:${databaseFile}`, '--recordings', recordingsDir],
      ...['--anchor', anchorFile, '--public-key', path.join(dir, 'key.pem')],
    ])
    t.match(ran, { code: 0, stdout: /^verified/ })
    company.daemon = await startDaemon(company.sandbox, { files: company.daemon })
  },
)
