import { execFileSync } from 'node:child_process'
import t from 'tap'
import { doubleQuotedWord, shellWord, singleQuoted } from '../../../proxy/local/shell-quote.ts'

t.test('a shell reads every word back as it was', async (t) => {
  for (const word of ['plain', '', 'a b', "it's", '$HOME', '`id`', 'a"b', 'back\\slash', '*', 'ü', '--', '!x', 'a\nb'])
    for (const quoted of [singleQuoted(word), shellWord(word), doubleQuotedWord(word)])
      t.equal(execFileSync('/bin/sh', ['-c', `printf %s ${quoted}`], { encoding: 'utf8' }), word, quoted)
})

t.test('fish and PowerShell escape in ways of their own', async (t) => {
  t.equal(singleQuoted("a'b\\c", 'fish'), `'a\\'b\\\\c'`)
  t.equal(singleQuoted("a'b\\c", 'powershell'), `'a''b\\c'`)
})
