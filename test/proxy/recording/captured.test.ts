import { createHmac } from 'node:crypto'
import t from 'tap'
import { BoundValues, type Parameters } from '../../../proxy/postgres/ledger/bound-values.ts'
import { LongMessages } from '../../../proxy/postgres/ledger/long-message.ts'
import { SessionCapture } from '../../../proxy/postgres/ledger/session-capture.ts'
import { keptBytes } from '../../../proxy/recording/captured.ts'

const key = Buffer.alloc(32, 7)
const hmac = (bytes: string | Buffer) => createHmac('sha256', key).update(bytes).digest('hex')
const capture = new SessionCapture(key)
const Q = 'Q'.charCodeAt(0)
const values = (given: readonly (Buffer | null)[], formats: readonly number[], parameters?: Parameters) =>
  new BoundValues(formats, given, capture).record(parameters)

t.test('what is not UTF-8 is kept in bytes, unless a password was in it', (t) => {
  const latin1 = Buffer.from("select 'caf\xe9'", 'latin1')
  t.match(capture.sql(latin1), { text: "select 'caf\ufffd'", base64: latin1.toString('base64') })
  const secret = Buffer.from("alter role caf\xe9 password 'x'", 'latin1')
  const captured = capture.sql(secret)
  t.match(captured, { text: 'alter role caf\ufffd password [redacted]', hmac: hmac(secret) })
  t.notOk(captured.base64)
  t.end()
})

t.test('what is too long has its size and digest, in pieces or whole', (t) => {
  const body = Buffer.from(`select '${'é'.repeat(keptBytes / 2)}' as the_end\0`)
  const whole = new LongMessages(capture).long(Q, body, 0, body.length)
  const passing = new LongMessages(capture)
  t.equal(passing.begin(Q, body.length), 0)
  for (let at = 0; at < body.length; at += 777) passing.part(body, at, Math.min(at + 777, body.length))
  t.same(passing.long(Q, body, 0, 0), whole)
  t.match(whole, { kind: 'query', sql: { cut: { bytes: body.length, hmac: hmac(body) } } })
  const { sql } = whole as { sql: { text: string; tail: string } }
  t.match(sql.text, /^select 'é+$/)
  t.match(sql.tail, /^é+' as the_end$/, 'no character is cut in half')
  t.ok(Buffer.byteLength(sql.text) + Buffer.byteLength(sql.tail) >= keptBytes - 4)
  t.equal(passing.begin(Q, keptBytes), keptBytes, 'one that is kept is collected')
  t.end()
})

t.test('values: long ones are cut, odd ones don’t break anything', (t) => {
  const long = Buffer.alloc(10_000, 'a')
  const blob = Buffer.alloc(65, 1)
  t.same(values([long, blob, Buffer.from([0xff])], [0, 1, 0], { oids: [25, 17] }), [
    { text: 'a'.repeat(8192), bytes: 10_000, hmac: hmac(long) },
    { hex: '01'.repeat(64), oid: 17, bytes: 65, hmac: hmac(blob) },
    { hex: 'ff', oid: 0, bytes: 1 },
  ])
  const infinite = [Buffer.from('7fffffff', 'hex'), Buffer.from('7fffffffffffffff', 'hex')]
  t.same(values(infinite, [1], { oids: [1082, 1184] }), ['2147483647', '9223372036854775807'], 'dates without end')
  const days = Buffer.alloc(4)
  days.writeInt32BE(366)
  t.same(values([days], [1], { oids: [1082] }), ['2001-01-01'])
  t.same(
    values([Buffer.from([1, 2])], [1], { oids: [23] }),
    [{ hex: '0102', oid: 23, bytes: 2 }],
    'not the length of its type',
  )
  t.same(values([Buffer.from('\x01{"a":1}')], [1], { oids: [3802] }), ['{"a":1}'], 'jsonb, without its version')
  t.end()
})
