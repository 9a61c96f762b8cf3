import { type ExitStatus, longestStatusBytes, readExitStatus } from '../../wire/kubernetes/status.ts'
import { WireError } from '../../wire/wire-error.ts'

/** Gathers what the error stream of exec and attach carries: one status, at the end. */
export class StatusReader {
  #parts: Buffer[] = []
  #bytes = 0

  /** The server has begun to say how it ended: nothing else can be said. */
  get hasBegun(): boolean {
    return this.#bytes > 0
  }

  /** @throws WireError when it is too long */
  push(bytes: Buffer): void {
    if (bytes.length === 0) return
    if (this.#bytes + bytes.length > longestStatusBytes) throw new WireError('a status is too long')
    this.#bytes += bytes.length
    this.#parts.push(Buffer.from(bytes))
    // Of many small parts one is made now and then, so that they cost little more than their bytes.
    if (this.#parts.length === 64) this.#parts = [Buffer.concat(this.#parts)]
  }

  /** Null: none has come, or none that can be read. */
  read(): ExitStatus | null {
    if (!this.hasBegun) return null
    try {
      return readExitStatus(Buffer.concat(this.#parts))
    } catch {
      return null
    }
  }
}
