import t from 'tap'
import { type CastRange, toAsciicast } from '../../../src/recordings/asciicast.ts'
import fc from '../../fast-check.ts'

const session = { id: 'ses_1', title: 'alice\u202e@example.com on ec2-instance/1/eu-west-1/i-1' }
const entries = [
  { at: 1_700_000_000_500, type: 'terminal', cols: 100, rows: 30, os_user: 'deploy' },
  { at: 1_700_000_000_600, type: 'notice', text: 'this session is recorded' },
  { at: 1_700_000_001_000, type: 'output', text: '\u001b]0;title\u0007$ ' },
  { at: 1_700_000_001_250, type: 'resize', cols: 80, rows: 24 },
  { at: 1_700_000_002_000, type: 'input', text: 'ls\r' },
  { at: 1_700_000_009_000, type: 'output', text: 'a  b\r\n' },
  { at: 1_700_000_009_000, type: 'end', exitCode: 3 },
]

async function castOf(recorded: readonly object[], range: CastRange = {}): Promise<unknown[]> {
  const cast: unknown[] = []
  const read = (async function* () {
    for (const entry of recorded) yield { entry }
  })()
  for await (const line of toAsciicast(read, session, range)) {
    if (!line.endsWith('\n')) throw new Error('a line has no end')
    cast.push(JSON.parse(line))
  }
  return cast
}

t.test('an asciicast of version 2 has what was shown, typed and resized, as it was', async (t) => {
  t.same(await castOf(entries), [
    {
      version: 2,
      width: 100,
      height: 30,
      timestamp: 1_700_000_000,
      title: 'alice\\u{202e}@example.com on ec2-instance/1/eu-west-1/i-1',
    },
    [0.1, 'm', 'this session is recorded'],
    [0.5, 'o', '\u001b]0;title\u0007$ '],
    [0.75, 'r', '80x24'],
    [1.5, 'i', 'ls\r'],
    [8.5, 'o', 'a  b\r\n'],
  ])
})

t.test('T-5: a part of it begins in the size that the terminal had then, with the times of the whole', async (t) => {
  const size = { version: 2, timestamp: 1_700_000_000, width: 80, height: 24 }
  t.match(await castOf(entries, { from: 1, to: 8.5 }), [size, [1.5, 'i', 'ls\r']])
  t.match(await castOf(entries, { from: 0.75, to: 1.5 }), [{ ...size, width: 100, height: 30 }, [0.75, 'r', '80x24']])
  t.match(await castOf(entries, { from: 100 }), [size])
  t.match(await castOf(entries, { to: 0.1 }), [{ width: 100 }])
})

t.test(
  'parts that follow one another have each event of the whole once, also where a clock was set back',
  async (t) => {
    const [terminal] = entries
    const begun = 1_700_000_000_500
    const times = fc.array(fc.integer({ min: -5, max: 50 }), { maxLength: 30 })
    const moments = fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(times, moments, async (at, cuts) => {
        const output = at.map((seconds, i) => ({ at: begun + seconds * 1000, type: 'output', text: `${i}\r` }))
        const recorded = [{ ...terminal, command: 'make' }, ...output]
        const borders = [undefined, ...cuts.sort((a, b) => a - b), undefined]
        const parts = borders.slice(1).map((to, i) => castOf(recorded, { from: borders[i], to }))
        const events = (await Promise.all(parts)).flatMap(([, ...shown]) => shown)
        t.same(events, (await castOf(recorded)).slice(1))
      }),
    )
  },
)

t.test('what a command wrote has line feeds alone, which a terminal needs returns for', async (t) => {
  const [terminal] = entries
  const parts = ['a\nb\r', '\nc\r\n', '\nd\r', 'e']
  const cast = await castOf([
    { ...terminal, command: 'make' },
    ...parts.map((text) => ({ at: 1, type: 'output', text })),
  ])
  const shown = cast.slice(1).map((event) => (event as string[])[2])
  t.same(shown, ['a\r\nb\r', '\nc\r\n', '\r\nd\r', 'e'])
})

t.test('the recording of a database, and one without an entry, is none of a terminal', async (t) => {
  const wrong = { code: 'INVALID_INPUT', message: /ses_1 is not the recording of a terminal/ }
  await t.rejects(castOf([{ at: 1, type: 'query', sql: 'select 1' }]), wrong)
  await t.rejects(castOf([]), wrong)
})
