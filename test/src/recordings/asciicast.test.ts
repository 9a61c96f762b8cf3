import t from 'tap'
import { toAsciicast } from '../../../src/recordings/asciicast.ts'

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

async function castOf(recorded: readonly object[]): Promise<unknown[]> {
  const cast: unknown[] = []
  const read = (async function* () {
    for (const entry of recorded) yield { entry }
  })()
  for await (const line of toAsciicast(read, session)) {
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
