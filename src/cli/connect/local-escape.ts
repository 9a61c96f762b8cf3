const tilde = 0x7e
const dot = 0x2e
const [lineFeed, carriageReturn] = [0x0a, 0x0d]

/** At the beginning of a line `~.` leaves, and `~~` is one `~`: as in ssh, for a session that does not answer. */
export class LocalEscape {
  #place: 'start' | 'tilde' | 'within' = 'start'

  /** @returns what is for the other side, and whether the person leaves */
  pass(typed: Buffer): { readonly bytes: Buffer; readonly leaves: boolean } {
    const bytes: number[] = []
    for (const byte of typed) {
      if (this.#place === 'start' && byte === tilde) {
        this.#place = 'tilde'
        continue
      }
      if (this.#place === 'tilde') {
        if (byte === dot) return { bytes: Buffer.from(bytes), leaves: true }
        if (byte !== tilde) bytes.push(tilde)
      }
      bytes.push(byte)
      this.#place = byte === carriageReturn || byte === lineFeed ? 'start' : 'within'
    }
    return { bytes: Buffer.from(bytes), leaves: false }
  }
}
