import t from 'tap'
import { canonicalJson, readCanonical } from '../../../src/audit/canonical.ts'
import { type ChainRow, eventHash, genesis, link, verifyChain } from '../../../src/audit/chain.ts'
import { isIndexed, subjectsOf } from '../../../src/audit/subjects.ts'
import fc from '../../fast-check.ts'

const installation = 'ins_test'

function makeChain(length: number): ChainRow[] {
  const rows: ChainRow[] = []
  for (let i = 0; i < length; i++) {
    const event = {
      at: 1_800_000_000_000 + i,
      type: 'grant.created',
      actor: `prn_${i}`,
      body: canonicalJson({ grant: `grt_${i}`, count: i, list: ['a', 'b'] }),
      text_digest: i % 2 === 0 ? 'ab'.repeat(32) : null,
    }
    rows.push(link(event, i + 1, rows.at(-1)?.hash ?? genesis(installation)))
  }
  return rows
}

function headOf(rows: readonly ChainRow[]): { seq: number; hash: string } {
  const last = rows.at(-1)
  return { seq: last?.seq ?? 0, hash: last?.hash ?? genesis(installation) }
}

t.test('canonical JSON', async (t) => {
  await t.test('one value, one text', async (t) => {
    t.equal(canonicalJson({ b: [1, 'x', null], a: { d: true, c: -0 } }), '{"a":{"c":0,"d":true},"b":[1,"x",null]}')
    t.equal(canonicalJson('ü\u0000\ud800'), '"ü\\u0000\\ud800"', 'a lone surrogate is escaped')
    t.equal(canonicalJson({ é: 1, z: 2, Z: 3 }), '{"Z":3,"z":2,"é":1}', 'by UTF-16 code unit')
  })
  await t.test('refuses what has no exact form', async (t) => {
    for (const number of [0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      t.throws(() => canonicalJson({ number }), { name: 'TypeError', message: /whole numbers/ }, String(number))
    }
    t.throws(() => canonicalJson({ a: undefined } as never), { name: 'TypeError', message: /undefined/ })
    t.equal(canonicalJson(2 ** 53 - 1), '9007199254740991')
  })
  await t.test('is what JSON.parse reads back, whatever the order of keys', async (t) => {
    const leaf = fc.oneof(fc.string({ unit: 'binary' }), fc.maxSafeInteger(), fc.boolean(), fc.constant(null))
    const value = fc.dictionary(fc.string(), fc.oneof(leaf, fc.array(leaf)), { noNullPrototype: true })
    fc.assert(
      fc.property(value, (object) => {
        const text = canonicalJson(object)
        t.same(JSON.parse(text), JSON.parse(JSON.stringify(object)))
        const shuffled = Object.fromEntries(Object.entries(object).reverse())
        t.equal(canonicalJson(shuffled), text)
        t.same(readCanonical(text), JSON.parse(text))
      }),
      { numRuns: 50 },
    )
    for (const text of ['{"b":1,"a":2}', '{ "a":1}', '{"a":1.0}', '{"a":1,"a":1}', 'x'])
      t.equal(readCanonical(text), undefined, text)
  })
})

t.test('the hash is SHA-256 over every other column and the predecessor', async (t) => {
  // Both computed with Python's hashlib and json.dumps(sort_keys=True, separators=(',', ':')).
  const first = genesis('ins_test')
  t.equal(first, 'bd6b7bf6928db99c405756af34443ed5d2ab1eaed677fd45d768937f0240359c')
  const [row] = makeChain(1)
  if (!row) throw new Error('no row')
  t.equal(row.hash, 'c64e7abc189038d215f506e74bb81aac4abb151ce752b15e85cf57e0c4050e21')
  t.equal(eventHash(row), row.hash)
  t.not(genesis('ins_other'), first, 'each installation has a beginning of its own')
})

t.test('an untouched chain has no problems', async (t) => {
  for (const length of [0, 1, 2, 20]) {
    const rows = makeChain(length)
    t.same(verifyChain(rows, installation, headOf(rows)), [], `${length} events`)
  }
})

t.test('tampering is named with its place', async (t) => {
  const rows = makeChain(6)
  const head = headOf(rows)
  const change = (seq: number, changes: Partial<ChainRow>) =>
    rows.map((row) => (row.seq === seq ? { ...row, ...changes } : row))
  const rehash = (seq: number, changes: Partial<ChainRow>) =>
    rows.map((row) => (row.seq === seq ? { ...row, ...changes, hash: eventHash({ ...row, ...changes }) } : row))
  const cases: [string, ChainRow[], { seq: number; hash: string }, unknown[]][] = [
    ['actor', change(3, { actor: 'prn_x' }), head, [{ where: 'event', at: 3, what: /its content was changed/ }]],
    ['body', change(1, { body: '{}' }), head, [{ where: 'event', at: 1, what: /content/ }]],
    ['body no longer canonical', change(2, { body: '{ }' }), head, [{ at: 2, what: /its body/ }]],
    ['hash', change(4, { hash: 'f'.repeat(64) }), head, [{ where: 'event', at: 4, what: 'its hash was changed' }]],
    ['hash of the last', change(6, { hash: 'f'.repeat(64) }), head, [{ at: 6, what: 'its hash was changed' }]],
    ['prev_hash', change(5, { prev_hash: 'f'.repeat(64) }), head, [{ at: 5, what: 'its prev_hash was changed' }]],
    ['seq', change(6, { seq: 9 }), head, [{ at: 6, what: 'its seq was changed to 9' }]],
    [
      'content and hash, but not what follows',
      rehash(3, { actor: 'prn_x' }),
      head,
      [{ where: 'event', at: 4, what: /does not match event 3/ }],
    ],
    ['a row taken out', rows.filter(({ seq }) => seq !== 3), head, [{ at: 3, what: 'missing: 2 is followed by 4' }]],
    ['the last rows taken out', rows.slice(0, 4), head, [{ where: 'head', at: 6, what: /the last event is 4/ }]],
    [
      'another head',
      rows,
      { seq: 6, hash: 'f'.repeat(64) },
      [{ where: 'head', at: 6, what: /not the hash of the last/ }],
    ],
    ['two rows swapped', [0, 2, 1, 3, 4, 5].flatMap((i) => rows[i] ?? []), head, [{ at: 2 }, { at: 4 }, { at: 3 }]],
    ['number as text', change(2, { at: '1' as never }), head, [{ at: 2, what: /its at/ }]],
  ]
  for (const [name, tampered, end, expected] of cases) {
    const problems = verifyChain(tampered, installation, end)
    t.match(problems, expected, name)
    if (name !== 'two rows swapped') t.equal(problems.length, expected.length, `${name}: ${JSON.stringify(problems)}`)
  }
})

t.test('a chain of another installation is refused at its first event', async (t) => {
  const rows = makeChain(3)
  t.match(verifyChain(rows, 'ins_other', headOf(rows)), [{ at: 1, what: /does not match event 0/ }])
})

const columns = ['seq', 'at', 'type', 'actor', 'body', 'text_digest', 'prev_hash', 'hash'] as const

/** One bit of one column, wherever it leads. */
function flip(row: ChainRow, column: (typeof columns)[number], bit: number): ChainRow {
  const value = row[column]
  if (typeof value === 'number') return { ...row, [column]: value ^ (1 << (bit % 31)) || value + 1 }
  const bytes = Buffer.from(value ?? '')
  const index = Math.floor(bit / 8) % bytes.length
  bytes[index] = (bytes[index] ?? 0) ^ (1 << (bit % 8))
  return { ...row, [column]: bytes.toString('latin1') }
}

t.test('any single changed bit of any column is found, and placed', async (t) => {
  const rows = makeChain(8)
  fc.assert(
    fc.property(fc.nat(7), fc.constantFrom(...columns), fc.nat(2000), (index, column, bit) => {
      const row = rows[index]
      if (!row || row[column] === null) return
      const tampered = rows.map((other) => (other === row ? flip(row, column, bit) : other))
      tampered.sort((a, b) => a.seq - b.seq)
      const problems = verifyChain(tampered, installation, headOf(rows))
      t.ok(
        problems.some(({ at }) => at === row.seq),
        `${column} of ${row.seq}: ${JSON.stringify(problems)}`,
      )
    }),
    { numRuns: 300 },
  )
})

t.test('an event is found by its actor and by every text among its fields, long ones aside', async (t) => {
  const fields = { grant: 'grt_1', count: 3, groups: ['a', 'b'], none: null, text: 'x'.repeat(257), '': '' }
  t.same([...subjectsOf('prn_1', fields)].sort(), ['a', 'b', 'grt_1', 'prn_1'])
})

t.test('the search index is compared in any order, and by characters', async (t) => {
  const subjects = new Set(['prn_1', 'a:b', '😀é', '12:x'])
  t.ok(isIndexed(subjects, '5:prn_13:a:b2:😀é4:12:x'))
  t.ok(isIndexed(subjects, '4:12:x2:😀é3:a:b5:prn_1'))
  t.ok(isIndexed(new Set(), ''))
  const different = [
    '',
    '5:prn_13:a:b2:😀é',
    '5:prn_13:a:b2:😀é4:12:y',
    '5:prn_15:prn_13:a:b2:😀é',
    '5:prn_13:a:b2:😀é4:12:x1:z',
  ]
  for (const listed of [...different, '4:prn_13:a:b2:😀é4:12:x', 'prn_1', ':', '99:prn_1', '1e9:', 'x:y'])
    t.notOk(isIndexed(subjects, listed), listed)
})
