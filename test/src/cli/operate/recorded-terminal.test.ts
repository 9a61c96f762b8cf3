import t, { type Test } from 'tap'
import { TerminalPlayer, toAsciicast } from '../../../../src/cli/operate/recorded-terminal.ts'
import { SafeTerminalText } from '../../../../src/cli/operate/safe-terminal-text.ts'

const header = {
  session: { id: 'ses_1', principal: 'alice\u202e@example.com', resourceId: 'ec2-instance/1/eu-west-1/i-1' },
  verified: { ok: true, entries: 4 },
}
const entries = [
  { at: 1_700_000_000_500, type: 'terminal', cols: 100, rows: 30, os_user: 'deploy' },
  { at: 1_700_000_000_600, type: 'notice', text: 'this session is recorded' },
  { at: 1_700_000_001_000, type: 'output', text: '\u001b]0;title\u0007$ ' },
  { at: 1_700_000_001_250, type: 'resize', cols: 80, rows: 24 },
  { at: 1_700_000_002_000, type: 'input', text: 'ls\r' },
  { at: 1_700_000_009_000, type: 'output', text: 'a  b\r\n' },
  { at: 1_700_000_009_000, type: 'end', exitCode: 3 },
]

async function* linesOf(first: unknown, more: readonly object[]): AsyncGenerator<string> {
  for (const line of [first, ...more]) yield JSON.stringify(line)
}

async function castOf(lines: AsyncIterable<string>): Promise<unknown[]> {
  const cast: unknown[] = []
  for await (const line of toAsciicast(lines, () => {})) {
    if (!line.endsWith('\n')) throw new Error('a line has no end')
    cast.push(JSON.parse(line))
  }
  return cast
}

t.test('an asciicast of version 2 has what was shown, typed and resized, as it was', async (t) => {
  t.same(await castOf(linesOf(header, entries)), [
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
  const cast = await castOf(
    linesOf(header, [{ ...terminal, command: 'make' }, ...parts.map((text) => ({ at: 1, type: 'output', text }))]),
  )
  const shown = cast.slice(1).map((event) => (event as string[])[2])
  t.same(shown, ['a\r\nb\r', '\nc\r\n', '\r\nd\r', 'e'])
})

t.test('the recording of a database, and one without an entry, is none of a terminal', async (t) => {
  const wrong = { code: 'INVALID_INPUT', message: /ses_1 is not the recording of a terminal/ }
  await t.rejects(castOf(linesOf(header, [{ at: 1, type: 'query', sql: 'select 1' }])), wrong)
  await t.rejects(castOf(linesOf(header, [])), wrong)
})

t.test('it is played as fast as it was, or faster, and long pauses are cut', async (t) => {
  let shown = ''
  const waits: number[] = []
  const wait = async (ms: number) => void waits.push(ms)
  const player = new TerminalPlayer({ write: (text) => (shown += text), wait, speed: 2, idleMs: 2000 })
  for (const entry of entries.slice(1)) await player.play(entry as never)
  player.end()
  t.same(waits, [200, 125, 375, 1000])
  t.ok(
    shown.startsWith('\r\n[this session is recorded]\r\n$ a  b\r\n\r\n[exit code 3]\r\n\u001b[0m'),
    JSON.stringify(shown),
  )
})

const safe = (t: Test, text: string, expected: string) => {
  t.equal(new SafeTerminalText().push(text), expected, JSON.stringify(text))
  const split = new SafeTerminalText()
  t.equal([...text].map((character) => split.push(character)).join(''), expected, 'one character at a time')
}

t.test('what draws is kept', (t) => {
  const drawing = [
    'plain ✓ größe\ttab\b\r\n',
    '\u001b[1;31mred\u001b[0m \u001b[38;2;1;2;3mtrue\u001b[m',
    '\u001b[2J\u001b[H\u001b[10;20H\u001b[K\u001b[3;10r',
    '\u001b[?1049h\u001b[?25l\u001b7\u001b8\u001bM\u001b[?1049l\u001b[?25h',
  ]
  for (const text of drawing) safe(t, text, text)
  t.end()
})

t.test('what could harm a viewer is left out', (t) => {
  const harmful = [
    '\u001b]0;title\u0007',
    '\u001b]52;c;cm0gLXJmIC8=\u001b\\',
    '\u001b]8;;http://evil.example\u001b\\',
    '\u009d0;title\u009c',
    '\u001bP$q"p\u001b\\',
    '\u001b_Gi=1;AAAA\u001b\\',
    '\u001b^private\u001b\\',
    '\u001b[6n',
    '\u001b[c',
    '\u009bc',
    '\u001b[>0q',
    '\u001b[?6n',
    '\u001b[21t',
    '\u001b[?1000h',
    '\u001b[?25;1000h',
    '\u001b[?2004h',
    '\u001b[5i',
    '\u001b[!p',
    '\u001b[4h',
    '\u001bc',
    '\u001bZ',
    '\u001b(0',
    '\u001b=',
    '\u0007\u0005\u000e',
    '\u202e\u2066',
    `\u001b[${'1;'.repeat(40)}m`,
  ]
  for (const text of harmful) safe(t, `a${text}b`, 'ab')
  t.end()
})

t.test('a title without an end hides nothing behind its line', (t) => {
  safe(t, 'a\u001b]0;title\r\nrm -rf /\r\n', 'a\r\nrm -rf /\r\n')
  safe(t, 'a\u001b]0;ti\u0018tle', 'atle')
  safe(t, 'a\u001b[12\u001b[1mb', 'a\u001b[1mb')
  t.end()
})
