/** What is remembered of a long text's secrets has a bound, and the record of the text is the same as without one. */

import t from 'tap'
import { addSlot, Calls } from '../../proxy/postgres/sql/calls.ts'
import { postgresDialect } from '../../proxy/postgres/sql/find-secrets.ts'
import { headBytes, tailBytes } from '../../proxy/recording/captured.ts'
import { LongText } from '../../proxy/recording/long-text.ts'
import type { SecretFinder, Secrets } from '../../proxy/recording/sql-dialect.ts'
import fc from '../fast-check.ts'

/** Of a secret: `a://b:c@ ` has nine. */
const shortest = 9
const mostSpans = 2 * (1024 + (2 * (headBytes + tailBytes)) / shortest)

/** @returns the record of a text that came in pieces, and what was found in it */
function capture(texts: readonly string[], forgets: boolean) {
  let secrets: Secrets | undefined
  const finder = postgresDialect.findSecrets({ backslashes: 'unknown' })
  const watched: SecretFinder = {
    feed: (bytes, start, end) => finder.feed(bytes, start, end),
    feedLiteral: (bytes) => finder.feedLiteral(bytes),
    forget: (from, to) => {
      if (forgets) finder.forget(from, to)
    },
    finish: () => {
      secrets = finder.finish()
      return secrets
    },
    steps: 0,
  }
  const long = new LongText(watched)
  const bytes = Buffer.from(texts.join(''))
  for (let at = 0; at < bytes.length; at += 5000) long.add(bytes, at, Math.min(bytes.length, at + 5000))
  return { record: long.finish({ bytes: bytes.length, hmac: '' }), secrets: secrets as unknown as Secrets }
}

t.test('B2: a password, again and again, in a long text: no span for each', (t) => {
  const texts = {
    URIs: 'a://b:c@ ',
    'passwords of roles': "alter role x password 'y';",
    'pairs in literals': "'a=b password=c',",
  }
  for (const [name, unit] of Object.entries(texts)) {
    const text = [unit.repeat(1_000_000 / unit.length)]
    const [kept, all] = [capture(text, true), capture(text, false)]
    t.ok(all.secrets.spans.length > mostSpans, `${name}: ${all.secrets.spans.length} are there`)
    t.ok(kept.secrets.spans.length < mostSpans, `${name}: ${kept.secrets.spans.length} are kept`)
    t.same(kept.record, all.record, name)
  }
  t.end()
})

t.test('B2: where only the middle held secrets the size is rounded all the same', (t) => {
  const plain = 'select 1;'.repeat(10_000)
  const text = [plain, 'a://b:c@ '.repeat(20_000), plain]
  const { record, secrets } = capture(text, true)
  t.ok(secrets.spans.length < mostSpans)
  t.same(record, capture(text, false).record)
  t.equal((record.cut?.bytes ?? 1) % 1024, 0)
  t.end()
})

t.test('B2: whatever the text, its record is that of all its spans', (t) => {
  const units = [
    'a://b:c@ ',
    "alter role x password 'y';",
    "'host=h password=",
    "'",
    '$$',
    ' ',
    'select 1;',
    '/*',
    '*/',
  ]
  const runs = fc.array(fc.tuple(fc.constantFrom(...units), fc.integer({ min: 1, max: 6000 })), { maxLength: 6 })
  fc.assert(
    fc.property(runs, (parts) => {
      const text = parts.map(([unit, times]) => unit.repeat(times))
      t.same(capture(text, true).record, capture(text, false).record)
    }),
    { numRuns: 25 },
  )
  t.end()
})

t.test('B2: conversions of a format string and numbers of parameters are counted no further than they can be', (t) => {
  const calls = new Calls()
  calls.open('format')
  const format = calls.beginFormat()
  if (!format) throw new Error('no format begins')
  for (let slot = 1; slot <= 10_000; slot += 1) addSlot(format, slot, 's')
  t.equal(format.slots.size, 4096)
  const finder = postgresDialect.findSecrets({ backslashes: false })
  const sql = Buffer.from(['1', '65535', '65536', '900000'].map((n) => `alter role x password $${n};`).join(''))
  finder.feed(sql, 0, sql.length)
  t.same([...finder.finish().parameters], [1, 65_535])
  t.end()
})
