import t from 'tap'
import { ownPath } from '../../../src/http/routes/return-to.ts'
import fc from '../../fast-check.ts'

const origin = 'https://access.example.com'

t.test('a path of ours is kept, with its query', async (t) => {
  t.equal(ownPath('/requests/req_1?tab=a', origin), '/requests/req_1?tab=a')
  t.equal(ownPath(undefined, origin), '/')
  t.equal(ownPath('', origin), '/')
})

t.test('whatever is asked, a browser stays on our origin', async () => {
  const part = fc.constantFrom(
    '/',
    '\\',
    '.',
    '..',
    '//',
    '@',
    ':',
    'evil.example',
    '%2f',
    '\t',
    '\n',
    '?',
    '#',
    'https:',
    'a',
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(part, { maxLength: 8 }).map((parts) => parts.join('')),
        fc.string(),
      ),
      (asked) => {
        let path: string
        try {
          path = ownPath(asked, origin)
        } catch (error) {
          return (error as { code?: string }).code === 'INVALID_INPUT'
        }
        return new URL(path, `${origin}/login`).origin === origin && new URL(`${origin}${path}`).origin === origin
      },
    ),
    { numRuns: 5000 },
  )
})
