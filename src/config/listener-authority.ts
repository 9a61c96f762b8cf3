import { X509Certificate } from 'node:crypto'

/**
 * The authority at the end of a chain of certificates, for clients that have to be told whom to trust; null where the chain does not end
 * in one that has signed itself, as those of public authorities do not.
 * @param pem the certificate that a port shows, then those that signed it
 */
export function authorityIn(pem: string): string | null {
  const last = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g)?.at(-1)
  if (last === undefined) return null
  try {
    const certificate = new X509Certificate(last)
    return certificate.checkIssued(certificate) ? `${last}\n` : null
  } catch {
    return null
  }
}
