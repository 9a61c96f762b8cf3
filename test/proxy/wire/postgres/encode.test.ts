import t from 'tap'
import {
  authenticationCleartext,
  authenticationOk,
  encodeAuthenticationSasl,
  encodeBackendKeyData,
  encodeCancel,
  encodeError,
  encodeMessage,
  encodeNegotiateProtocolVersion,
  encodeNotice,
  encodeParameterStatus,
  encodePassword,
  encodeReadyForQuery,
  encodeSaslContinue,
  encodeSaslFinal,
  encodeStartup,
  sslRequest,
  terminate,
} from '../../../../proxy/wire/postgres/encode.ts'
import { parseOptions } from '../../../../proxy/wire/postgres/startup-options.ts'
import { WireError } from '../../../../proxy/wire/wire-error.ts'
import { hex } from './hex.ts'

const bytes = (text: string) => Buffer.from(text)

t.test('what a server says, byte by byte', async (t) => {
  t.same(authenticationOk, hex('52 00000008 00000000'))
  t.same(authenticationCleartext, hex('52 00000008 00000003'))
  t.same(
    encodeAuthenticationSasl(['SCRAM-SHA-256']),
    hex('52 00000017 0000000a', bytes('SCRAM-SHA-256\0'), '00'), // 4 + 4 + 14 + 1
  )
  t.same(encodeSaslContinue(bytes('r=x')), hex('52 0000000b 0000000b', bytes('r=x')))
  t.same(encodeSaslFinal(bytes('v=x')), hex('52 0000000b 0000000c', bytes('v=x')))
  t.same(encodeParameterStatus('a', 'b'), hex('53 00000008', bytes('a\0b\0')))
  t.same(encodeBackendKeyData(258, hex('01020304')), hex('4b 0000000c 00000102 01020304'))
  t.same(encodeReadyForQuery('I'), hex('5a 00000005 49'))
  t.same(encodeNegotiateProtocolVersion(2, ['_pq_.x']), hex('76 00000013 00030002 00000001', bytes('_pq_.x\0')))
  t.same(
    encodeError({ severity: 'FATAL', code: '28000', message: 'no', hint: 'ask' }),
    hex('45 00000023', bytes('SFATAL\0VFATAL\0C28000\0Mno\0Hask\0\0')),
  )
  t.same(
    encodeNotice({ severity: 'NOTICE', code: '00000', message: 'hi', detail: 'd' }),
    hex('4e 00000023', bytes('SNOTICE\0VNOTICE\0C00000\0Mhi\0Dd\0\0')),
  )
})

t.test('what a client says, byte by byte', async (t) => {
  t.same(sslRequest, hex('00000008 04d2162f'))
  t.same(encodeStartup([['user', 'u']]), hex('00000010 00030000', bytes('user\0u\0\0')))
  t.same(encodeStartup([], 2), hex('00000009 00030002 00'))
  t.same(encodeCancel(-1, hex('01020304')), hex('00000010 04d2162e ffffffff 01020304'))
  t.same(encodePassword('pw'), hex('70 00000007', bytes('pw\0')))
  t.same(terminate, hex('58 00000004'))
})

t.test('a NUL never ends a string early', async (t) => {
  t.throws(() => encodeStartup([['user', 'u\0database\0x']]), WireError)
  t.throws(() => encodePassword('a\0'), WireError)
  const error = encodeError({ severity: 'FATAL', code: '08P01', message: 'a\0C00000\0b' })
  t.same(error, encodeMessage('E', bytes('SFATAL\0VFATAL\0C08P01\0MaC00000b\0\0')), 'an error goes out without it')
})

t.test('options are split and named as PostgreSQL does it', async (t) => {
  t.same(parseOptions('-c Work_Mem=4MB --search-path=a\\ b,c  -cjit=off\t--empty='), [
    ['Work_Mem', '4MB'],
    ['search_path', 'a b,c'],
    ['jit', 'off'],
    ['empty', ''],
  ])
  t.same(parseOptions('-c a=b\\\\c'), [['a', 'b\\c']])
  t.same(parseOptions('   '), [])
  for (const bad of ['-c', '-c novalue', '-d 5', '--=x', 'x=y', '-c=1', '- c a=b']) {
    t.throws(() => parseOptions(bad), WireError, bad)
  }
})
