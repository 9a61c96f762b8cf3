import { createHash, type X509Certificate } from 'node:crypto'
import type { SecureContext, TLSSocket } from 'node:tls'

/** Signature algorithms by object identifier (RFC 8017, RFC 5758) to the hash that `tls-server-end-point` takes. */
const hashes: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.1.4': 'sha256', // MD5 and SHA-1 are replaced by SHA-256, RFC 5929 section 4.1
  '1.2.840.113549.1.1.5': 'sha256',
  '1.2.840.10045.4.1': 'sha256',
  '1.2.840.113549.1.1.14': 'sha224',
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.10045.4.3.1': 'sha224',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
}

/**
 * Channel binding data `tls-server-end-point` (RFC 5929 section 4.1): the hash of the server's certificate.
 * @returns undefined where the RFC gives no hash (Ed25519), and for RSA-PSS, whose hash is in its parameters
 */
export function serverEndPoint(certificate: X509Certificate | undefined): Buffer | undefined {
  const hash = certificate && hashes[certificate.signatureAlgorithmOid]
  return hash ? createHash(hash).update(certificate.raw).digest() : undefined
}

const known = new WeakMap<SecureContext, { readonly binding: Buffer | undefined }>()

/** {@link serverEndPoint} of the certificate that a connection was accepted with, which is read once for its context. */
export function bindingOf({ tls, context }: { tls: TLSSocket; context: SecureContext }): Buffer | undefined {
  let found = known.get(context)
  if (!found) {
    found = { binding: serverEndPoint(tls.getX509Certificate()) }
    known.set(context, found)
  }
  return found.binding
}
