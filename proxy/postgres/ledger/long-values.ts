import type { Hmac } from 'node:crypto'
import type { Digests } from '../../recording/digests.ts'
import { type LongValue, longestValue } from '../../recording/recorded-value.ts'

/** For the values of one message together: what short ones don't need is left to the long ones … */
const budgetBytes = 64 * 1024
/** … but each value may keep this much, so that none is without a beginning. */
const leastBytes = 16
const mostNameBytes = 256

type Field = 'name' | 'oid' | 'format-count' | 'format' | 'value-count' | 'length' | 'value' | 'rest'

/** Reads names, formats and values of a Bind or FunctionCall in pieces; of each value it keeps the beginning. */
export class LongValues {
  readonly names: Buffer[] = []
  oid = 0
  readonly formats: number[] = []
  readonly values: (Buffer | LongValue | null)[] = []
  keptBytes = 0
  readonly #digests: Digests
  readonly #first: Field[]
  #field: Field
  #number = 0
  #numberBytes = 0
  #name = Buffer.alloc(mostNameBytes)
  #nameLength = 0
  /** Formats, then values, still to come. */
  #count = 0
  /** Of the current value: its size, bytes still to come, what is kept, and the digest of it if it is too long. */
  #size = 0
  #need = 0
  #head = Buffer.alloc(0)
  #hmac: Hmac | undefined

  /** @param first fields before the formats */
  constructor(digests: Digests, first: readonly Field[]) {
    this.#digests = digests
    this.#first = [...first]
    this.#field = this.#first.shift() ?? 'format-count'
  }

  part(bytes: Buffer, start: number, end: number): void {
    for (let at = start; at < end && this.#field !== 'rest'; ) {
      if (this.#field === 'value') at = this.#takeValue(bytes, at, end)
      else if (this.#field === 'name') at = this.#takeName(bytes, at, end)
      else {
        this.#takeNumber(bytes[at] as number)
        at += 1
      }
    }
  }

  #takeName(bytes: Buffer, at: number, end: number): number {
    const nul = bytes.subarray(at, end).indexOf(0)
    const to = nul < 0 ? end : at + nul
    this.#nameLength += bytes.copy(this.#name, this.#nameLength, at, to)
    if (nul < 0) return end
    this.names.push(Buffer.from(this.#name.subarray(0, this.#nameLength)))
    this.#nameLength = 0
    this.#field = this.#first.shift() ?? 'format-count'
    return to + 1
  }

  #takeNumber(byte: number): void {
    this.#number = this.#number * 256 + byte
    this.#numberBytes += 1
    if (this.#numberBytes < (this.#field === 'oid' || this.#field === 'length' ? 4 : 2)) return
    const number = this.#number
    this.#number = 0
    this.#numberBytes = 0
    this.#gotNumber(number)
  }

  #gotNumber(number: number): void {
    switch (this.#field) {
      case 'oid':
        this.oid = number
        this.#field = 'format-count'
        return
      case 'format-count':
        this.#count = number
        this.#field = number > 0 ? 'format' : 'value-count'
        return
      case 'format':
        this.formats.push(number)
        this.#count -= 1
        if (this.#count === 0) this.#field = 'value-count'
        return
      case 'value-count':
        this.#count = number
        this.#field = number > 0 ? 'length' : 'rest'
        return
      default:
        this.#beginValue(number)
    }
  }

  #beginValue(length: number): void {
    if (length === 0xffff_ffff) {
      this.#endValue(null)
      return
    }
    const share = Math.floor((budgetBytes - this.keptBytes) / this.#count)
    const kept = Math.min(length, longestValue, Math.max(leastBytes, share))
    this.#size = length
    this.#need = length
    this.#head = Buffer.alloc(kept)
    this.#hmac = length > kept ? this.#digests.begin() : undefined
    this.#field = 'value'
    if (length === 0) this.#endValue(this.#head)
  }

  #takeValue(bytes: Buffer, at: number, end: number): number {
    const to = Math.min(end, at + this.#need)
    const have = this.#size - this.#need
    if (have < this.#head.length) bytes.copy(this.#head, have, at, to)
    this.#hmac?.update(bytes.subarray(at, to))
    this.#need -= to - at
    if (this.#need > 0) return to
    const { length } = this.#head
    this.keptBytes += length
    this.#endValue(this.#hmac ? { head: this.#head, bytes: this.#size, hmac: this.#hmac.digest('hex') } : this.#head)
    return to
  }

  #endValue(value: Buffer | LongValue | null): void {
    this.values.push(value)
    this.#hmac = undefined
    this.#count -= 1
    this.#field = this.#count > 0 ? 'length' : 'rest'
  }
}
