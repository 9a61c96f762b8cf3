import t, { type Test } from 'tap'
import { LocalEscape } from '../../../src/cli/connect/local-escape.ts'

/** @returns what goes on, and whether the person left */
function typing(...pieces: string[]): [passed: string, leaves: boolean] {
  const local = new LocalEscape()
  let passed = ''
  for (const piece of pieces) {
    const { bytes, leaves } = local.pass(Buffer.from(piece))
    passed += bytes
    if (leaves) return [passed, true]
  }
  return [passed, false]
}

const left = (t: Test, passed: string, ...pieces: string[]) => t.same(typing(...pieces), [passed, true])
const stays = (t: Test, passed: string, ...pieces: string[]) => t.same(typing(...pieces), [passed, false])

t.test('~. at the beginning of a line leaves, however it arrives', (t) => {
  left(t, '', '~.')
  left(t, '', '~', '.')
  left(t, 'ls\r', 'ls\r~.', 'nothing more')
  left(t, 'ls\n', 'ls\n', '~', '.')
  t.end()
})

t.test('anything else is passed on as it was typed', (t) => {
  stays(t, 'cd ~.', 'cd ~.')
  stays(t, '~/bin/run\r', '~', '/bin/run\r')
  stays(t, '~\r', '~', '\r')
  stays(t, 'größer ~\r', 'größer ~\r')
  t.end()
})

t.test('~~ is one ~, and no way out', (t) => {
  stays(t, '~.', '~~.')
  stays(t, '~', '~', '~')
  t.end()
})

t.test('a ~ that was typed before the end of a line counts after it', (t) => {
  left(t, '~\r', '~\r', '~.')
  t.end()
})
