import t from 'tap'
import { findAddresses } from '../../../src/ui/terminal/addresses.ts'
import fc from '../../fast-check.ts'

const cases: readonly (readonly [text: string, addresses: readonly string[]])[] = [
  ['see https://example.com/a?b=c#d now', ['https://example.com/a?b=c#d']],
  ['http://localhost:8080', ['http://localhost:8080/']],
  ['HTTPS://EXAMPLE.COM', ['https://example.com/']],
  ['two: http://a.example, and http://b.example.', ['http://a.example/', 'http://b.example/']],
  ['(https://example.com/x)', ['https://example.com/x']],
  ['https://example.com/a_(b)', ['https://example.com/a_(b)']],
  ['[text](https://example.com/x).', ['https://example.com/x']],
  ['"https://example.com/x"', ['https://example.com/x']],
  ['<https://example.com/x>', ['https://example.com/x']],
  ['https://user:pass@example.com/', ['https://user:pass@example.com/']],
  ['https://аpple.com/', ['https://xn--pple-43d.com/']],
  ['https://example.com/\u202egpj', ['https://example.com/']],
  ['https://example.com/\u200bx', ['https://example.com/']],
  ['https://example.com/a\u0000b', ['https://example.com/a']],
  ['javascript:alert(1) file:///etc/passwd data:text/html,x ftp://example.com ssh://host', []],
  ['xhttps://example.com', []],
  ['https:// http://. https://…', []],
  [`https://example.com/${'x'.repeat(3000)}`, []],
]

t.test('addresses in a text', async (t) => {
  for (const [text, addresses] of cases)
    t.same(
      findAddresses(text).map(({ address }) => address),
      addresses,
      text.slice(0, 80),
    )
})

t.test('each one stands where it says, begins at http and leads to the web alone', async (t) => {
  const part = fc.constantFrom(
    'http://',
    'https://',
    'a.b',
    '/',
    '(',
    ')',
    ']',
    '.',
    ' ',
    '@',
    '\u202e',
    'é',
    '😀',
    'javascript:',
  )
  fc.assert(
    fc.property(fc.array(part, { maxLength: 40 }), (parts) => {
      const text = parts.join('')
      return findAddresses(text).every(({ start, end, address }) => {
        const written = text.slice(start, end)
        return /^https?:\/\//.test(written) && URL.parse(written)?.href === address && /^https?:\/\/[^/]/.test(address)
      })
    }),
  )
  t.pass()
})

t.test('a long line of almost addresses takes no long time', async (t) => {
  for (const hostile of [
    'http://'.repeat(20_000),
    `http://${'('.repeat(100_000)}${')'.repeat(100_000)}`,
    'https:/'.repeat(20_000),
  ])
    t.ok(findAddresses(hostile))
})
