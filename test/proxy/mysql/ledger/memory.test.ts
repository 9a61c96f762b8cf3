/** What prepared statements keep in memory for as long as they are open. */
import t from 'tap'
import { Bound } from '../../../../proxy/mysql/ledger/bound.ts'
import { toStatement } from '../../../../proxy/mysql/ledger/prepared.ts'
import { readQuickly } from '../../../../proxy/mysql/ledger/quick-values.ts'
import { SessionText } from '../../../../proxy/mysql/sql/session-text.ts'

const capture = new SessionText(Buffer.alloc(32, 7), '8.0.40')

/** NULL bitmap, types follow, a type of two bytes each: VAR_STRING, and the values. */
function parametersOf(texts: readonly string[]): Buffer {
  const nulls = Buffer.alloc((texts.length + 7) >> 3)
  const values = texts.map((text) => {
    const bytes = Buffer.from(text)
    const head = bytes.length < 251 ? [bytes.length] : [0xfc, bytes.length & 0xff, bytes.length >> 8]
    return Buffer.concat([Buffer.from(head), bytes])
  })
  return Buffer.concat([nulls, Buffer.from([1]), Buffer.from(texts.flatMap(() => [253, 0])), ...values])
}

t.test('types are kept without the values that they came with', async (t) => {
  const statement = toStatement(3, { text: 'SELECT ?' }, 0, 1)
  const long = parametersOf(['x'.repeat(60_000)])
  const bound = new Bound({ id: 3, hasCursor: false, parameters: long }, new Map(), capture)
  bound.resolve(statement)
  t.same(bound.record()?.length, 1)
  t.strictSame([...statement.types], [253, 0])
  t.equal(statement.types.buffer.byteLength, 2)
  const quick = toStatement(4, { text: 'SELECT ?' }, 0, 1)
  const short = parametersOf(['short'])
  t.strictSame(readQuickly(short, 0, short.length, quick, capture), ['short'])
  t.equal(quick.types.buffer.byteLength, 2)
})

t.test('a statement whose text is not remembered keeps no long list of types', async (t) => {
  const many = Array.from({ length: 300 }, () => 'x')
  const parameters = parametersOf(many)
  for (const isUnknown of [true, undefined]) {
    const statement = toStatement(3, { text: '', ...(isUnknown && { isUnknown }) }, 0, many.length)
    const bound = new Bound({ id: 3, hasCursor: false, parameters }, new Map(), capture)
    bound.resolve(statement)
    t.strictSame(bound.record(), many, 'the values that come with them are on record')
    t.equal(statement.types.length, isUnknown ? 0 : 600)
    const again = Buffer.concat([Buffer.alloc(39), parameters.subarray(39 + 600)]) // without types
    const later = new Bound({ id: 3, hasCursor: false, parameters: again }, new Map(), capture)
    later.resolve(statement)
    if (isUnknown) t.match(later.unread, { bytes: again.length, hmac: /^[0-9a-f]{64}$/ }, 'or their digest is')
    else t.strictSame(later.record(), many)
  }
})
