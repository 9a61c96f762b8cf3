import t from 'tap'
import { LineText } from '../../../proxy/shell/line-text.ts'

interface Case {
  readonly what: string
  readonly shown: readonly string[]
  readonly lines: readonly string[]
}

const cases: readonly Case[] = [
  { what: 'what stands in one text is not told again', shown: ['one\r\ntwo\n'], lines: [] },
  { what: 'echoed one at a time', shown: ['$ ', 'l', 's', '\r\n'], lines: ['$ ls'] },
  { what: 'only the line that began before', shown: ['on', 'e\r\ntwo\r\n'], lines: ['one'] },
  { what: 'colours', shown: ['\u001b[31mred\u001b[0m text\n'], lines: ['red text'] },
  { what: 'a colour across two texts', shown: ['a\u001b[3', '1mb\n'], lines: ['ab'] },
  { what: 'corrected by backspace', shown: ['lx', '\b \b', 's\n'], lines: ['ls'] },
  { what: 'written over from its beginning', shown: ['10%\r20%\n'], lines: ['20%'] },
  { what: 'erased to its end', shown: ['abcdef\rabc\u001b[K\n'], lines: ['abc'] },
  { what: 'a title, ended by BEL', shown: ['\u001b]0;title\u0007text\n'], lines: ['text'] },
  { what: 'a title, ended by ST', shown: ['\u001b]0;title\u001b\\text\n'], lines: ['text'] },
  { what: 'a character set', shown: ['\u001b(Btext\n'], lines: ['text'] },
  { what: 'C1 controls', shown: ['\u009b31mred\n'], lines: ['red'] },
  { what: 'no text', shown: ['   \r\n', '\u001b[H\n'], lines: [] },
]

for (const { what, shown, lines } of cases)
  t.test(what, async (t) => {
    const text = new LineText()
    t.same(
      shown.flatMap((part) => text.push(part)),
      lines,
    )
  })

t.test('the last line has no end', async (t) => {
  const text = new LineText()
  text.push('$ exi')
  t.same(text.end(), ['$ exi'])
  t.same(text.end(), [])
})

t.test('a long line is told in parts, and a string that never ends keeps nothing', async (t) => {
  const text = new LineText()
  text.push('-')
  const lines = text.push('x'.repeat(10_000))
  t.equal(lines[0]?.length, 2000)
  t.same(text.push(`\u001b]0;${'y'.repeat(100_000)}`), [])
})
