import { isBlank, isLetter, SecretKey } from './secret-key.ts'

type Emit = (from: number, to: number) => void

const [colon, slash, at, question, hash, ampersand, doubleQuote, quote, equals] = [
  58, 47, 64, 63, 35, 38, 34, 39, 61,
] as const

/** `scheme://user:password@host/?password=x` anywhere in a text, in comments too. No SQL fits into such a password: it ends at blanks and quotes. */
export class Uris {
  readonly #emit: Emit
  readonly #key = new SecretKey()
  #state: 'text' | 'colon' | 'slash' | 'rest' | 'key' | 'value' = 'text'
  #isAfterLetter = false
  /** Of a value. */
  #from = 0
  /** Before the first `/` or `@`: whatever else comes may be part of the password, as libpq reads it. */
  #isAuthority = false
  #passwordFrom = -1

  constructor(emit: Emit) {
    this.#emit = emit
  }

  feed(bytes: Buffer, start: number, end: number, from: number): void {
    for (let i = start; i < end; i += 1) this.#step(bytes[i] as number, from + i - start)
  }

  finish(end: number): void {
    if (this.#state === 'value') this.#close(end)
  }

  #step(byte: number, offset: number): void {
    switch (this.#state) {
      case 'text':
        if (byte === colon && this.#isAfterLetter) this.#state = 'colon'
        this.#isAfterLetter = isLetter(byte) || (byte >= 48 && byte <= 57)
        return
      case 'colon':
        this.#state = byte === slash ? 'slash' : 'text'
        return
      case 'slash':
        this.#state = byte === slash ? 'rest' : 'text'
        this.#isAuthority = byte === slash
        this.#passwordFrom = -1
        return
      default:
        if (isBlank(byte) || byte === quote || byte === doubleQuote) this.#leave(offset)
        else this.#inside(byte, offset)
    }
  }

  #inside(byte: number, offset: number): void {
    if (this.#isAuthority) this.#inAuthority(byte, offset)
    if (this.#state === 'value') {
      if (byte !== ampersand && byte !== hash) return
      this.#close(offset)
    }
    if (byte === question || byte === ampersand) {
      this.#state = 'key'
      this.#key.clear()
    } else if (this.#state === 'key') {
      if (byte === equals) this.#begin(this.#key.isSecret ? 'value' : 'rest', offset + 1)
      else this.#key.add(byte)
    }
  }

  #inAuthority(byte: number, offset: number): void {
    if (byte === colon && this.#passwordFrom < 0) this.#passwordFrom = offset + 1
    if (byte !== at && byte !== slash) return
    if (byte === at && this.#passwordFrom >= 0 && offset > this.#passwordFrom) this.#emit(this.#passwordFrom, offset)
    this.#isAuthority = false
  }

  #begin(state: 'value' | 'rest', from: number): void {
    this.#state = state
    this.#from = from
  }

  #leave(offset: number): void {
    if (this.#state === 'value') this.#close(offset)
    this.#state = 'text'
    this.#isAfterLetter = false
  }

  #close(to: number): void {
    if (to > this.#from) this.#emit(this.#from, to)
    this.#state = 'rest'
  }
}
