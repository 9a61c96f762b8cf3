import { readFileSync } from 'node:fs'
import { BrokerError } from '../../proxy/session.ts'

/** PEM files of roots to trust instead of AWS's; each is read once. */
export class RootFiles {
  readonly #byFile = new Map<string, string>()

  /** @throws BrokerError TARGET_UNTRUSTED when it can't be read */
  read(file: string): string {
    let pem = this.#byFile.get(file)
    if (pem === undefined) {
      try {
        pem = readFileSync(file, 'utf8')
      } catch (cause) {
        throw new BrokerError('TARGET_UNTRUSTED', 'its file of trusted roots cannot be read', { cause })
      }
      this.#byFile.set(file, pem)
    }
    return pem
  }
}
