import { isBlank, isLetter, SecretKey } from '../../recording/sql/secret-key.ts'

const [quote, doubleQuote, backtick, equals, comma, semicolon, underscore] = [39, 34, 96, 61, 44, 59, 95] as const
const isQuote = (byte: number) => byte === quote || byte === doubleQuote
const isEnd = (byte: number) => byte === comma || byte === semicolon

/**
 * Passwords in the options of tables that live elsewhere, byte by byte: `user "x", password "y"` of Spider,
 * `DSN=x;UID=y;PWD=z` and `user=x,password=y` of CONNECT (MariaDB documentation of both engines).
 */
export class Pairs {
  readonly #emit: (from: number, to: number) => void
  readonly #key = new SecretKey()
  #state: 'between' | 'key' | 'gap' | 'value' | 'bare' | 'quoted' = 'between'
  #delimiter = 0
  #from = 0
  #end = 0

  constructor(emit: (from: number, to: number) => void) {
    this.#emit = emit
  }

  reset(): void {
    this.#state = 'between'
    this.#key.clear()
  }

  feed(bytes: Buffer, start: number, end: number, from: number): void {
    for (let i = start; i < end; i += 1) this.byte(bytes[i] as number, from + i - start, from + i - start + 1)
  }

  byte(byte: number, from: number, to: number): void {
    this.#step(byte, from)
    this.#end = to
  }

  finish(): void {
    if (this.#state === 'bare' || this.#state === 'quoted') this.#emit(this.#from, this.#end)
    this.reset()
  }

  #step(byte: number, from: number): void {
    switch (this.#state) {
      case 'between':
      case 'key':
        this.#inKey(byte)
        return
      case 'gap':
      case 'value':
        this.#beforeValue(byte, from)
        return
      case 'bare':
        if (isEnd(byte)) this.#close(from)
        return
      case 'quoted':
        if (byte === this.#delimiter) this.#close(from)
        return
      default:
    }
  }

  #inKey(byte: number): void {
    if (isLetter(byte) || byte === underscore) {
      this.#state = 'key'
      this.#key.add(byte)
    } else if (this.#key.isSecret && byte !== backtick && (isBlank(byte) || byte === equals || isQuote(byte)))
      this.#beforeValue(byte, this.#end)
    else this.reset()
  }

  /** Without `=` only what is quoted is a value. */
  #beforeValue(byte: number, from: number): void {
    if (byte === equals && this.#state !== 'value') this.#state = 'value'
    else if (isBlank(byte)) {
      if (this.#state !== 'value') this.#state = 'gap'
    } else if (isQuote(byte)) {
      this.#delimiter = byte
      this.#state = 'quoted'
      this.#from = from + 1
    } else if (this.#state === 'value' && !isEnd(byte)) {
      this.#state = 'bare'
      this.#from = from
    } else this.reset()
  }

  #close(to: number): void {
    if (to > this.#from) this.#emit(this.#from, to)
    this.reset()
  }
}
