/** Passwords in libpq's connection strings (PostgreSQL documentation, "Connection Strings"), read byte by byte. */

type Emit = (from: number, to: number) => void

const [quote, backslash, equals, underscore, percent] = [39, 92, 61, 95, 37] as const
const isBlank = (byte: number) => byte === 32 || (byte >= 9 && byte <= 13)
const isLetter = (byte: number) => (byte >= 97 && byte <= 122) || (byte >= 65 && byte <= 90)
const secretKeys: ReadonlySet<string> = new Set(['password', 'sslpassword', 'passwd', 'pwd'])
const longestKey = 11
const mostHeld = 64

class Key {
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

/**
 * `host=h password='x y'`: passwords in a literal that is nothing but pairs of keyword and value from its start on. SQL never
 * looks like that, so what a literal runs cannot hide in one.
 */
export class Keywords {
  readonly #emit: Emit
  readonly #key = new Key()
  #state: 'key' | 'equals' | 'value' | 'bare' | 'quoted' | 'escape' | 'dead' = 'dead'
  #hasKey = false
  #isQuoted = false
  #isSure = false
  /** Nothing stands between the quotes yet. */
  #isEmpty = false
  #pairs = 0
  #from = -1
  #end = 0
  /** Pieces of a password in what is no connection string yet. */
  #held: [number, number][] = []

  constructor(emit: Emit) {
    this.#emit = emit
  }

  /** @param isSure it is a connection string; otherwise one pair alone proves nothing */
  reset(isSure: boolean): void {
    this.#state = 'key'
    this.#isSure = isSure
    this.#hasKey = false
    this.#key.clear()
    this.#pairs = 0
    this.#from = -1
    this.#held = []
  }

  /** @returns how many bytes were looked at */
  feed(bytes: Buffer, start: number, end: number, from: number): number {
    for (let i = start; i < end; i += 1) {
      if (this.#state === 'dead') return i - start
      this.byte(bytes[i] as number, from + i - start, from + i - start + 1)
    }
    return end - start
  }

  byte(byte: number, from: number, to: number): void {
    if (this.#state === 'dead') return
    this.#step(byte, from)
    this.#end = to
    if (this.#state === 'quoted' || this.#state === 'escape' || this.#state === 'bare') return
    if (this.#from >= 0 && this.#state === 'key') this.#close(byte === quote ? to : from)
  }

  /** The string goes on elsewhere. */
  seam(end: number, start: number): void {
    if (this.awaitsSecret && (this.#state === 'value' || this.#isEmpty)) this.#isSure = true
    if (this.#from < 0 || this.#state === 'value') return
    this.#found(this.#from, end)
    this.#from = start
  }

  /** Something whose text is not known stands between two pieces. */
  opaque(end: number): void {
    if (this.#state === 'value') {
      if (this.#key.isSecret) {
        this.#isSure = true
        this.#from = end
      }
      this.#state = 'bare'
      this.#isQuoted = false
    } else if (this.#state === 'key') this.#beginKey()
  }

  /** What comes next is a password, or a part of one. */
  get awaitsSecret(): boolean {
    const isValue = this.#state === 'value' || this.#state === 'bare' || this.#state === 'quoted'
    return (
      isValue && this.#key.isSecret && (this.#state === 'value' || this.#isEmpty || this.#isSure || this.#pairs > 1)
    )
  }

  finish(): void {
    if (this.#from >= 0 && this.#state !== 'value' && this.#state !== 'dead') this.#close(this.#end)
    this.#state = 'dead'
  }

  #step(byte: number, from: number): void {
    switch (this.#state) {
      case 'key':
        this.#inKey(byte)
        return
      case 'equals':
        if (byte === equals) this.#beginValue()
        else if (!isBlank(byte)) this.#state = 'dead'
        return
      case 'value':
        if (isBlank(byte)) return
        if (this.#key.isSecret) this.#from = from
        this.#state = byte === quote ? 'quoted' : byte === backslash ? 'escape' : 'bare'
        this.#isQuoted = byte === quote
        this.#isEmpty = byte === quote
        return
      case 'bare':
        if (isBlank(byte)) this.#beginKey()
        else if (byte === quote && !this.#isSure) this.#die()
        else if (byte === backslash) this.#state = 'escape'
        return
      case 'quoted':
        this.#isEmpty = false
        if (byte === quote) this.#beginKey()
        else if (byte === backslash) this.#state = 'escape'
        return
      case 'escape':
        this.#state = this.#isQuoted ? 'quoted' : 'bare'
        return
      default:
    }
  }

  #inKey(byte: number): void {
    if (isLetter(byte) || byte === underscore) {
      this.#hasKey = true
      this.#key.add(byte)
    } else if (byte === equals && this.#hasKey) this.#beginValue()
    else if (!isBlank(byte)) this.#state = 'dead'
    else if (this.#hasKey) this.#state = 'equals'
  }

  #beginValue(): void {
    this.#pairs += 1
    this.#state = 'value'
    this.#isEmpty = false
    if (this.#pairs > 1) this.#emitHeld()
  }

  #beginKey(): void {
    this.#state = 'key'
    this.#hasKey = false
    if (this.#from < 0) this.#key.clear()
  }

  #die(): void {
    this.#state = 'dead'
    this.#from = -1
  }

  #close(to: number): void {
    this.#found(this.#from, to)
    this.#from = -1
    this.#key.clear()
  }

  #hold(from: number, to: number): void {
    this.#held.push([from, to])
    if (this.#held.length < mostHeld) return
    this.#isSure = true
    this.#emitHeld()
  }

  #emitHeld(): void {
    for (const [from, to] of this.#held) this.#emit(from, to)
    this.#held = []
  }

  #found(from: number, to: number): void {
    if (this.#isSure || this.#pairs > 1) this.#emit(from, to)
    else this.#hold(from, to)
  }
}

const [colon, slash, at, question, hash, ampersand, doubleQuote] = [58, 47, 64, 63, 35, 38, 34] as const

/** `scheme://user:password@host/?password=x` anywhere in a text, in comments too. No SQL fits into such a password: it ends at blanks and quotes. */
export class Uris {
  readonly #emit: Emit
  readonly #key = new Key()
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
