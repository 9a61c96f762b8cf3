import t from 'tap'
import { decodeClearPassword, makeScramble, provesPassword } from '../../../../proxy/wire/mysql/auth.ts'
import { encodeLength } from '../../../../proxy/wire/mysql/encode.ts'
import {
  decodeGreeting,
  decodeLogin,
  encodeGreeting,
  encodeLogin,
  encodeTlsRequest,
} from '../../../../proxy/wire/mysql/handshake.ts'
import { encodePacket, readHead } from '../../../../proxy/wire/mysql/packets.ts'
import { PayloadReader } from '../../../../proxy/wire/mysql/payload-reader.ts'
import { decodeError, decodeLoginReply, decodeTextRow } from '../../../../proxy/wire/mysql/replies.ts'
import { WireError } from '../../../../proxy/wire/wire-error.ts'
import fc from '../../../fast-check.ts'

const bytes = (text: string) => Buffer.from(text.replaceAll(/\s|\/\*.*?\*\//g, ''), 'hex')
const hex = (text: string) => Buffer.from(text).toString('hex')

/** As MySQL 8 says it, field by field. */
const greeting = bytes(`
  0a /* protocol */ ${hex('8.0.42')} 00 2a000000 /* thread id 42 */ 0102030405060708 00
  ffff /* capabilities, low half */ ff /* charset */ 0200 /* autocommit */ ffdf /* high half */ 15 /* 21 */
  00000000000000000000 090a0b0c0d0e0f1011121314 00 ${hex('caching_sha2_password')} 00`)

/** As the MariaDB client says it: 0x003aaa0d with a database and an attribute. */
const login = bytes(`
  0daa3a00 /* capabilities */ 00000001 /* 16 MB */ 21 /* charset 33 */
  00000000 00000000 00000000 00000000 000000 00000000 /* 23 bytes */
  ${hex('alice')} 00 03 aabbcc /* answer */ ${hex('shop')} 00 ${hex('caching_sha2_password')} 00
  0a /* 10 bytes of attributes */ 04 ${hex('_pid')} 04 ${hex('4711')}`)

t.test('a greeting, read and written', async (t) => {
  const read = decodeGreeting(greeting)
  t.match(read, {
    version: '8.0.42',
    threadId: 42,
    capabilities: 0xdfff_ffff,
    charset: 255,
    status: 2,
    plugin: 'caching_sha2_password',
  })
  t.equal(read.scramble.toString('hex'), '0102030405060708090a0b0c0d0e0f1011121314')
  t.equal(encodeGreeting(read).toString('hex'), greeting.toString('hex'))
  const withoutNul = greeting.subarray(0, greeting.length - 1)
  t.equal(decodeGreeting(withoutNul).plugin, 'caching_sha2_password', 'some servers leave out the last NUL')
})

t.test('a login, read and written', async (t) => {
  const read = decodeLogin(login)
  t.match(read, {
    kind: 'login',
    capabilities: 0x003a_aa0d,
    maxPacketBytes: 0x100_0000,
    charset: 33,
    user: 'alice',
    database: 'shop',
    plugin: 'caching_sha2_password',
    attributes: [['_pid', '4711']],
  })
  if (read.kind !== 'login') throw new Error('no login')
  t.equal(read.answer.toString('hex'), 'aabbcc')
  t.equal(encodeLogin(read).toString('hex'), login.toString('hex'))
  const { database: _, ...nowhere } = read
  t.match(decodeLogin(encodeLogin({ ...nowhere, capabilities: read.capabilities & ~8 })), { user: 'alice' })
  t.notOk('database' in decodeLogin(encodeLogin({ ...nowhere, capabilities: read.capabilities & ~8 })))
})

t.test('an SSLRequest is 32 bytes that ask for TLS', async (t) => {
  const request = encodeTlsRequest({ capabilities: 0x0008_8200, maxPacketBytes: 1, charset: 45 })
  t.equal(request.toString('hex'), `008a0800 01000000 2d ${'00'.repeat(23)}`.replaceAll(' ', ''))
  t.same(decodeLogin(request), { kind: 'tls' })
})

t.test('what ends early is an error, wherever it is cut, and what is longer than its packet as well', async (t) => {
  const fixed = greeting.length - 'caching_sha2_password'.length - 1
  for (let end = 0; end < fixed; end += 1) t.throws(() => decodeGreeting(greeting.subarray(0, end)), WireError)
  // an SSLRequest; before the plugin's name; before the attributes
  const optional = [32, login.length - 33, login.length - 11]
  for (let end = 0; end < login.length; end += 1)
    if (!optional.includes(end)) t.throws(() => decodeLogin(login.subarray(0, end)), WireError, `cut at ${end}`)
  const long = Buffer.from(login)
  long[38] = 0xf0 // the answer's length
  t.throws(() => decodeLogin(long), WireError)
})

t.test('any bytes give a message or a WireError', async (t) => {
  const decoders = [decodeGreeting, decodeLogin, decodeLoginReply, decodeError, (b: Buffer) => decodeTextRow(b, 3)]
  const mutated = fc
    .tuple(fc.constantFrom(greeting, login), fc.nat(200), fc.nat(255), fc.nat(200))
    .map(([whole, at, byte, cut]) => {
      const copy = Buffer.from(whole)
      copy[at % copy.length] = byte
      return copy.subarray(0, copy.length - (cut % 20))
    })
  const any = fc.oneof(
    fc.uint8Array({ maxLength: 120 }).map((array) => Buffer.from(array)),
    mutated,
  )
  fc.assert(
    fc.property(any, fc.constantFrom(...decoders), (input, decode) => {
      try {
        decode(input)
      } catch (error) {
        if (!(error instanceof WireError)) throw error
      }
    }),
    { numRuns: 5000 },
  )
  t.pass()
})

t.test('length-encoded integers, and what is none', async (t) => {
  for (const [value, encoded] of [
    [0, '00'],
    [250, 'fa'],
    [251, 'fcfb00'],
    [65_535, 'fcffff'],
    [65_536, 'fd000001'],
    [0xff_ffff, 'fdffffff'],
    [0x100_0000, 'fe0000000100000000'],
  ] as const) {
    t.equal(encodeLength(value).toString('hex'), encoded)
    t.equal(new PayloadReader(bytes(encoded)).length(), value)
  }
  t.equal(new PayloadReader(bytes('feffffffffffff1f00')).length(), Number.MAX_SAFE_INTEGER)
  for (const none of ['fb', 'ff', 'fc01', 'fe0000000000002000', ''])
    t.throws(() => new PayloadReader(bytes(none)).length(), WireError)
})

t.test('packets: a length that is checked before anything is allocated', async (t) => {
  t.equal(encodePacket(258, bytes('0102')).toString('hex'), '020000020102')
  t.same(readHead(bytes('10000103'), 0x10010), { length: 0x10010, sequence: 3 })
  t.throws(() => readHead(bytes('11000103'), 0x10010), WireError)
  t.throws(() => readHead(bytes('ffffff00'), 65_536), WireError)
})

t.test('the proof of a password: what caching_sha2_password takes, and nothing else', async (t) => {
  // SHA256(SHA256('secret')), and the answer to the scramble 01…14, made by Python’s hashlib.
  const verifier = bytes('3881219d087dd9c634373fd33dfa33a2cb6bfc6c520b64b8bb60ef2ceb534ae7')
  const scramble = bytes('0102030405060708090a0b0c0d0e0f1011121314')
  const answer = bytes('746ebe205d56a0707acb3e796e834e0dd7b1d61743b26bd5202c7a623230c7c9')
  t.ok(provesPassword(answer, scramble, verifier))
  t.notOk(provesPassword(answer, scramble.subarray(1), verifier))
  t.notOk(provesPassword(answer.subarray(1), scramble, verifier))
  for (let at = 0; at < answer.length; at += 1) {
    const wrong = Buffer.from(answer)
    wrong[at] = (wrong[at] ?? 0) ^ 1
    t.notOk(provesPassword(wrong, scramble, verifier))
  }
  t.notOk(provesPassword(answer, scramble, new Uint8Array(0)))
})

t.test('scrambles have neither NUL nor $, and passwords end with NUL', async (t) => {
  for (let i = 0; i < 500; i += 1) {
    const scramble = makeScramble()
    t.ok(scramble.length === 20 && !scramble.includes(0) && !scramble.includes(0x24) && scramble.every((b) => b < 128))
  }
  t.equal(decodeClearPassword(Buffer.from('token\0')), 'token')
  for (const wrong of ['', 'token', 'to\0ken\0', 'token\0\0'])
    t.throws(() => decodeClearPassword(Buffer.from(wrong)), WireError)
})

t.test('replies to a login', async (t) => {
  t.match(decodeLoginReply(bytes('00000002000000')), { kind: 'ok' })
  t.match(decodeLoginReply(bytes(`fe ${hex('mysql_clear_password')} 00`)), {
    kind: 'switch',
    plugin: 'mysql_clear_password',
  })
  t.match(decodeLoginReply(bytes('fe')), { kind: 'switch', plugin: 'mysql_old_password' })
  t.match(decodeLoginReply(bytes('0104')), { kind: 'more' })
  t.match(decodeLoginReply(bytes('02')), { kind: 'next-factor' })
  const error = { number: 1045, state: '28000', message: 'no' }
  t.same(decodeLoginReply(bytes(`ff 1504 23 ${hex('28000no')}`)), { kind: 'error', error })
  t.same(decodeError(bytes(`ff 1004 ${hex('Too many')}`)), { number: 1040, state: 'HY000', message: 'Too many' })
  t.same(decodeTextRow(bytes('fb 00 026869'), 3), [null, '', 'hi'])
  t.throws(() => decodeTextRow(bytes('00 00'), 1), WireError)
})
