import t, { type Test } from 'tap'
import { readMoment } from '../../../../src/cli/operate/moment.ts'
import { TerminalPlayer } from '../../../../src/cli/operate/recorded-terminal.ts'
import { SafeTerminalText } from '../../../../src/cli/operate/safe-terminal-text.ts'

const entries = [
  { at: 1_700_000_000_500, type: 'terminal', cols: 100, rows: 30, os_user: 'deploy' },
  { at: 1_700_000_000_600, type: 'notice', text: 'this session is recorded' },
  { at: 1_700_000_001_000, type: 'output', text: '\u001b]0;title\u0007$ ' },
  { at: 1_700_000_001_250, type: 'resize', cols: 80, rows: 24 },
  { at: 1_700_000_002_000, type: 'input', text: 'ls\r' },
  { at: 1_700_000_009_000, type: 'output', text: 'a  b\r\n' },
  { at: 1_700_000_009_000, type: 'end', exitCode: 3 },
]

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

t.test('T-5: it begins anywhere, with the screen as it was, in the size that it had', async (t) => {
  let shown = ''
  const waits: number[] = []
  const player = new TerminalPlayer({
    write: (text) => (shown += text),
    wait: async (ms) => void waits.push(ms),
    speed: 1,
    idleMs: 2000,
    from: { afterMs: 1000 },
    sizeNotice: (size) => JSON.stringify(size),
  })
  for (const entry of entries) await player.play(entry as never)
  t.same(waits, [500, 2000])
  t.equal(shown.replaceAll('\r\n', ' '), ' [this session is recorded] $  [{"cols":80,"rows":24}] a  b  [exit code 3] ')
})

t.test('moments', (t) => {
  const moments: [string, unknown][] = [
    ['0:05', { afterMs: 5000 }],
    ['90:00', { afterMs: 5_400_000 }],
    ['1:02:03', { afterMs: 3_723_000 }],
    ['1h30m', { afterMs: 5_400_000 }],
    ['2023-11-14T22:13:21.250Z', { at: 1_700_000_001_250 }],
    ['5', undefined],
    ['1:2', undefined],
    ['-5s', undefined],
    ['2023-11-14', undefined],
    ['2023-99-99T00:00:00Z', undefined],
    ['', undefined],
  ]
  for (const [text, moment] of moments) t.same(readMoment(text), moment, text)
  t.end()
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

t.test('T-4: what could harm a viewer is left out', (t) => {
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
