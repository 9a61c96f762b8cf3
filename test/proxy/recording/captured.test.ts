import { createHash } from 'node:crypto'
import t from 'tap'
import { recordValues } from '../../../proxy/postgres/ledger/bound-values.ts'
import { captureSql, keptBytes, PassingBody, truncationOf } from '../../../proxy/recording/captured.ts'

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
const capture = (text: string) => captureSql(Buffer.from(text)).text

t.test('passwords in statements are taken out, and nothing else', (t) => {
  for (const [sql, expected] of [
    ["alter role x password 'a''b' valid until 'infinity'", "alter role x password [redacted] valid until 'infinity'"],
    ["ALTER USER x PASSWORD E'a\\'b'", 'ALTER USER x PASSWORD [redacted]'],
    ["create role x password U&'d\\0061t'", 'create role x password [redacted]'],
    ['alter role x password $q$it is$q$;', 'alter role x password [redacted];'],
    ["options (user 'u', password 'p')", "options (user 'u', password [redacted])"],
    ["select dblink('host=h password=''x y''', 'q')", "select dblink('host=h password=[redacted]', 'q')"],
    ["select dblink('host=h password=x user=u')", "select dblink('host=h password=[redacted] user=u')"],
    [
      "create subscription s connection 'password = x' publication p",
      "create subscription s connection 'password = [redacted]' publication p",
    ],
    ['select 1 from t where password=other', 'select 1 from t where password=other'],
    ['alter role x password null', 'alter role x password null'],
    ["select 'x' from passwords", "select 'x' from passwords"],
  ] as const)
    t.equal(capture(sql), expected)
  t.end()
})

t.test('a text made to be slow to search is not', (t) => {
  const since = performance.now()
  for (const opening of ['password $a$', "password E'\\", "password '", 'password $$ ', 'password      '])
    capture(opening.repeat(keptBytes / opening.length))
  t.ok(performance.now() - since < 2000, `${Math.round(performance.now() - since)} ms`)
  t.end()
})

t.test('what is not UTF-8 is kept in bytes, unless a password was in it', (t) => {
  const latin1 = Buffer.from("select 'caf\xe9'", 'latin1')
  t.match(captureSql(latin1), { text: "select 'caf\ufffd'", base64: latin1.toString('base64') })
  const secret = Buffer.from("alter role caf\xe9 password 'x'", 'latin1')
  t.same(captureSql(secret), { text: 'alter role caf\ufffd password [redacted]', cut: undefined })
  t.end()
})

t.test('what is too long has its size and digest, in pieces or whole', (t) => {
  const body = Buffer.alloc(keptBytes + 1, 'x')
  const cut = { bytes: body.length, sha256: sha256(body) }
  t.same(truncationOf(body), cut)
  t.equal(truncationOf(body.subarray(1)), undefined)
  const passing = new PassingBody()
  t.equal(passing.begin(body.length), keptBytes)
  passing.part(body, 0, 1000)
  passing.part(body, 1000, body.length)
  t.same(passing.finish(), cut)
  t.equal(passing.begin(keptBytes), keptBytes)
  passing.part(body, 0, keptBytes)
  t.equal(passing.finish(), undefined)
  t.end()
})

t.test('values: long ones are cut, odd ones don’t break anything', (t) => {
  const long = Buffer.alloc(10_000, 'a')
  const blob = Buffer.alloc(65, 1)
  t.same(recordValues([long, blob, Buffer.from([0xff])], [0, 1, 0], [25, 17]), [
    { text: 'a'.repeat(8192), bytes: 10_000, sha256: sha256(long) },
    { hex: '01'.repeat(64), oid: 17, bytes: 65, sha256: sha256(blob) },
    { hex: 'ff', oid: 0, bytes: 1 },
  ])
  const infinite = [Buffer.from('7fffffff', 'hex'), Buffer.from('7fffffffffffffff', 'hex')]
  t.same(recordValues(infinite, [1], [1082, 1184]), ['2147483647', '9223372036854775807'], 'dates without end')
  const days = Buffer.alloc(4)
  days.writeInt32BE(366)
  t.same(recordValues([days], [1], [1082]), ['2001-01-01'])
  t.same(
    recordValues([Buffer.from([1, 2])], [1], [23]),
    [{ hex: '0102', oid: 23, bytes: 2 }],
    'not the length of its type',
  )
  t.end()
})
