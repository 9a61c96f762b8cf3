/** Words of SQL, gathered byte by byte; only those that a rule asks for become strings. */
/** PostgreSQL cuts longer names, between characters of the client's encoding; MySQL refuses names above 64 characters. */
export const longestSureName = 59
/** Keywords by their length and first letter. */
export interface KeywordTable {
  readonly longest: number
  readonly lists: readonly (readonly string[])[]
}

const letters = 32

export function toKeywordTable(keywords: readonly string[]): KeywordTable {
  const longest = Math.max(...keywords.map((word) => word.length))
  const lists = Array.from({ length: (longest + 1) * letters }, (): string[] => [])
  for (const word of keywords) lists[placeOf(word.length, word.charCodeAt(0))]?.push(word)
  return { longest, lists }
}

function placeOf(length: number, first: number): number {
  return length * letters + (first % letters)
}

/** 1: begins a name; 2: a digit; 4: white space. Bytes from 128 on are letters. */
const classes = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte >= 128 || /[A-Za-z_]/.test(String.fromCharCode(byte))) return 1
  if (byte >= 48 && byte <= 57) return 2
  return byte === 32 || (byte >= 9 && byte <= 13) ? 4 : 0
})

export const isNameStart = (byte: number): boolean => classes[byte] === 1
/** Digits too: a number is a word here. */
export const isNameByte = (byte: number): boolean => ((classes[byte] as number) & 3) !== 0
export const isSpace = (byte: number): boolean => classes[byte] === 4

export class Word {
  readonly #keywords: KeywordTable
  readonly #bytes: Buffer
  #length = 0
  #hasCapitals = false
  #isAscii = true

  constructor(keywords: KeywordTable) {
    this.#keywords = keywords
    this.#bytes = Buffer.alloc(Math.max(keywords.longest, longestSureName) + 1)
  }

  clear(): void {
    this.#length = 0
    this.#hasCapitals = false
    this.#isAscii = true
  }

  begin(byte: number): void {
    this.clear()
    this.add(byte)
  }

  add(byte: number): void {
    if (this.#length < this.#bytes.length) {
      const isCapital = byte >= 65 && byte <= 90
      if (isCapital) this.#hasCapitals = true
      else if (byte >= 128) this.#isAscii = false
      this.#bytes[this.#length] = isCapital ? byte + 32 : byte
      this.#length += 1
    }
  }

  /** It begins with a digit. */
  get isNumber(): boolean {
    return classes[this.#bytes[0] as number] === 2
  }

  /** It is one of these letters, alone. */
  isOne(letters: string): boolean {
    return this.#length === 1 && letters.includes(String.fromCharCode(this.#bytes[0] as number))
  }

  beginsWith(letter: string): boolean {
    return this.#length > 0 && this.#bytes[0] === letter.charCodeAt(0)
  }

  /** What it names; undefined: case and length depend on encodings, or it is quoted and has capital letters. */
  nameOf(isQuoted: boolean): string | undefined {
    const isSure = this.#isAscii && this.#length <= longestSureName && !(isQuoted && this.#hasCapitals)
    return isSure ? this.#bytes.toString('latin1', 0, this.#length) : undefined
  }

  get keyword(): string {
    if (this.#length <= 2) return this.#bytes.toString('latin1', 0, this.#length)
    for (const keyword of this.#keywords.lists[placeOf(this.#length, this.#bytes[0] as number)] ?? [])
      if (this.#is(keyword)) return keyword
    return ''
  }

  #is(keyword: string): boolean {
    for (let i = 0; i < keyword.length; i += 1) if (this.#bytes[i] !== keyword.charCodeAt(i)) return false
    return true
  }
}
