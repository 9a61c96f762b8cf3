import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import t from 'tap'
import { deriveScramKeys, finishScram, offeredMechanisms, startScram } from '../../../../proxy/wire/postgres/scram.ts'
import { WireError } from '../../../../proxy/wire/wire-error.ts'

// The exchange of RFC 7677, section 3.
const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')
const verifier = deriveScramKeys('pencil', salt)
const clientFirst = Buffer.from('n,,n=user,r=rOprNGfwEbeRWgbNEkqO')
const serverNonce = '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'
const clientFinal = Buffer.from(
  'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
)
const plain = { mechanism: 'SCRAM-SHA-256', data: clientFirst }

t.test('the example of RFC 7677', async (t) => {
  const exchange = startScram(plain, undefined, verifier, serverNonce)
  t.equal(
    exchange.serverFirst.toString(),
    'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
  )
  t.equal(finishScram(exchange, clientFinal)?.toString(), 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')
})

t.test('a wrong password is not an error, only wrong', async (t) => {
  const other = deriveScramKeys('pencils', salt)
  t.equal(finishScram(startScram(plain, undefined, other, serverNonce), clientFinal), undefined)
})

/** A client of ours, for what the RFC has no example of. */
function answer(serverFirst: Buffer, header: string, binding: Buffer, password = 'pencil'): Buffer {
  const nonce = /r=([^,]*)/.exec(serverFirst.toString())?.[1]
  const without = `c=${Buffer.concat([Buffer.from(header), binding]).toString('base64')},r=${nonce}`
  const key = createHmac('sha256', pbkdf2Sync(password, salt, 4096, 32, 'sha256'))
    .update('Client Key')
    .digest()
  const stored = createHash('sha256').update(key).digest()
  const signature = createHmac('sha256', stored).update(`n=,r=abc,${serverFirst},${without}`).digest()
  const proof = Buffer.from(key.map((byte, at) => byte ^ (signature[at] ?? 0)))
  return Buffer.from(`${without},p=${proof.toString('base64')}`)
}

t.test('PLUS binds the password to the TLS channel', async (t) => {
  const binding = Buffer.alloc(32, 7)
  const header = 'p=tls-server-end-point,,'
  const ask = { mechanism: 'SCRAM-SHA-256-PLUS', data: Buffer.from(`${header}n=,r=abc`) }
  const exchange = startScram(ask, binding, verifier, 'srv')
  t.match(finishScram(exchange, answer(exchange.serverFirst, header, binding))?.toString(), /^v=/)
  t.equal(
    finishScram(exchange, answer(exchange.serverFirst, header, Buffer.alloc(32, 8))),
    undefined,
    "another channel's binding, as a man in the middle would have it",
  )
})

t.test('without TLS, PLUS is not offered', async (t) => {
  t.same(offeredMechanisms(undefined), ['SCRAM-SHA-256'])
  t.same(offeredMechanisms(Buffer.alloc(32)), ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256'])
  const ask = { mechanism: 'SCRAM-SHA-256-PLUS', data: Buffer.from('p=tls-server-end-point,,n=,r=abc') }
  t.throws(() => startScram(ask, undefined, verifier, 'srv'), new WireError('the SASL mechanism was not offered'))
})

t.test('a client that believes PLUS was not offered has been lied to', async (t) => {
  const ask = { mechanism: 'SCRAM-SHA-256', data: Buffer.from('y,,n=,r=abc') }
  t.throws(
    () => startScram(ask, Buffer.alloc(32), verifier, 'srv'),
    new WireError('SCRAM channel binding negotiation error'),
  )
  const exchange = startScram(ask, undefined, verifier, 'srv')
  t.ok(finishScram(exchange, answer(exchange.serverFirst, 'y,,', Buffer.alloc(0))), 'without TLS it is right')
})

t.test('malformed messages are refused', async (t) => {
  const firsts = [
    '',
    'n',
    'n,,',
    'n,,n=u',
    'n,,r=abc',
    'x,,n=,r=abc',
    'n,a=root,n=,r=abc',
    'n,,n=,r=a,m=x',
    'n,,m=x,n=,r=a',
    'n,,n=,r=',
  ]
  for (const text of firsts) {
    t.throws(() => startScram({ ...plain, data: Buffer.from(text) }, undefined, verifier, 'srv'), WireError, text)
  }
  const unbound = { mechanism: 'SCRAM-SHA-256', data: Buffer.from('p=tls-server-end-point,,n=,r=abc') }
  t.throws(() => startScram(unbound, Buffer.alloc(32), verifier, 'srv'), WireError, 'binding with the plain mechanism')
  const loose = { mechanism: 'SCRAM-SHA-256-PLUS', data: Buffer.from('n,,n=,r=abc') }
  t.throws(() => startScram(loose, Buffer.alloc(32), verifier, 'srv'), WireError, 'PLUS without binding')
  const unique = { mechanism: 'SCRAM-SHA-256-PLUS', data: Buffer.from('p=tls-unique,,n=,r=abc') }
  t.throws(() => startScram(unique, Buffer.alloc(32), verifier, 'srv'), WireError, 'another kind of binding')
  const exchange = startScram(plain, undefined, verifier, serverNonce)
  const finals = ['', 'c=biws', 'c=biws,r=x,p=', 'c=biws,r=x,p=AAAA', `c=biws,r=other,p=${'A'.repeat(43)}=`]
  for (const text of finals) t.throws(() => finishScram(exchange, Buffer.from(text)), WireError, text)
})

t.test('the proof covers every byte of the exchange', async (t) => {
  const exchange = startScram(plain, undefined, verifier, serverNonce)
  const flipped = Buffer.from(clientFinal)
  flipped[2] = 'c'.charCodeAt(0) // c=ciws: another binding
  t.equal(finishScram(exchange, flipped), undefined)
})

t.test('a verifier is made from printable ASCII alone', async (t) => {
  t.throws(() => deriveScramKeys('pässword', salt), RangeError)
  t.throws(() => deriveScramKeys('', salt), RangeError)
})
