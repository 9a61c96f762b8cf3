/** Entries that are said to be plain are copied many at once: the file, its order and its chain are the same. */
import { mkdtempSync } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { RecordingBuffers } from '../../../src/recordings/recording-buffers.ts'
import { RecordingQuota } from '../../../src/recordings/recording-quota.ts'
import { RecordingWriter } from '../../../src/recordings/recording-writer.ts'

const dir = mkdtempSync(path.join(tmpdir(), 'sallyport-writer-'))

async function start(name: string) {
  const file = path.join(dir, name)
  const limits = { maxPerSessionBytes: 1e9, maxPerPrincipalBytes: 1e9, reserveBytes: 0 }
  const quota = new RecordingQuota({ dir, clock: { now: () => Date.now() }, ...limits })
  await quota.admit('prn_a')
  const lags: number[] = []
  const failures: Error[] = []
  const writer = new RecordingWriter({
    file: await open(file, 'wx+'),
    offset: 0,
    head: '0'.repeat(64),
    sessionId: 'ses_a',
    principalId: 'prn_a',
    buffers: new RecordingBuffers({ recordingLagBytes: { set: (lag: number) => lags.push(lag) } } as never),
    quota,
    highWater: 1024 * 1024,
    onSealed: () => {},
  })
  writer.onFailure((error) => failures.push(error))
  const lines = async () => (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '')
  return { writer, lines, lags, failures }
}

const isChain = (line: string) => line.startsWith('{"chain":')

t.test('plain entries, others, and long ones stay in their order', async (t) => {
  const { writer, lines, lags } = await start('order')
  const written = Array.from({ length: 3000 }, (_, i) => {
    const isPlain = i % 7 !== 0
    const text = i % 1000 === 999 ? 'x'.repeat(100_000) : isPlain ? `${i}`.repeat(1 + (i % 40)) : `ü${i}`
    const entry = `{"at":${i},"sql":"${text}"}`
    writer.write(entry, isPlain)
    return entry
  })
  const sealed = await writer.seal()
  const all = await lines()
  t.same(
    all.filter((line) => !isChain(line)),
    written,
  )
  const counts = all.filter(isChain).map((line) => (JSON.parse(line) as { n: number }).n)
  t.equal(sealed.entries, 3000)
  t.equal(
    counts.reduce((sum, n) => sum + n, 0),
    3000,
  )
  t.equal(lags.at(-1), 0, 'what is written lags no more')
})

for (const [what, entry] of [
  ['a line break', '{"at":1}\n{"at":2}'],
  ['a chain line', '{"at":1}\n{"chain":"0","n":1}'],
  ['another first member', '{"chain":"0","n":1}'],
  ['half of the first member', '{"a'],
  ['nothing', ''],
  ['what is not ASCII', '{"at":1,"sql":"ü"}'],
  ['what latin1 would make a line break of', '{"at":1,"sql":"Ċ"}'],
] as const)
  t.test(`${what} in an entry that is said to be plain breaks the recording, and is not in the file`, async (t) => {
    const { writer, lines, failures } = await start(what)
    writer.write('{"at":1}', true)
    writer.write(entry, true)
    writer.write('{"at":3}', true)
    const done = new Promise<void>((resolve) => writer.onFailure(() => resolve()))
    writer.flush()
    await done
    t.match(failures, [{ code: 'RECORDING_FAILED' }])
    t.throws(() => writer.write('{"at":4}', true), { code: 'RECORDING_FAILED' })
    await writer.seal()
    t.same(await lines(), [])
  })

t.test('bytes count at once, and exactly', async (t) => {
  const { writer } = await start('bytes')
  t.equal(writer.write(`{"at":1,"sql":"${'x'.repeat(1024 * 1024)}"}`, true), false, 'it is behind')
  await writer.seal()
})
