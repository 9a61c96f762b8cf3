import t from 'tap'
import { asksFirst, cleanPaste } from '../../../src/ui/terminal/paste.ts'
import fc from '../../fast-check.ts'

t.test('a pasted text cannot end its brackets, or move the cursor', async (t) => {
  for (const [pasted, cleaned] of [
    ['plain text', 'plain text'],
    ['a\u001b[201~\rid', 'a[201~\nid'],
    ['a\u009b201~b', 'a201~b'],
    ['one\r\ntwo\rthree\n', 'one\ntwo\nthree\n'],
    ['\tindented\u0000\u0007\u007f', '\tindented'],
    ['ä 漢 🙂', 'ä 漢 🙂'],
  ] as const)
    t.equal(cleanPaste(pasted), cleaned)
})

t.test('of any text no control character but tab and line feed is left, and nothing else is lost', async () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const cleaned = cleanPaste(text)
      const isControl = (one: string) => /\p{Cc}/u.test(one)
      const left = [...cleaned].filter(isControl)
      const kept = (of: string) => [...of].filter((one) => !isControl(one)).join('')
      return left.every((one) => one === '\t' || one === '\n') && kept(cleaned) === kept(text)
    }),
  )
})

t.test('lines that would run at once are asked for, the same in brackets are not', async (t) => {
  t.equal(asksFirst('one line', false), false)
  t.equal(asksFirst('one line\n', false), true)
  t.equal(asksFirst('two\nlines', false), true)
  t.equal(asksFirst('two\nlines', true), false)
})
