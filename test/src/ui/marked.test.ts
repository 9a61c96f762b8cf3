import t from 'tap'
import { partsOf } from '../../../src/ui/screens/recordings/marked-parts.ts'
import fc from '../../fast-check.ts'

/** Found parts in brackets. */
const marked = (text: string, sought: string) =>
  partsOf(text, sought)
    .map(({ part, isFound }) => (isFound ? `[${part}]` : part))
    .join('')

t.test('each place of a text is marked, in upper or lower case', async (t) => {
  t.equal(marked('select Needle, needles', 'needle'), 'select [Needle], [needle]s')
  t.equal(marked('aaa', 'aa'), '[aa]a', 'places do not overlap')
  t.equal(marked('a.b', '.'), 'a[.]b', 'the text is no pattern')
  t.equal(marked('nothing', 'x'), 'nothing')
  t.equal(marked('anything', ''), 'anything')
  t.equal(marked('', 'x'), '')
})

t.test('nothing of a text is lost, whatever its letters are', async () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme', maxLength: 3 }), (text, sought) => {
      const joined = partsOf(text, sought)
        .map(({ part }) => part)
        .join('')
      return joined === text
    }),
  )
})
