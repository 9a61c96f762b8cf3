/** A3: what a recording keeps as a digest only is digested under the key of its session, the data of COPY included. */
import { createHash, createHmac } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { checkRecording } from '../../src/recordings/recording-check.ts'
import { readEntries } from '../../src/recordings/recording-read.ts'
import { startCompany } from '../e2e/company.ts'
import { openDatabase } from '../e2e/database-client.ts'
import { readFixtures } from '../upgrade/fixture.ts'
import { waitUntil } from '../wait-until.ts'

const company = await startCompany()
t.teardown(() => company.close())
await company.grant()

type Entry = Readonly<Record<string, unknown>>

interface Recording {
  readonly entries: readonly Entry[]
  /** An HMAC by the key that the folder of keys makes for this session. */
  hmac(text: string): string
}

const data = 'hunter2\n'
const dataFile = path.join(company.daemon.dir, 'data')
writeFileSync(dataFile, data)
const password = "alter role nobody_here password 'hunter2'"
const long = `select length('${'x'.repeat(70_000)}')`
const value = 'y'.repeat(70_000)
/** Each is digested in a recording, and short or well known enough to be guessed. */
const digested = [data, 'hunter2', "'hunter2'", password, long, `${long}\0`, value]

/** By psql: COPY twice in each direction, a password, a long text. */
async function byPsql(): Promise<Recording> {
  const copies = [`\\copy c from '${dataFile}'`, 'copy c to stdout', 'delete from c']
  const sql = ['create temp table c (x text)', ...copies, ...copies, password, long]
  const { code, stderr } = await company.commands.alice.run(['psql', 'orders', '--', ...sql.flatMap((c) => ['-c', c])])
  if (code !== 0) throw new Error(stderr)
  const { sessions } = await company.api<{ sessions: { id: string }[] }>('carol', 'GET', '/api/v1/sessions')
  return await recordingOf(sessions[0]?.id ?? '')
}

/** By the extended protocol: a long value, and a value that is a password. */
async function byDriver(): Promise<Recording> {
  const { client, sessionId } = await openDatabase(company)
  await client.query('select length($1::text)', [value])
  await client.query('alter role nobody_here password $1', ['hunter2']).catch(() => {})
  await client.query('select length($1::text)', [value])
  await client.end()
  return await recordingOf(sessionId)
}

/** By the formula that docs/decisions/0017 promises. */
async function recordingOf(id: string): Promise<Recording> {
  const ends = `/api/v1/audit/events?type=session.ended&subject=${id}`
  const isOver = async () => (await company.api<{ events: unknown[] }>('carol', 'GET', ends)).events.length > 0
  await waitUntil(isOver, 'the session has ended')
  const { recordingsDir, keysDir } = company.daemon
  const name = readdirSync(recordingsDir, { recursive: true, encoding: 'utf8' }).find((one) => one.includes(id)) ?? ''
  const [header = ''] = readFileSync(path.join(recordingsDir, name), 'utf8').split('\n', 1)
  const macKey = Buffer.from(readFileSync(path.join(keysDir, 'mac.key'), 'utf8'), 'base64')
  const derived = createHmac('sha256', macKey).update(`recording digests\0${id}`).digest('base64url')
  const key = `${JSON.parse(header).digests}.${derived}`
  const played = await (await company.call('carol', 'GET', `/api/v1/recordings/${id}`)).text()
  const [first, ...entries] = played
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  if (first.verified.ok !== true) throw new Error(`the recording of ${id} does not verify: ${first.verified.problem}`)
  return { entries, hmac: (text) => createHmac('sha256', key).update(text).digest('hex') }
}

/** All that looks like a digest, each once: that of a request that runs for long is in two entries. */
function digestsIn({ entries }: Recording): string[] {
  return [...new Set(JSON.stringify(entries).match(/(?<=")[0-9a-f]{64}(?=")/g))]
}

const plain = digested.map((text) => createHash('sha256').update(text).digest('hex'))

await t.test('A3: COPY in and out, twice in each of two sessions', async (t) => {
  const [one, two] = [await byPsql(), await byPsql()]
  for (const { entries, hmac } of [one, two]) {
    const copied = entries.flatMap(({ copyIn, copyOut }) => copyIn ?? copyOut ?? [])
    const expected = { bytes: data.length, messages: 1, hmac: hmac(data) }
    t.same(copied, Array(4).fill(expected), 'the same data, the same digest in one session')
    t.match(
      entries.find(({ sqlHmac }) => sqlHmac),
      { sqlHmac: hmac(password) },
    )
    t.match(entries.at(-1), { sqlCut: { hmac: hmac(`${long}\0`) } })
  }
  differ(t, one, two, 3)
})

await t.test('A3: values, long and secret', async (t) => {
  const [one, two] = [await byDriver(), await byDriver()]
  for (const { entries, hmac } of [one, two]) {
    const values = entries.flatMap(({ values }) => (Array.isArray(values) ? values : []))
    const shown = { bytes: value.length, hmac: hmac(value) }
    t.match(values, [shown, { redacted: true, hmac: hmac('hunter2') }, shown])
    t.equal(values.length, 3)
  }
  differ(t, one, two, 3) // of a message as well
})

type Tap = Pick<typeof t, 'equal'>

function differ(t: Tap, one: Recording, two: Recording, count: number): void {
  const [first, second] = [digestsIn(one), digestsIn(two)]
  t.equal(first.length, count)
  t.equal(second.length, count)
  t.equal(first.filter((digest) => second.includes(digest)).length, 0, 'another session, other digests')
  t.equal(plain.filter((digest) => first.includes(digest) || second.includes(digest)).length, 0, 'no plain SHA-256')
}

await t.test('A3: a recording of before, with plain digests of COPY, still verifies and plays as it was', async (t) => {
  for (const { folder, manifest } of readFixtures()) {
    const files = readdirSync(path.join(folder, 'recordings'), { recursive: true, encoding: 'utf8' })
    const played: unknown[] = []
    for (const { id, recording } of manifest.sessions) {
      const name = files.find((one) => one.includes(id)) ?? ''
      const file = path.join(folder, 'recordings', name)
      if (!readFileSync(file, 'utf8').includes('"copyOut"')) continue
      t.match(await checkRecording(file, { session: id, digest: recording.digest, heads: [] }), { ok: true })
      for await (const { entry } of readEntries(file)) played.push(entry)
    }
    const copied = played.flatMap((entry) => (entry as Entry).copyOut ?? [])
    t.match(copied, [{ bytes: 31, messages: 2, sha256: /^[0-9a-f]{64}$/ }])
    t.equal(copied.length, 1)
  }
})
