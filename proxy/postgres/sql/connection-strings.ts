/** Passwords in libpq's connection strings (PostgreSQL documentation, "Connection Strings"), read byte by byte. */

import { isBlank, isLetter, SecretKey } from '../../recording/sql/secret-key.ts'

type Emit = (from: number, to: number) => void

const [quote, backslash, equals, underscore] = [39, 92, 61, 95] as const
const mostHeld = 64

/**
 * `host=h password='x y'`: passwords in a literal that is nothing but pairs of keyword and value from its start on. SQL never
 * looks like that, so what a literal runs cannot hide in one.
 */
export class Keywords {
  readonly #emit: Emit
  readonly #key = new SecretKey()
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
