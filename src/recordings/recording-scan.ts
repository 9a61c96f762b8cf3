/**
 * The file of one session, JSON lines: a header; then batches, each of entries followed by a chain line
 * `{"chain":"<hex SHA-256 of (previous hash in hex, the batch's bytes)>","n":<entries>}`. The first previous hash is that of
 * the header line. Line feeds belong to the bytes that are hashed.
 */
import { createHash, type Hash, hash } from 'node:crypto'
import { createReadStream } from 'node:fs'

export const formatVersion = 1
/** Engines truncate entries far below this; a longer line is damage. */
export const longestEntryBytes = 16 * 1024 * 1024

export interface Batch {
  /** The hash in the chain line, and the one computed from the bytes before it. */
  readonly head: string
  readonly computed: string
  /** Entries by the chain line, and by count. */
  readonly stated: number
  readonly counted: number
  /** Entries of the whole recording up to here, by count. */
  readonly total: number
  /** Lines of the file, from 1. */
  readonly firstLine: number
  readonly chainLine: number
  /** Where the chain line ends. */
  readonly endOffset: number
}

export interface ScanListener {
  /** The first line. `head` is its hash, `endOffset` where it ends. */
  header?(json: Buffer, head: string, endOffset: number): void
  entry?(json: Buffer): void
  /** @returns false to stop scanning */
  batch?(batch: Batch): boolean
}

/** What comes after the last chain line. */
export interface ScanRest {
  readonly line: number
  /** Whole lines and the beginning of one. */
  readonly bytes: number
}

/** The bytes of a recording: a file here, or what another daemon sends of one. */
export type RecordingBytes = string | AsyncIterable<Buffer>

/** @param start where to begin in a file; what another daemon sends begins where it was asked for */
export function chunksOf(from: RecordingBytes, start = 0): AsyncIterable<Buffer> {
  return typeof from === 'string' ? createReadStream(from, { start, highWaterMark: 256 * 1024 }) : from
}

/** Reads a whole recording. @throws Error when it can't be read, or a line is too long */
export async function scanBytes(from: RecordingBytes, listener: ScanListener): Promise<ScanRest> {
  const scan = new RecordingScan(listener)
  for await (const chunk of chunksOf(from)) {
    if (!scan.push(chunk)) break
  }
  return scan.rest()
}

const lineFeed = 10
const chainStart = Buffer.from('{"chain":"')
const chainLine = /^\{"chain":"([0-9a-f]{64})","n":([1-9][0-9]{0,9})\}$/

/** Takes the bytes of a recording in chunks of any size. */
export class RecordingScan {
  readonly #listener: ScanListener
  #partial: Buffer[] = []
  #partialBytes = 0
  #line = 0
  #offset = 0
  #head = ''
  #hash: Hash | undefined
  #firstLine = 2
  #counted = 0
  #total = 0
  #batchBytes = 0

  constructor(listener: ScanListener) {
    this.#listener = listener
  }

  /** @returns false once the listener has seen enough */
  push(chunk: Buffer): boolean {
    let start = 0
    for (let end = chunk.indexOf(lineFeed); end >= 0; end = chunk.indexOf(lineFeed, start)) {
      const piece = chunk.subarray(start, end + 1)
      start = end + 1
      if (!this.#takeLine(this.#whole(piece))) return false
    }
    if (start < chunk.length) this.#keep(Buffer.from(chunk.subarray(start)))
    return true
  }

  rest(): ScanRest {
    return { line: this.#firstLine, bytes: this.#batchBytes + this.#partialBytes }
  }

  #keep(piece: Buffer): void {
    this.#partial.push(piece)
    this.#partialBytes += piece.length
    if (this.#partialBytes > longestEntryBytes) throw new Error(`line ${this.#line + 1} is longer than an entry can be`)
  }

  #whole(piece: Buffer): Buffer {
    if (this.#partial.length === 0) return piece
    const line = Buffer.concat([...this.#partial, piece])
    this.#partial = []
    this.#partialBytes = 0
    return line
  }

  /** @param line with its line feed */
  #takeLine(line: Buffer): boolean {
    this.#line++
    this.#offset += line.length
    if (this.#line === 1) {
      this.#head = hash('sha256', line)
      this.#listener.header?.(line.subarray(0, -1), this.#head, this.#offset)
      return true
    }
    const chain = this.#counted > 0 ? readChainLine(line) : undefined
    if (chain) return this.#takeChain(chain)
    this.#hash ??= createHash('sha256').update(this.#head)
    this.#hash.update(line)
    this.#counted++
    this.#batchBytes += line.length
    this.#listener.entry?.(line.subarray(0, -1))
    return true
  }

  #takeChain(chain: { head: string; stated: number }): boolean {
    const { head, stated } = chain
    const counted = this.#counted
    this.#total += counted
    const batch: Batch = {
      head,
      computed: this.#hash?.digest('hex') ?? '',
      stated,
      counted,
      total: this.#total,
      firstLine: this.#firstLine,
      chainLine: this.#line,
      endOffset: this.#offset,
    }
    this.#head = head
    this.#hash = undefined
    this.#counted = 0
    this.#batchBytes = 0
    this.#firstLine = this.#line + 1
    return this.#listener.batch?.(batch) ?? true
  }
}

/** @param line without its line feed */
export function isChainLine(line: Buffer): boolean {
  return readChainLine(line, line.length) !== undefined
}

/** @param end of the text in it */
function readChainLine(line: Buffer, end = line.length - 1): { head: string; stated: number } | undefined {
  if (line.length > 100 || line.compare(chainStart, 0, chainStart.length, 0, chainStart.length) !== 0) return undefined
  const [, head, stated] = chainLine.exec(line.toString('latin1', 0, end)) ?? []
  return head === undefined ? undefined : { head, stated: Number(stated) }
}
