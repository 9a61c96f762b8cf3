import { readFileSync, statSync } from 'node:fs'
import { createSecureContext, type SecureContext } from 'node:tls'
import type { Logger } from '../telemetry/logger.ts'

export interface TlsFiles {
  readonly cert: string
  readonly key: string
}

/** A certificate that is read again when its files change, so that renewals need no restart. */
export class WatchedCertificate {
  readonly #files: TlsFiles
  readonly #logger: Logger
  #stamp: string
  #pem: { cert: string; key: string }
  #context: SecureContext
  #onRenewed: (pem: { cert: string; key: string }) => void = () => {}

  /** @throws Error when a file can't be read or the two don't match */
  constructor(files: TlsFiles, logger: Logger) {
    this.#files = files
    this.#logger = logger
    this.#stamp = stampOf(files)
    this.#pem = readPem(files)
    this.#context = createSecureContext({ ...this.#pem, minVersion: 'TLSv1.2' })
  }

  get context(): SecureContext {
    return this.#context
  }

  get pem(): { cert: string; key: string } {
    return this.#pem
  }

  /** Called with each new certificate; for servers that can't ask for {@link context}. */
  onRenewed(listener: (pem: { cert: string; key: string }) => void): void {
    this.#onRenewed = listener
  }

  /** Looks whether the files changed; a broken pair is logged, and the old one stays. @returns whether a new one is in use */
  refresh(): boolean {
    try {
      const stamp = stampOf(this.#files)
      if (stamp === this.#stamp) return false
      const pem = readPem(this.#files)
      this.#context = createSecureContext({ ...pem, minVersion: 'TLSv1.2' })
      this.#pem = pem
      this.#stamp = stamp
      this.#onRenewed(pem)
      this.#logger.info({ cert: this.#files.cert }, 'certificate reloaded')
      return true
    } catch (error) {
      this.#logger.error({ err: error, cert: this.#files.cert }, 'cannot use the new certificate; keeping the old one')
      return false
    }
  }
}

function readPem(files: TlsFiles): { cert: string; key: string } {
  return { cert: readFileSync(files.cert, 'utf8'), key: readFileSync(files.key, 'utf8') }
}

function stampOf(files: TlsFiles): string {
  const stamp = (path: string) => {
    const { mtimeMs, size, ino } = statSync(path)
    return `${mtimeMs}:${size}:${ino}`
  }
  return `${stamp(files.cert)} ${stamp(files.key)}`
}
