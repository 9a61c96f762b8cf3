import type { Hmac } from 'node:crypto'
import { keptBytes, type Truncated } from '../../recording/captured.ts'
import type { LongText } from '../../recording/long-text.ts'
import type { TextCapture } from '../../recording/text-capture.ts'
import { BoundValues } from './bound-values.ts'
import { LongValues } from './long-values.ts'
import { nameOf } from './names.ts'
import type { ClientRequest } from './pending.ts'

/** Reads the body of one type of message in pieces. */
interface BodyReader {
  part(bytes: Buffer, start: number, end: number): void
  finish(whole: Truncated): ClientRequest
}

/**
 * Messages that are too long to keep, as they pass: both ends of their text, the beginning of each of their values. What the
 * server will refuse as malformed is read as far as it makes sense.
 */
export class LongMessages {
  readonly #capture: TextCapture
  #reader: BodyReader | undefined
  #hmac: Hmac | undefined
  #length = 0

  constructor(capture: TextCapture) {
    this.#capture = capture
  }

  /** @returns how many bytes of the body are to be collected: all, or none of a message that is too long */
  begin(type: number, length: number): number {
    const reader = length > keptBytes ? this.#readerOf(String.fromCharCode(type)) : undefined
    this.#reader = reader
    this.#hmac = reader && this.#capture.digests.begin()
    this.#length = length
    return reader ? 0 : length
  }

  part(bytes: Buffer, start: number, end: number): void {
    if (!this.#reader) return
    this.#hmac?.update(bytes.subarray(start, end))
    this.#reader.part(bytes, start, end)
  }

  /** A long message is complete. @param end beyond `start` when it arrived whole, as long ones may over a websocket */
  long(type: number, bytes: Buffer, start: number, end: number): ClientRequest | undefined {
    if (end > start) {
      this.begin(type, end - start)
      this.part(bytes, start, end)
    }
    const [reader, hmac] = [this.#reader, this.#hmac]
    this.#reader = undefined
    this.#hmac = undefined
    return reader && hmac && reader.finish({ bytes: this.#length, hmac: hmac.digest('hex') })
  }

  #readerOf(type: string): BodyReader | undefined {
    switch (type) {
      case 'Q':
        return new TextReader(this.#capture.long(), false)
      case 'P':
        return new TextReader(this.#capture.long(), true)
      case 'B':
      case 'F':
        return new ValuesReader(this.#capture, type === 'B')
      default:
        return undefined
    }
  }
}

const mostNameBytes = 256
/** What the entry of a long value needs besides its beginning, about: size and digest. */
const bytesOfValue = 128

/** Query: cstring sql. Parse: cstring statement, cstring sql, and types, which are not kept. */
class TextReader implements BodyReader {
  readonly #text: LongText
  readonly #isNamed: boolean
  readonly #name = Buffer.alloc(mostNameBytes)
  #nameLength = 0
  #state: 'name' | 'text' | 'rest'

  constructor(text: LongText, isNamed: boolean) {
    this.#text = text
    this.#isNamed = isNamed
    this.#state = isNamed ? 'name' : 'text'
  }

  part(bytes: Buffer, start: number, end: number): void {
    for (let at = start; at < end && this.#state !== 'rest'; ) {
      const nul = bytes.subarray(at, end).indexOf(0)
      const to = nul < 0 ? end : at + nul
      if (this.#state === 'text') this.#text.add(bytes, at, to)
      else this.#nameLength += bytes.copy(this.#name, this.#nameLength, at, to)
      if (nul >= 0) this.#state = this.#state === 'name' ? 'text' : 'rest'
      at = to + 1
    }
  }

  finish(whole: Truncated): ClientRequest {
    const sql = this.#text.finish(whole)
    if (!this.#isNamed) return { kind: 'query', sql }
    return { kind: 'parse', name: nameOf(this.#name.subarray(0, this.#nameLength)), sql, oids: [] }
  }
}

class ValuesReader implements BodyReader {
  readonly #values: LongValues
  readonly #capture: TextCapture
  readonly #isBind: boolean

  constructor(capture: TextCapture, isBind: boolean) {
    this.#capture = capture
    this.#isBind = isBind
    this.#values = new LongValues(capture.digests, isBind ? ['name', 'name'] : ['oid'])
  }

  part(bytes: Buffer, start: number, end: number): void {
    this.#values.part(bytes, start, end)
  }

  finish(cut: Truncated): ClientRequest {
    const { names, oid, formats, values, keptBytes: kept } = this.#values
    const bound = new BoundValues(formats, values, this.#capture)
    if (!this.#isBind) return { kind: 'function-call', oid, values: bound, cut }
    const [portal = '', statement = ''] = names.map(nameOf)
    return { kind: 'bind', portal, statement, values: bound, cut, bytes: kept + values.length * bytesOfValue }
  }
}
