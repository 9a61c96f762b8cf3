/**
 * Names and sizes of what is in an archive, as it passes (POSIX.1-2017, pax; and the long names of GNU tar). Contents are skipped. What is no archive, or
 * goes on as none, is not read any further. All of it is the word of the one who packed it.
 */
import { Buffer } from 'node:buffer'

export interface ArchivedFile {
  readonly path: string
  /** Bytes of its content, by its header. */
  readonly size: number
  /** Folders, links and devices have no content of their own. */
  readonly isFile: boolean
}

const blockBytes = 512
/** Of a name that has blocks of its own; longer ones are cut. */
const longestName = 4096
const usual: readonly string[] = ['0', '\0', '7']

/** Reads one archive. Memory is bounded whatever lengths are declared. */
export class TarHeaders {
  readonly #found: (file: ArchivedFile) => void
  readonly #block = Buffer.alloc(blockBytes)
  #have = 0
  /** Of content with its padding, still to come. */
  #left = 0
  /** A name that belongs to the next header: its form, and what has come of it. */
  #named: { readonly form: string; bytes: Buffer; want: number } | null = null
  #longName: string | undefined
  #longSize: number | undefined
  #isOver = false

  /** @param found what it throws comes out of `scan` */
  constructor(found: (file: ArchivedFile) => void) {
    this.#found = found
  }

  scan(chunk: Buffer): void {
    for (let at = 0; at < chunk.length && !this.#isOver; )
      at = this.#left > 0 ? this.#skip(chunk, at) : this.#gather(chunk, at)
  }

  #skip(chunk: Buffer, from: number): number {
    const end = Math.min(chunk.length, from + this.#left)
    const named = this.#named
    if (named && named.want > 0) {
      const part = chunk.subarray(from, Math.min(end, from + named.want))
      named.bytes = Buffer.concat([named.bytes, part])
      named.want -= part.length
    }
    this.#left -= end - from
    if (this.#left === 0 && named) this.#name(named)
    return end
  }

  #gather(chunk: Buffer, from: number): number {
    const end = Math.min(chunk.length, from + blockBytes - this.#have)
    this.#have += chunk.copy(this.#block, this.#have, from, end)
    if (this.#have === blockBytes) {
      this.#have = 0
      this.#read(this.#block)
    }
    return end
  }

  #read(block: Buffer): void {
    const size = readNumber(block.subarray(124, 136))
    this.#isOver = size === null || !isHeader(block)
    if (this.#isOver || size === null) return
    const form = block.toString('latin1', 156, 157)
    if (form === 'L' || form === 'x') {
      // An empty one has no block in which it would end.
      if (size > 0) this.#named = { form, bytes: Buffer.alloc(0), want: Math.min(size, longestName) }
      this.#left = padded(size)
      return
    }
    if (form === 'g' || form === 'K') {
      this.#left = padded(size)
      return
    }
    const isFile = usual.includes(form)
    const content = isFile ? (this.#longSize ?? size) : 0
    const path = this.#longName ?? pathOf(block)
    this.#longName = undefined
    this.#longSize = undefined
    this.#left = padded(content)
    this.#found({ path, size: content, isFile })
  }

  #name({ form, bytes }: { readonly form: string; readonly bytes: Buffer }): void {
    this.#named = null
    if (form === 'L') {
      this.#longName = textOf(bytes)
      return
    }
    // Each record: its length in decimal, a space, name=value, a line feed.
    for (let at = 0; at < bytes.length; ) {
      const length = Number(/^[0-9]{1,6}(?= )/.exec(bytes.toString('latin1', at, at + 8))?.[0] ?? 0)
      if (length < 5) return
      const [, key, value = ''] = /^[0-9]+ ([^=]+)=([\s\S]*)\n$/.exec(bytes.toString('utf8', at, at + length)) ?? []
      if (key === 'path') this.#longName = value
      if (key === 'size' && /^[0-9]{1,15}$/.test(value)) this.#longSize = Number(value)
      at += length
    }
  }
}

/** The sum of its bytes, with blanks in the place of the sum, is what it says. */
function isHeader(block: Buffer): boolean {
  let sum = 8 * 0x20
  for (let at = 0; at < blockBytes; at += 1) if (at < 148 || at >= 156) sum += block[at] as number
  return block.toString('latin1', 257, 262) === 'ustar' && readNumber(block.subarray(148, 156)) === sum
}

/** In octal; or in binary, where that is too short. Null: neither. */
function readNumber(field: Buffer): number | null {
  if (((field[0] ?? 0) & 0x80) !== 0) {
    const value = field.readUIntBE(field.length - 6, 6)
    return field.subarray(1, -6).every((byte) => byte === 0) && field[0] === 0x80 ? value : null
  }
  const text = /^ *([0-7]+)[ \0]*$/.exec(field.toString('latin1'))?.[1]
  return text === undefined ? null : Number.parseInt(text, 8)
}

function pathOf(block: Buffer): string {
  // GNU tar has other fields in the place of the prefix.
  const isPosix = block[262] === 0
  const prefix = isPosix ? textOf(block.subarray(345, 500)) : ''
  const name = textOf(block.subarray(0, 100))
  return prefix === '' ? name : `${prefix}/${name}`
}

function textOf(field: Buffer): string {
  const end = field.indexOf(0)
  return field.toString('utf8', 0, end < 0 ? field.length : end)
}

function padded(size: number): number {
  return Math.ceil(size / blockBytes) * blockBytes
}
