import { WireError } from '../wire-error.ts'
import { type AnswerHead, type BodyLength, readAnswerHead } from './answer-head.ts'
import { Chunks } from './chunks.ts'

const mostHead = 64 * 1024
/** Reads in which a head may come: each goes through it anew. */
const mostParts = 64
const emptyLine = Buffer.from('\r\n\r\n')
const beginning = 'HTTP/1.'
const none: Buffer = Buffer.alloc(0)

/** What hears of an answer. */
export interface AnswerSink {
  /** @returns false: it wants no more of it */
  head(head: AnswerHead): boolean
  /** Bytes of the body as they came, chunks with their sizes. Never empty. @param length of what they carry, without those sizes */
  body(bytes: Buffer, length: number): void
  /** @param isClean nothing came behind it, and the connection can carry another request */
  end(isClean: boolean): void
}

/** Finds the parts of one answer in the bytes of a connection. */
export class AnswerReader {
  readonly #sink: AnswerSink
  readonly #isHead: boolean
  /** Of a head that is not whole. */
  #part = none
  #parts = 0
  #head: AnswerHead | undefined
  #chunks: Chunks | undefined
  /** Of a body whose length is known; Infinity: until the connection ends. */
  #left = 0
  #isOver = false

  /** @param isHead the request's method is HEAD */
  constructor(sink: AnswerSink, isHead: boolean) {
    this.#sink = sink
    this.#isHead = isHead
  }

  /** Bytes of the body that are to come at least; 0 where they are not known. */
  get left(): number {
    return Number.isFinite(this.#left) ? this.#left : 0
  }

  /** Something may be put in behind what has passed: whole chunks, whose data ends with a line. */
  get isAfterLine(): boolean {
    return this.#chunks?.isAfterLine ?? false
  }

  /** @throws WireError */
  push(bytes: Buffer): void {
    if (this.#isOver) throw new WireError('bytes behind an answer')
    if (this.#head) this.#follow(bytes, 0)
    else this.#readHead(this.#part.length === 0 ? bytes : Buffer.concat([this.#part, bytes]))
  }

  /** The connection has ended. @returns whether the answer is whole */
  close(): boolean {
    if (!this.#isOver && this.#head?.length === 'until-close') {
      this.#isOver = true
      this.#sink.end(false)
    }
    return this.#isOver
  }

  /** Answers of their own before the answer (100, 103) go no further: nobody has asked for them. */
  #readHead(bytes: Buffer): void {
    let from = 0
    while (true) {
      const end = bytes.indexOf(emptyLine, from)
      if ((end < 0 ? bytes.length : end) - from > mostHead) throw new WireError('a head that is too long')
      if (end < 0) {
        mustBegin(bytes, from)
        this.#parts += 1
        if (this.#parts > mostParts) throw new WireError('a head in too many parts')
        this.#part = from === 0 ? bytes : bytes.subarray(from)
        return
      }
      const head = readAnswerHead(bytes.toString('latin1', from, end + 2), this.#isHead)
      from = end + emptyLine.length
      if (head.status >= 200 || head.status === 101) {
        this.#part = none
        this.#begin(head)
        if (this.#sink.head(head)) this.#follow(bytes, from)
        return
      }
    }
  }

  #begin(head: AnswerHead): void {
    this.#head = head
    if (head.length === 'chunked') this.#chunks = new Chunks()
    else this.#left = sizeOf(head.length)
  }

  #follow(bytes: Buffer, from: number): void {
    let end: number
    let length: number
    if (this.#chunks) {
      const before = this.#chunks.dataBytes
      end = this.#chunks.follow(bytes, from)
      length = this.#chunks.dataBytes - before
      this.#isOver = this.#chunks.isOver
    } else {
      end = Math.min(from + this.#left, bytes.length)
      length = end - from
      this.#left -= length
      this.#isOver = this.#left === 0
    }
    if (end > from) this.#sink.body(from === 0 && end === bytes.length ? bytes : bytes.subarray(from, end), length)
    if (this.#isOver) this.#sink.end(end === bytes.length && (this.#head?.isKept ?? false))
  }
}

/** What is no answer is not waited for. @throws WireError */
function mustBegin(bytes: Buffer, from: number): void {
  const start = bytes.toString('latin1', from, from + beginning.length)
  if (!beginning.startsWith(start)) throw new WireError('a line that is no status line')
}

function sizeOf(length: Exclude<BodyLength, 'chunked'>): number {
  return length === 'until-close' ? Number.POSITIVE_INFINITY : length
}
