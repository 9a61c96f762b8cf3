/** What follows a backslash in `E'…'` (`\x77`, `\167`, `\u0077`, `\U00000077`) and in `U&'…'` (`\0077`, `\+000077`), byte by byte. */
export class Escape {
  #left = 0
  #radix = 16
  #code = 0
  #isByte = false

  /** @returns whether a code begins with this byte, which is the first behind the backslash */
  begin(byte: number, isUnicode: boolean): boolean {
    const char = String.fromCharCode(byte)
    this.#code = 0
    this.#isByte = !isUnicode && char !== 'u' && char !== 'U'
    this.#radix = !isUnicode && char !== 'x' && this.#isByte ? 8 : 16
    const isDigit = isUnicode || this.#radix === 8
    this.#left = isUnicode ? (char === '+' ? 6 : 4) : (lengths[char] ?? 3)
    return isDigit && char !== '+' ? this.add(byte) : isUnicode || char in lengths
  }

  get isComplete(): boolean {
    return this.#left === 0
  }

  /** @returns whether the byte belongs to the code */
  add(byte: number): boolean {
    const digit = Number.parseInt(String.fromCharCode(byte), this.#radix)
    if (this.#left === 0 || Number.isNaN(digit)) return false
    this.#code = this.#code * this.#radix + digit
    this.#left -= 1
    return true
  }

  /** What the code stands for; the server reads no other encoding than UTF-8 from it here. */
  get bytes(): Uint8Array {
    if (this.#isByte) return Uint8Array.of(this.#code & 255)
    return Buffer.from(this.#code <= 0x10ffff ? String.fromCodePoint(this.#code) : '\ufffd')
  }
}

const lengths: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 }
