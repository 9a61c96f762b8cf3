import { execFileSync, spawnSync } from 'node:child_process'
import t from 'tap'
import { commandLine, doubleQuotedWord, shellWord, singleQuoted } from '../../../proxy/local/shell-quote.ts'
import fc from '../../fast-check.ts'

t.test('a shell reads every word back as it was', async (t) => {
  for (const word of ['plain', '', 'a b', "it's", '$HOME', '`id`', 'a"b', 'back\\slash', '*', 'ü', '--', '!x', 'a\nb'])
    for (const quoted of [singleQuoted(word), shellWord(word), doubleQuotedWord(word)])
      t.equal(execFileSync('/bin/sh', ['-c', `printf %s ${quoted}`], { encoding: 'utf8' }), word, quoted)
})

t.test('a shell runs a command with exactly the words that it was given', async (t) => {
  const printed = (words: readonly string[]) =>
    execFileSync('/bin/sh', ['-c', commandLine(['printf', '%s\\0', ...words])], { encoding: 'utf8' })
  const word = fc.string({ unit: 'binary', maxLength: 20 }).map((text) => text.replaceAll('\0', '').toWellFormed())
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 5 }), (words) => {
      t.equal(printed(words), words.map((one) => `${one}\0`).join(''))
    }),
    { numRuns: 50 },
  )
})

t.test('the first word names a program, whatever a shell makes of it elsewhere', async (t) => {
  for (const word of ['A=1', 'if', 'while', '~', '', '{', '!']) {
    const { status } = spawnSync('/bin/sh', ['-c', commandLine([word, 'x'])])
    t.ok(status === 126 || status === 127, `${word}: ${status}`)
  }
  t.equal(commandLine(['cat', '/etc/hosts']), 'cat /etc/hosts')
})

t.test('fish and PowerShell escape in ways of their own', async (t) => {
  t.equal(singleQuoted("a'b\\c", 'fish'), `'a\\'b\\\\c'`)
  t.equal(singleQuoted("a'b\\c", 'powershell'), `'a''b\\c'`)
})
