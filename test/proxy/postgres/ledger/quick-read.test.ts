/** What is read quickly, and what is written quickly, is what the decoders and JSON.stringify make of it. */

import t from 'tap'
import { type ClientMessage, readClientMessage } from '../../../../proxy/postgres/ledger/client-message.ts'
import { Names, toPortal } from '../../../../proxy/postgres/ledger/names.ts'
import { Pending } from '../../../../proxy/postgres/ledger/pending.ts'
import { readQuickly } from '../../../../proxy/postgres/ledger/quick-read.ts'
import { SessionCapture } from '../../../../proxy/postgres/ledger/session-capture.ts'
import { toEntry } from '../../../../proxy/postgres/ledger/statement-record.ts'
import { readTag } from '../../../../proxy/postgres/ledger/tags.ts'
import { postgresDialect } from '../../../../proxy/postgres/sql/find-secrets.ts'
import { isPlain } from '../../../../proxy/postgres/sql/plain-text.ts'
import fc from '../../../fast-check.ts'
import { bind, describe, execute, query, sync } from '../raw-client.ts'

const capture = new SessionCapture(Buffer.alloc(32))

function shown(message: ClientMessage | undefined) {
  if (message?.kind !== 'bind') return message
  return { ...message, values: message.values.record(), secrets: message.values.secretTexts() }
}

/** @returns whether it was read quickly; then as slowly */
function agree(message: Buffer): boolean {
  const around = Buffer.concat([Buffer.from('before'), message, Buffer.from([0, 0, 255])])
  const [start, end] = [6 + 5, 6 + message.length]
  const quick = readQuickly(message[0] as number, around, start, end, capture)
  if (quick === undefined) return false
  const slow = readClientMessage(message[0] as number, Buffer.from(message.subarray(5)), capture)
  t.same(shown(quick), shown(slow), message.toString('hex'))
  return true
}

const value = fc.option(
  fc.oneof(
    fc.string({ unit: 'binary-ascii', maxLength: 300 }).map((text) => Buffer.from(text)),
    fc
      .constantFrom('password=hunter2', 'postgres://a:secret@b/c', '-17', '2026-11-27 10:00')
      .map((s) => Buffer.from(s)),
    fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
  ),
)
const binds = fc
  .record({
    portal: fc.constantFrom('', '', '', 'p'),
    statement: fc.constantFrom('', 'P_1', 'x'.repeat(70), 'ü'),
    values: fc.array(value, { maxLength: 6 }),
    formats: fc.oneof(fc.constant([]), fc.array(fc.constantFrom(0, 0, 1), { maxLength: 3 })),
  })
  .map(({ portal, statement, values, formats }) => bind(portal, statement, values, formats))

t.test('a Bind that is read quickly is what the decoder says', async (t) => {
  let quick = 0
  fc.assert(
    fc.property(binds, (message) => {
      try {
        if (agree(message)) quick += 1
      } catch (error) {
        // The decoder refuses it, so it must not have been read quickly.
        if (readQuickly(message[0] as number, message, 5, message.length, capture)) throw error
      }
    }),
    { numRuns: 2000 },
  )
  t.ok(quick > 200, `${quick} of 2000`)
})

t.test('bytes changed at random: never anything that the decoder refuses or reads otherwise', async (t) => {
  let quick = 0
  fc.assert(
    fc.property(
      binds,
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
      fc.nat(4),
      (message, changes, shorter) => {
        const changed = Buffer.from(message.subarray(0, Math.max(5, message.length - shorter)))
        for (const [at, byte] of changes) if (changed.length > 5) changed[5 + (at % (changed.length - 5))] = byte
        if (readQuickly(changed[0] as number, changed, 5, changed.length, capture) === undefined) return
        if (!agree(changed)) throw new Error('once quickly, once not')
        quick += 1
      },
    ),
    { numRuns: 5000 },
  )
  t.ok(quick > 20, `${quick} of 5000`)
})

t.test('Sync, Execute and Describe', async (t) => {
  for (const message of [sync, execute(''), execute('', 7), describe('P', '')]) t.ok(agree(message))
  for (const message of [execute('p'), describe('P', 'p'), describe('S', '')]) t.notOk(agree(message))
  for (const message of [sync, execute(''), describe('P', '')]) {
    const longer = Buffer.concat([message, Buffer.from([0])])
    t.equal(readQuickly(longer[0] as number, longer, 5, longer.length, capture), undefined)
  }
})

const words = [
  'select ',
  ' from pgbench_accounts',
  'WHERE aid = ',
  '17',
  'update',
  'PaSSw',
  'word',
  'p',
  'wd',
  ':',
  '//',
]
const others = [
  'options',
  'EXECUTE',
  '\\',
  'x41',
  'uescape',
  'u',
  '"',
  "'",
  'ü',
  'ſ',
  '\n',
  '\0',
  '\x7f',
  's',
  'w',
  'e',
  'X',
]
const texts = fc
  .array(fc.oneof(fc.constantFrom(...words, ...others), fc.string({ unit: 'binary', maxLength: 3 })), { maxLength: 8 })
  .map((parts) => parts.join(''))

t.test('a text that is plain is ASCII, needs no escape, and is none that may hold a secret', async (t) => {
  let plain = 0
  fc.assert(
    fc.property(texts, (text) => {
      const bytes = Buffer.from(`p${text}w`)
      if (!isPlain(bytes, 1, bytes.length - 1)) return
      plain += 1
      t.equal(JSON.stringify(text), `"${text}"`)
      t.match(text, /^[ -~]*$/)
      t.notMatch(text, postgresDialect.mayHoldSecret)
    }),
    { numRuns: 5000 },
  )
  t.ok(plain > 200, `${plain} of 5000`)
  for (const text of [
    'password',
    'PASSW',
    'pwd',
    'a://b',
    'options',
    'Execute',
    'UESCAPE',
    '\\x41',
    '"a"',
    'ü',
    'a\nb',
  ])
    t.notOk(isPlain(Buffer.from(text), 0, Buffer.byteLength(text)), text)
  const usual = 'SELECT abalance FROM pgbench_accounts WHERE aid = 17;'
  t.ok(isPlain(Buffer.from(usual), 0, usual.length))
})

t.test('a Query that is read quickly is what the decoder says', async (t) => {
  let quick = 0
  const unmarked = (message: ClientMessage | undefined) =>
    message?.kind === 'query' ? { ...message, sql: { ...message.sql, isPlain: true } } : message
  fc.assert(
    fc.property(texts, fc.nat(2), fc.nat(2), (text, shorter, longer) => {
      const message = query(text.replaceAll('\0', ''))
      const changed = Buffer.concat([
        message.subarray(0, Math.max(5, message.length - shorter)),
        Buffer.alloc(longer, 'a'),
      ])
      const read = readQuickly(changed[0] as number, changed, 5, changed.length, capture)
      if (read === undefined) return
      quick += 1
      t.same(read, unmarked(readClientMessage(changed[0] as number, Buffer.from(changed.subarray(5)), capture)))
    }),
    { numRuns: 5000 },
  )
  t.ok(quick > 40, `${quick} of 5000`)
  for (const body of [
    Buffer.alloc(0),
    Buffer.from('select 1'),
    Buffer.from('select\0 1\0'),
    Buffer.from('select 1\0\0'),
  ])
    t.equal(readQuickly(81, body, 0, body.length, capture), undefined, body.toString('latin1'))
})

t.test('a tag is what stands there, however many others were read before', async (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 40 }), fc.nat(4), (text, number) => {
      for (const tag of [`INSERT 0 ${number}`, `SELECT ${number}`, text.replaceAll('\0', '')]) {
        const bytes = Buffer.from(`x${tag}\0`)
        const isKept = /^[ -~]{1,32}$/.test(tag)
        t.equal(readTag(bytes, 1, bytes.length), isKept ? tag : undefined)
      }
    }),
    { numRuns: 1000 },
  )
  for (const body of ['', '\0', 'SELECT 1', 'SELECT\x001\0']) {
    const bytes = Buffer.from(body)
    t.equal(readTag(bytes, 0, bytes.length), undefined, body)
  }
})

t.test('an entry that is written quickly is what JSON.stringify makes of it', async (t) => {
  const text = fc.string({ unit: 'binary', maxLength: 40 })
  let checked = 0
  fc.assert(
    fc.property(
      text,
      fc.string({ unit: 'binary-ascii', maxLength: 8 }).filter((name) => !name.includes('\0')),
      fc.array(fc.string({ unit: 'binary-ascii', maxLength: 20 }), { maxLength: 4 }),
      fc.double({ min: 0, max: 1e5, noNaN: true }),
      fc.nat(),
      text,
      (sql, name, values, seconds, rows, tag) => {
        const names = new Names()
        names.parse({ name, sql: { text: sql }, oids: [] })
        const message = bind('', name, values.map(Buffer.from))
        const bound = readClientMessage(message[0] as number, message.subarray(5), capture)
        if (bound?.kind !== 'bind') throw new Error('no Bind')
        names.bind('', toPortal(bound, names.statement(name)))
        for (const request of [
          { kind: 'query', sql: { text: sql } },
          { kind: 'query', sql: capture.sql(Buffer.from(sql)) },
          { kind: 'execute', portal: '' },
        ] as const) {
          const usual = new Pending(request, 1_764_000_000_000, 0, 0)
          Object.assign(usual, { rows, tags: [tag] })
          const quick = toEntry(usual, names, seconds)
          const slow = toEntry(usual, names, seconds, 'suspended')
          t.equal(quick?.text, slow?.text.replace(/,"suspended":true}$/, '}'))
          if (quick?.isPlain) t.match(quick.text, /^[ -~]+$/)
          checked += 1
        }
      },
    ),
    { numRuns: 500 },
  )
  t.ok(checked >= 1000)
})
