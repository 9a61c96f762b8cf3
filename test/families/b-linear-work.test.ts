/** No bytes of a session cost more than their share: what a text makes the lexer look at is counted, not timed. */

import t from 'tap'
import { postgresDialect } from '../../proxy/postgres/sql/find-secrets.ts'
import { keptBytes } from '../../proxy/recording/captured.ts'
import fc from '../fast-check.ts'

/** A text, its literals to the third depth, their reading as connection strings, and URIs; twice where backslashes are in doubt. */
const stepsPerByte = 20

const pieces = [
  ...['password ', "password '", 'password $a$', 'password $$ ', "password E'\\", '\n', '    ', '$n$', '$1', '$'],
  ...[
    "'",
    "''",
    '"',
    '\\',
    '--',
    '/*',
    '*/',
    '$$',
    '$a$',
    '$ab$',
    '$a',
    "e'",
    "u&'",
    ';',
    '(',
    ')',
    ',',
    '||',
    '%L',
    '%1$s',
  ],
  ...[
    'alter role x ',
    'create user mapping for x ',
    'options (',
    'format(',
    'dblink(',
    'quote_literal(',
    '://a:',
    'host=h ',
  ],
  ...['a', 'é', '\x00', 'begin ', 'update t set password = '],
  ...[
    'insert into t (a, password) values (',
    'set (a, password) = ((',
    'select ',
    ' from ',
    'prepare a as ',
    'execute a(',
  ],
  ...['concat(', 'concat_ws(', 'password=', '\\0', '\\00', '\\u00', '\\x7', '77', 'uescape ', '%7'],
]

function find(text: string, backslashes: boolean | 'unknown', size = Number.POSITIVE_INFINITY) {
  const bytes = Buffer.from(text)
  const finder = postgresDialect.findSecrets({ backslashes })
  for (let at = 0; at < bytes.length; at += size) finder.feed(bytes, at, Math.min(bytes.length, at + size))
  const secrets = finder.finish()
  return { ...secrets, length: bytes.length, steps: finder.steps }
}

t.test('B1: `password`, blanks and `$n$`, as often as 64 KB hold', (t) => {
  for (const unit of [
    `password${' '.repeat(60)}$n$`,
    `password ${'$a$'}`,
    "password E'\\",
    'password $$ ',
    "password ''''",
  ]) {
    const { steps, length } = find(unit.repeat(keptBytes / unit.length), 'unknown')
    t.ok(steps <= length * stepsPerByte, `${unit.slice(0, 20)}: ${steps} steps for ${length} bytes`)
  }
  t.end()
})

t.test('B1: whatever the text, its cost is linear; twice the text costs about twice as much', (t) => {
  const texts = fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 60 })
  fc.assert(
    fc.property(texts, fc.integer({ min: 1, max: 60 }), (units, times) => {
      const text = units.join('').repeat(times)
      const { steps, length } = find(text, 'unknown')
      return steps <= length * stepsPerByte
    }),
    { numRuns: 2000 },
  )
  t.end()
})

t.test('B1: dollar quotes with as many tags, comments as deep, and literals as nested as a text has room for', (t) => {
  const many = Array.from({ length: 8000 }, (_, i) => i.toString(36))
  const texts = {
    'tags that open and never close': many.map((n) => `password $${n.replace(/^\d/, 'a')}$ `).join(''),
    'one tag as long as the text': `password $${'a'.repeat(keptBytes)}`,
    'a tag whose beginning repeats': `do $aaaaaaaab$${'$aaaaaaaa'.repeat(7000)}`,
    'comments in comments': `password ${'/*'.repeat(30_000)}`,
    'quotes in quotes': `password ${"'".repeat(60_000)}`,
    'names without an end': `password ${'a'.repeat(keptBytes)}`,
    'schemes without an end': `password ${'a:/'.repeat(20_000)}`,
    'parentheses and calls': `password ${'format(dblink('.repeat(4000)}`,
  }
  for (const [name, text] of Object.entries(texts)) {
    const { steps, length } = find(text, 'unknown')
    t.ok(steps <= length * stepsPerByte, `${name}: ${steps} steps for ${length} bytes`)
  }
  t.end()
})

t.test('B1: pieces of any size give the same secrets as the whole', (t) => {
  const texts = fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 40 })
  fc.assert(
    fc.property(texts, fc.integer({ min: 1, max: 9 }), fc.boolean(), (units, size, backslashes) => {
      const text = units.join('')
      const [whole, parts] = [find(text, backslashes), find(text, backslashes, size)]
      t.same(parts, whole)
      return true
    }),
    { numRuns: 500 },
  )
  t.end()
})
