import { createHash, X509Certificate } from 'node:crypto'
import t from 'tap'
import { serverEndPoint } from '../../../../proxy/postgres/sign-in/channel-binding.ts'
import { createAuthority } from '../../../sandbox/certificates.ts'

const certificate = new X509Certificate(createAuthority().issue(['localhost']).cert)
const signedBy = (signatureAlgorithmOid: string) =>
  ({ raw: certificate.raw, signatureAlgorithmOid }) as unknown as X509Certificate
const hash = (name: string) => createHash(name).update(certificate.raw).digest()

t.test('the hash is that of the signature, SHA-256 where that is too weak (RFC 5929)', async (t) => {
  t.same(serverEndPoint(certificate), hash('sha256'))
  t.same(serverEndPoint(signedBy('1.2.840.113549.1.1.13')), hash('sha512'), 'sha512WithRSAEncryption')
  t.same(serverEndPoint(signedBy('1.2.840.10045.4.3.3')), hash('sha384'), 'ecdsa-with-SHA384')
  t.same(serverEndPoint(signedBy('1.2.840.113549.1.1.5')), hash('sha256'), 'sha1WithRSAEncryption')
})

t.test('where there is no such hash, nothing is bound', async (t) => {
  t.equal(serverEndPoint(signedBy('1.3.101.112')), undefined, 'Ed25519')
  t.equal(serverEndPoint(signedBy('1.2.840.113549.1.1.10')), undefined, 'RSASSA-PSS')
  t.equal(serverEndPoint(undefined), undefined)
})
