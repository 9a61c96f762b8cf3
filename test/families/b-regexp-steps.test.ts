/** What regular expressions cost on bytes of strangers: what they try is counted, not timed. */

import t from 'tap'
import { readStartup } from '../../proxy/postgres/sign-in/startup.ts'
import { postgresDialect } from '../../proxy/postgres/sql/find-secrets.ts'
import { makesPreparing, mayPrepare, readOperations } from '../../proxy/postgres/sql/prepared.ts'
import { redactError, textsOf } from '../../proxy/recording/redact.ts'
import { deriveScramKeys, finishScram, scramMechanism, startScram } from '../../proxy/wire/postgres/scram.ts'
import { parseMilliseconds } from '../../proxy/wire/postgres/setting-values.ts'
import { parseOptions } from '../../proxy/wire/postgres/startup-options.ts'
import { routes } from '../../src/contract/routes.ts'
import { toAddress } from '../../src/http/plugins/forwarded-for.ts'
import fc from '../fast-check.ts'
import { countSteps, stepsOf } from './b-regexp-steps.ts'

const stepsPerCharacter = 16

const blanks = [' ', '\t', '\n', '\v', '\f', '\r']
const marks = [
  '.',
  ',',
  ':',
  ';',
  '-',
  '+',
  '=',
  '_',
  '/',
  '\\',
  "'",
  '"',
  '$',
  '@',
  '%',
  '[',
  ']',
  '\0',
  'é',
  '\u2028',
]
const pieces = [
  ...blanks,
  ...marks,
  '0',
  '1',
  '9',
  'a',
  'e',
  'x',
  'E',
  'X',
  'ms',
  'n=',
  'r=',
  'a.',
  'a-',
  '-c',
  "''",
  '""',
]
const words = ['language ', 'prepare ', 'password ', '1 ', 'n,,n=,r=', 'c=a,r=', '::ffff:', 'https://', 'enable_', "e'"]

/** A beginning, a long run of one piece, an end that may not fit. */
const texts = fc
  .record({
    start: fc.array(fc.constantFrom(...pieces, ...words), { maxLength: 3 }),
    run: fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 2 }),
    end: fc.array(fc.constantFrom(...pieces, 'xxxx'), { maxLength: 2 }),
  })
  .map(({ start, run, end }) => start.join('') + run.join('').repeat(200) + end.join(''))

function isRefused(work: () => unknown): void {
  try {
    work()
  } catch {
    // refused is fine too: only the cost matters here
  }
}

const keys = deriveScramKeys('secret', Buffer.alloc(16))
const startup = (name: string, value: string) =>
  readStartup({
    ...{ kind: 'startup', major: 3, minor: 0, extensions: [] },
    parameters: new Map([
      ['user', 'u'],
      [name, value],
    ]),
  })

const readers: Readonly<Record<string, (text: string) => unknown>> = {
  'a duration of a startup packet': parseMilliseconds,
  'a startup packet, a value': (text) => startup('statement_timeout', text),
  'a startup packet, a name': (text) => startup(text, '1'),
  'a startup packet, options': (text) => startup('options', `-c statement_timeout=${text}`),
  'options split': parseOptions,
  'SCRAM, the first message': (text) =>
    startScram({ mechanism: scramMechanism.plain, data: Buffer.from(text) }, undefined, keys, 'x'.repeat(24)),
  'SCRAM, the last message': (text) => {
    const data = Buffer.from('n,,n=,r=abc')
    finishScram(
      startScram({ mechanism: scramMechanism.plain, data }, undefined, keys, 'x'.repeat(24)),
      Buffer.from(text),
    )
  },
  'X-Forwarded-For': toAddress,
  'SQL that may prepare': (text) => [mayPrepare(text), makesPreparing(text)],
  'names in SQL': (text) => readOperations(`prepare ${text} as ${text}; deallocate "${text}"`),
  'what was redacted': textsOf,
  'an error of the target': (text) => redactError(text, [text.slice(0, 5)], true, postgresDialect.errorQuote),
}

t.test('B1: the counter counts what V8 tries, and knows when that is quadratic', (t) => {
  const blank = ' '.repeat(200)
  t.ok(stepsOf(/^1 *x{0,3} *$/, `1${blank}!`) > 200 * 100, 'two runs of blanks that meet')
  t.ok(stepsOf(/\/+$/, `${'/'.repeat(200)}!`) > 200 * 100, 'a run that may begin anywhere')
  t.ok(stepsOf(/^(a+)+$/, `${'a'.repeat(12)}!`) > 2 ** 12, 'a run of runs')
  t.ok(stepsOf(/^1 *(?:x{1,3})? *$/, `1${blank}!`) > 200 * 100, 'what may be empty in another form')
  t.ok(stepsOf(/^1(?: *x{1,3})? *$/, `1${blank}!`) < 1000, 'the same language, in one way only')
  t.equal(stepsOf(/^a{2,4}?b|^[^\]\s]\u0041(?!c)\x41$/, 'aab'), 3)
  t.end()
})

for (const [name, read] of Object.entries(readers))
  t.test(`B1: ${name}: the cost is linear`, (t) => {
    fc.assert(
      fc.property(
        texts,
        (text) => countSteps(() => isRefused(() => read(text))) <= text.length * stepsPerCharacter + 500,
      ),
      { numRuns: 300, examples: [[`1${' '.repeat(600)}xxxx`], [`1 ms${'\t'.repeat(600)}!`]] },
    )
    t.end()
  })

t.test('B1: every pattern of the API: the cost is linear', (t) => {
  const patterns = [...patternsOf(routes)].map((source) => new RegExp(source, 'u'))
  t.ok(patterns.length > 5, `${patterns.length} patterns`)
  for (const pattern of patterns)
    fc.assert(
      fc.property(texts, (text) => stepsOf(pattern, text) <= text.length * stepsPerCharacter + 500),
      { numRuns: 100 },
    )
  t.end()
})

t.test('B1: blanks around a unit, and none, mean what they meant', (t) => {
  const durations = { '5': 5, '5 ': 5, ' \t5\f\r': 5, '5s': 5000, '5 s': 5000, '5\n\vmin ': 300_000, '5ms\n': 5 }
  for (const [text, ms] of Object.entries(durations)) t.equal(parseMilliseconds(text), ms, JSON.stringify(text))
  for (const text of ['', ' ', 's', ' s', '5 s s', '5 mins', '5s5', '5 s!', '5 m s'])
    t.equal(parseMilliseconds(text), undefined, JSON.stringify(text))
  t.end()
})

function patternsOf(schema: unknown, found = new Set<string>(), seen = new Set<unknown>()): ReadonlySet<string> {
  if (typeof schema !== 'object' || schema === null || seen.has(schema)) return found
  seen.add(schema)
  for (const [name, member] of Object.entries(schema)) {
    if (name === 'pattern' && typeof member === 'string') found.add(member)
    else patternsOf(member, found, seen)
  }
  return found
}
