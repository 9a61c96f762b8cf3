const percent = 37
export const isBlank = (byte: number) => byte === 32 || (byte >= 9 && byte <= 13)
export const isLetter = (byte: number) => (byte >= 97 && byte <= 122) || (byte >= 65 && byte <= 90)
const secretKeys: ReadonlySet<string> = new Set(['password', 'sslpassword', 'passwd', 'pwd'])
const longestKey = 11

/** The name of a value in a connection string, byte by byte. */
export class SecretKey {
  #text = ''
  /** Of `%77` in a URI, what was read so far. */
  #hex: string | undefined

  get isSecret(): boolean {
    return secretKeys.has(this.#text.toLowerCase())
  }

  clear(): void {
    this.#text = ''
    this.#hex = undefined
  }

  add(byte: number): void {
    if (byte === percent) this.#hex = ''
    else if (this.#hex === undefined) this.#append(byte)
    else {
      this.#hex += String.fromCharCode(byte)
      if (this.#hex.length < 2) return
      this.#append(Number.parseInt(this.#hex, 16) || 0)
      this.#hex = undefined
    }
  }

  #append(byte: number): void {
    if (this.#text.length <= longestKey) this.#text += String.fromCharCode(byte)
  }
}
