import t from 'tap'
import {
  checkStartupLength,
  decodeBackend,
  decodeFrontend,
  decodeInitial,
  decodePassword,
  decodeSaslInitial,
} from '../../../../proxy/wire/postgres/decode.ts'
import type { BackendMessage, FrontendMessage } from '../../../../proxy/wire/postgres/messages.ts'
import { WireError } from '../../../../proxy/wire/wire-error.ts'
import { hex } from './hex.ts'

const bytes = (text: string) => Buffer.from(text)
const type = (letter: string) => letter.charCodeAt(0)

t.test('the packets that begin a connection', async (t) => {
  t.same(decodeInitial(hex('04d2 162f')), { kind: 'ssl' }) // 80877103
  t.same(decodeInitial(hex('04d2 1630')), { kind: 'gssenc' }) // 80877104
  // 80877102, pid 0x01020304, key of 4 bytes
  t.same(decodeInitial(hex('04d2 162e 0102 0304 deadbeef')), {
    kind: 'cancel',
    pid: 0x01020304,
    key: hex('deadbeef'),
  })
  t.match(decodeInitial(hex(`04d2162e 00000001 ${'ab'.repeat(32)}`)), { key: Buffer.alloc(32, 0xab) })
  // 3.2; user NUL alice NUL, _pq_.x NUL 1 NUL, database NUL shop NUL, NUL
  const startup = hex('0003 0002', bytes('user\0alice\0_pq_.x\x001\0database\0shop\0\0'))
  t.same(decodeInitial(startup), {
    kind: 'startup',
    major: 3,
    minor: 2,
    parameters: new Map([
      ['user', 'alice'],
      ['database', 'shop'],
    ]),
    extensions: ['_pq_.x'],
  })
  t.match(
    decodeInitial(hex('0004 0000 ffff')),
    { kind: 'startup', major: 4, minor: 0 },
    'a version to be refused by name',
  )
})

t.test('bad first packets are refused', async (t) => {
  const bad: Record<string, Buffer> = {
    'bytes after SSLRequest': hex('04d2162f 00'),
    'a cancel key of 3 bytes': hex('04d2162e 00000001 aabbcc'),
    'a cancel key of 257 bytes': hex(`04d2162e 00000001 ${'00'.repeat(257)}`),
    'no closing NUL': hex('00030000', bytes('user\0alice\0')),
    'a name without a value': hex('00030000', bytes('user\0')),
    'bytes after the closing NUL': hex('00030000', bytes('user\0alice\0\0x')),
    'user twice': hex('00030000', bytes('user\0alice\0user\0root\0\0')),
    'database twice': hex('00030000', bytes('database\0a\0user\0u\0database\0b\0\0')),
    'an extension twice': hex('00030000', bytes('_pq_.a\x001\0_pq_.a\x002\0\0')),
    'nothing at all': Buffer.alloc(0),
  }
  for (const [name, body] of Object.entries(bad)) t.throws(() => decodeInitial(body), WireError, name)
})

t.test('a startup packet has 8 to 10,000 bytes', async (t) => {
  t.equal(checkStartupLength(8), 4)
  t.equal(checkStartupLength(10_000), 9_996)
  for (const length of [0, 4, 7, 10_001, 0x7fff_ffff, 0xffff_ffff]) {
    t.throws(() => checkStartupLength(length), new WireError('invalid length of startup packet'))
  }
})

const frontend: [string, string, Buffer, FrontendMessage][] = [
  ['Query', 'Q', bytes('select 1\0'), { kind: 'query', sql: bytes('select 1') }],
  // statement "s", sql, 2 OIDs: 23 and 0
  [
    'Parse',
    'P',
    hex(bytes('s\0select $1\0'), '0002 00000017 00000000'),
    { kind: 'parse', statement: bytes('s'), sql: bytes('select $1'), oids: [23, 0] },
  ],
  // portal "", statement "s", one format (1: binary), two values (int4 7, NULL), one result format
  [
    'Bind',
    'B',
    hex(bytes('\0s\0'), '0001 0001', '0002 00000004 00000007 ffffffff', '0001 0000'),
    {
      kind: 'bind',
      portal: bytes(''),
      statement: bytes('s'),
      formats: [1],
      values: [hex('00000007'), null],
      resultFormats: [0],
    },
  ],
  ['Describe', 'D', bytes('Ss\0'), { kind: 'describe', what: 'statement', name: bytes('s') }],
  ['Close', 'C', bytes('Pp\0'), { kind: 'close', what: 'portal', name: bytes('p') }],
  ['Execute', 'E', hex(bytes('p\0'), '00000064'), { kind: 'execute', portal: bytes('p'), maxRows: 100 }],
  ['Sync', 'S', bytes(''), { kind: 'sync' }],
  ['Flush', 'H', bytes(''), { kind: 'flush' }],
  ['Terminate', 'X', bytes(''), { kind: 'terminate' }],
  ['CopyData', 'd', bytes('1\t2\n'), { kind: 'copy-data', data: bytes('1\t2\n') }],
  ['CopyDone', 'c', bytes(''), { kind: 'copy-done' }],
  ['CopyFail', 'f', bytes('no\0'), { kind: 'copy-fail', reason: bytes('no') }],
  // OID 957 (lo_write), formats none, values: int4 1, result binary
  [
    'FunctionCall',
    'F',
    hex('000003bd 0000 0001 00000004 00000001 0001'),
    { kind: 'function-call', oid: 957, formats: [], values: [hex('00000001')], resultFormat: 1 },
  ],
]

const backend: [string, string, Buffer, BackendMessage][] = [
  ['AuthenticationOk', 'R', hex('00000000'), { kind: 'authentication', method: 'ok' }],
  ['AuthenticationCleartextPassword', 'R', hex('00000003'), { kind: 'authentication', method: 'cleartext' }],
  ['AuthenticationMD5Password', 'R', hex('00000005 01020304'), { kind: 'authentication', method: 'other', code: 5 }],
  [
    'AuthenticationSASL',
    'R',
    hex('0000000a', bytes('SCRAM-SHA-256\0\0')),
    { kind: 'authentication', method: 'sasl', mechanisms: ['SCRAM-SHA-256'] },
  ],
  [
    'AuthenticationSASLContinue',
    'R',
    hex('0000000b', bytes('r=x')),
    { kind: 'authentication', method: 'sasl-continue', data: bytes('r=x') },
  ],
  ['ParameterStatus', 'S', bytes('TimeZone\0UTC\0'), { kind: 'parameter-status', name: 'TimeZone', value: 'UTC' }],
  ['BackendKeyData', 'K', hex('00000102 deadbeef'), { kind: 'backend-key-data', pid: 0x102, key: hex('deadbeef') }],
  [
    'NegotiateProtocolVersion',
    'v',
    hex('00030002 00000001', bytes('_pq_.x\0')),
    { kind: 'negotiate-protocol-version', newest: 196610, unknown: ['_pq_.x'] },
  ],
  ['ReadyForQuery', 'Z', bytes('T'), { kind: 'ready-for-query', status: 'T' }],
  ['ParameterDescription', 't', hex('0001 00000017'), { kind: 'parameter-description', oids: [23] }],
  ['CommandComplete', 'C', bytes('SELECT 1\0'), { kind: 'command-complete', tag: 'SELECT 1' }],
  [
    'ErrorResponse',
    'E',
    bytes('SFATAL\0VFATAL\0C57P01\0Mgone\0\0'),
    { kind: 'error', fields: { S: 'FATAL', V: 'FATAL', C: '57P01', M: 'gone' } },
  ],
  ['ErrorResponse without any field', 'E', bytes('\0'), { kind: 'error', fields: {} }],
  ['NoticeResponse', 'N', bytes('SNOTICE\0\0'), { kind: 'notice', fields: { S: 'NOTICE' } }],
  [
    'NotificationResponse',
    'A',
    hex('00000007', bytes('jobs\0hi\0')),
    { kind: 'notification', pid: 7, channel: 'jobs', payload: 'hi' },
  ],
  ['CopyInResponse', 'G', hex('00 0002 0000 0000'), { kind: 'copy-in', format: 0, columnFormats: [0, 0] }],
  ['CopyOutResponse', 'H', hex('01 0001 0001'), { kind: 'copy-out', format: 1, columnFormats: [1] }],
  ['CopyBothResponse', 'W', hex('00 0000'), { kind: 'copy-both', format: 0, columnFormats: [] }],
  ['ParseComplete', '1', bytes(''), { kind: 'other', type: 0x31 }],
  ['EmptyQueryResponse', 'I', bytes(''), { kind: 'other', type: 0x49 }],
]

t.test('messages of a client', async (t) => {
  for (const [name, letter, body, message] of frontend) t.same(decodeFrontend(type(letter), body), message, name)
})

t.test('messages of a server', async (t) => {
  for (const [name, letter, body, message] of backend) t.same(decodeBackend(type(letter), body), message, name)
})

t.test('a message cut anywhere, or with a byte too many, is refused', async (t) => {
  const open = new Set(['CopyData', 'AuthenticationSASLContinue', 'AuthenticationMD5Password', 'BackendKeyData'])
  const cases: [string, Buffer, (body: Buffer) => unknown][] = [
    ...frontend.map(([name, letter, body]) => [name, body, (b: Buffer) => decodeFrontend(type(letter), b)] as const),
    ...backend.map(([name, letter, body]) => [name, body, (b: Buffer) => decodeBackend(type(letter), b)] as const),
  ].map(([name, body, decode]) => [name, body, decode])
  for (const [name, body, decode] of cases) {
    if (open.has(name)) continue // what they carry has no end of its own
    for (let cut = 0; cut < body.length; cut += 1)
      t.throws(() => decode(body.subarray(0, cut)), WireError, `${name} cut at ${cut}`)
    t.throws(() => decode(Buffer.concat([body, hex('00')])), WireError, `${name} with a NUL behind it`)
  }
})

t.test('counts and lengths never reach beyond their message', async (t) => {
  const bad: Record<string, () => unknown> = {
    'Parse with 65535 OIDs of none': () => decodeFrontend(type('P'), hex(bytes('\0\0'), 'ffff')),
    'Bind with a value of 2³¹−1 bytes': () => decodeFrontend(type('B'), hex(bytes('\0\0'), '0000 0001 7fffffff')),
    'Bind with a value of −2 bytes': () => decodeFrontend(type('B'), hex(bytes('\0\0'), '0000 0001 fffffffe 0000')),
    'Bind with format 2': () => decodeFrontend(type('B'), hex(bytes('\0\0'), '0001 0002 0000 0000')),
    'Bind with two formats for one value': () =>
      decodeFrontend(type('B'), hex(bytes('\0\0'), '0002 0000 0000 0001 ffffffff 0000')),
    'Query with bytes after its NUL': () => decodeFrontend(type('Q'), bytes('select 1\0; drop table t\0')),
    'Describe of something else': () => decodeFrontend(type('D'), bytes('Xs\0')),
    'NegotiateProtocolVersion with 2³²−1 names': () => decodeBackend(type('v'), hex('00030000 ffffffff')),
    'ReadyForQuery with an unknown status': () => decodeBackend(type('Z'), bytes('X')),
    'a password message after sign-in': () => decodeFrontend(type('p'), bytes('x\0')),
    'an unknown type of a client': () => decodeFrontend(type('z'), bytes('')),
    'an unknown type of a server': () => decodeBackend(type('z'), bytes('')),
  }
  for (const [name, decode] of Object.entries(bad)) t.throws(decode, WireError, name)
})

t.test('answers to an authentication request', async (t) => {
  t.equal(decodePassword(bytes('spt_1_x\0')), 'spt_1_x')
  t.throws(() => decodePassword(bytes('a\0b\0')), WireError)
  t.same(decodeSaslInitial(hex(bytes('SCRAM-SHA-256\0'), '00000003', bytes('n,,'))), {
    mechanism: 'SCRAM-SHA-256',
    data: bytes('n,,'),
  })
  t.same(decodeSaslInitial(hex(bytes('X\0'), 'ffffffff')), { mechanism: 'X', data: Buffer.alloc(0) })
  t.throws(() => decodeSaslInitial(hex(bytes('X\0'), '00000005 00')), WireError)
})
