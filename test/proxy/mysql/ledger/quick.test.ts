/** What is read in place and written out says the same as what is decoded and written by JSON.stringify. */
import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import { Answer } from '../../../../proxy/mysql/ledger/answers.ts'
import { Bound } from '../../../../proxy/mysql/ledger/bound.ts'
import { Pending, type Request } from '../../../../proxy/mysql/ledger/pending.ts'
import { type Prepared, toStatement } from '../../../../proxy/mysql/ledger/prepared.ts'
import { readQuickly } from '../../../../proxy/mysql/ledger/quick-values.ts'
import { toEntry } from '../../../../proxy/mysql/ledger/statement-record.ts'
import { SessionText } from '../../../../proxy/mysql/sql/session-text.ts'
import fc from '../../../fast-check.ts'

const capture = new SessionText(Buffer.alloc(32, 7), '8.0.40')
const statement = (parameters: number, sql = 'SELECT ?'): Prepared => toStatement(3, { text: sql }, 0, parameters)

/** Bytes of one value by its type; the sizes are those of the protocol's documentation. */
const value = fc.oneof(
  ...[
    [1, 1],
    [2, 2],
    [3, 4],
    [9, 4],
    [8, 8],
    [5, 8],
    [12, 0],
  ].map(([type = 0, size = 0]) =>
    fc.record({
      type: fc.constant(type),
      sign: fc.constantFrom(0, 0x80),
      bytes: fc
        .oneof(fc.uint8Array({ minLength: size, maxLength: size }), fc.constantFrom(new Uint8Array(size).fill(0xff)))
        .map((bytes) => (type === 12 ? Buffer.from([4, 0xea, 7, 11, 28]) : Buffer.from(bytes))),
    }),
  ),
  fc.record({
    type: fc.constantFrom(15, 253, 254, 252),
    sign: fc.constant(0),
    bytes: fc
      .oneof(
        fc.string({ maxLength: 60 }),
        fc.string({ unit: 'binary', maxLength: 20 }),
        fc.constant(`IDENTIFIED BY 'x'`),
      )
      .map((text) => Buffer.concat([Buffer.from([Buffer.byteLength(text)]), Buffer.from(text)])),
  }),
)

const parameters = fc.array(fc.record({ value, isNull: fc.boolean() }), { maxLength: 12 })

function encode(given: readonly { value: { type: number; sign: number; bytes: Buffer }; isNull: boolean }[]): Buffer {
  if (given.length === 0) return Buffer.alloc(0)
  const nulls = Buffer.alloc((given.length + 7) >> 3)
  for (const [i, { isNull }] of given.entries()) if (isNull) nulls[i >> 3] = (nulls[i >> 3] ?? 0) | (1 << (i & 7))
  const types = Buffer.from(given.flatMap((one) => [one.value.type, one.value.sign]))
  const values = given.filter(({ isNull }) => !isNull).map((one) => one.value.bytes)
  return Buffer.concat([nulls, Buffer.from([1]), types, ...values])
}

function decoded(bytes: Buffer, of: Prepared) {
  const bound = new Bound({ id: 3, hasCursor: false, parameters: bytes }, new Map(), capture)
  bound.resolve(of)
  return bound
}

t.test('parameters read in place are those that the decoder reads', async (t) => {
  let read = 0
  fc.assert(
    fc.property(parameters, (given) => {
      const bytes = encode(given)
      const chunk = Buffer.concat([Buffer.from('before'), bytes, Buffer.from('behind')])
      const [quick, slow] = [statement(given.length), statement(given.length)]
      const values = readQuickly(chunk, 6, 6 + bytes.length, quick, capture)
      const expected = decoded(bytes, slow).record() ?? []
      if (values === undefined) return true
      read += 1
      return quick.types.equals(slow.types) && JSON.stringify(values) === JSON.stringify(expected)
    }),
    { numRuns: 2000 },
  )
  t.ok(read > 200, `${read} of them in place`)
})

t.test('types that were sent once hold for later executions', async (t) => {
  const of = statement(1)
  const capturing = (hex: string) => readQuickly(Buffer.from(hex, 'hex'), 0, hex.length / 2, of, capture)
  t.equal(capturing('00 00 2a000000'.replaceAll(' ', '')), undefined, 'not before they were sent')
  t.same(capturing('00 01 0300 2a000000'.replaceAll(' ', '')), ['42'])
  t.same(capturing('00 00 ffffffff'.replaceAll(' ', '')), ['-1'])
})

t.test('what is cut off, a secret, or a value with one is left to the decoder', async (t) => {
  const at = (bytes: Buffer, of = statement(1)) => readQuickly(bytes, 0, bytes.length, of, capture)
  const whole = Buffer.from('0001fd0003616263', 'hex')
  t.same(at(whole), ['abc'])
  for (let length = 0; length < whole.length; length += 1) t.equal(at(whole.subarray(0, length)), undefined)
  const secret = { ...statement(1), sql: { text: '?', secrets: { parameters: new Set([1]), texts: [] } } }
  t.equal(at(whole, secret), undefined)
  const text = Buffer.from(`CREATE USER u IDENTIFIED BY 'pw'`)
  t.equal(at(Buffer.concat([Buffer.from('0001fd00', 'hex'), Buffer.from([text.length]), text])), undefined)
})

t.test('a usual entry is written as JSON.stringify writes it', async () => {
  const texts = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constant('SELECT "a\\b" FROM `ü`'))
  const entryOf = (request: Request, tag: string, number: number) => {
    const pending = new Pending({ command: 3, request, at: 1_700_000_000_000, since: 0, room: 0, sequence: 1 })
    pending.number = number
    pending.rows = 2
    pending.addTag(tag)
    return toEntry(pending, 0.012345)
  }
  fc.assert(
    fc.property(texts, parameters, fc.boolean(), (text, given, isQuery) => {
      const sql = capture.sql(Buffer.from(text))
      const of = { ...statement(given.length), sql }
      const bytes = encode(given)
      const values = readQuickly(bytes, 0, bytes.length, of, capture)
      const execution = { id: 3, hasCursor: false, size: bytes.length }
      const bound = values ? Bound.read(execution, of, values, capture) : decoded(bytes, of)
      const request: Request = isQuery ? { kind: 'query', sql, files: [] } : { kind: 'execute', bound }
      const usual = entryOf(request, 'ROWS 2', 0)
      // one that was on file as begun is never written out
      const { request: _number, ...full } = JSON.parse(entryOf(request, 'ROWS 2', 9).text)
      return usual.text === JSON.stringify(full) && (!usual.isPlain || /^[ -~]*$/.test(usual.text))
    }),
    { numRuns: 500 },
  )
})

/** OK, EOF, errors, columns and rows as they are usual, cut short, or with a byte changed. */
const payload = fc
  .tuple(
    fc.constantFrom(
      '00010002000000',
      '0000000a000000',
      '00fc0001000200000000',
      '000000024000000009010706706172746e',
      '00000002400000000a0107056f7264657273',
      'fe00000200',
      'fe00000a00',
      'fe00004200',
      'fe0000c200',
      'fe000002000000',
      'fe00000240000000',
      'ff2804233432303030776f7264',
      '01',
      '02',
      '0364656600000000',
      '000000000000000000000000',
      'fb66',
      'fc0000',
      'fc0100',
    ),
    fc.option(fc.tuple(fc.nat(9), fc.integer({ min: 0, max: 255 }))),
    fc.nat(20),
  )
  .map(([hex, edit, length]) => {
    const bytes = Buffer.from(hex, 'hex')
    if (edit && edit[0] < bytes.length) bytes[edit[0]] = edit[1]
    return length > 0 && length < 3 ? bytes.subarray(0, bytes.length - length) : bytes
  })
  .filter((bytes) => bytes.length > 0)

t.test('answers read in place are those that the decoder reads', async (t) => {
  let quickly = 0
  const commands = fc.constantFrom(0x03, 0x04, 0x09, 0x16, 0x17, 0x1b, 0x1c, 0x0e)
  const traits = fc.record({ deprecatesEof: fc.boolean(), isTracking: fc.boolean() })
  fc.assert(
    fc.property(commands, traits, fc.array(payload, { maxLength: 12 }), (command, traits, payloads) => {
      const read = (take: (answer: Answer, bytes: Buffer) => void) => {
        const said: unknown[] = []
        const answer = new Answer(
          {
            ended: (...how) => said.push(how),
            failed: (error) => said.push(error),
            prepared: (reply) => said.push(reply),
            file: (name) => said.push(name.toString('hex')),
            done: () => said.push('done'),
          },
          traits,
        )
        answer.begin(command)
        try {
          for (const bytes of payloads) {
            if (said.includes('done')) break
            if (answer.isRow(bytes[0] as number, bytes.length)) said.push('row')
            else take(answer, bytes)
          }
        } catch (error) {
          said.push((error as Error).message)
        }
        return said
      }
      const quick = read((answer, bytes) => {
        const around = Buffer.concat([Buffer.alloc(3, 0xfe), bytes, Buffer.alloc(3, 0xfe)])
        if (answer.readQuickly(around, 3, 3 + bytes.length)) quickly += 1
        else answer.payload(bytes, true)
      })
      const whole = read((answer, bytes) => answer.payload(bytes, true))
      return isDeepStrictEqual(quick, whole)
    }),
    { numRuns: 3000 },
  )
  t.ok(quickly > 300, `${quickly} were read in place`)
})
