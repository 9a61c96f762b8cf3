/**
 * Header blocks (SPDY protocol draft 3, section 2.6.10). All blocks of a direction are one stream of zlib, each flushed to a byte
 * boundary (Z_SYNC_FLUSH), so that each can be inflated by itself with what came before as its dictionary.
 */
import { Buffer } from 'node:buffer'
import { inflateRawSync } from 'node:zlib'
import { WireError } from '../wire-error.ts'
import { headerDictionary } from './dictionary.ts'

export type SpdyHeaders = ReadonlyMap<string, string>

/** Of one block, inflated; those of Kubernetes have some hundred bytes. */
const mostInflatedBytes = 16 * 1024
/** How far back deflate looks. */
const windowBytes = 32 * 1024
/** CMF and FLG of RFC 1950 with a preset dictionary, and the dictionary's Adler-32. */
const zlibHeaderBytes = 6
const dictionaryId = 0xe3c6a7c2
/**
 * A last, empty block. It is read as one only where a block before it has ended, at a byte boundary: anywhere else its bits are the middle
 * of something, and no end can follow. So a block that leaves a reader in doubt is refused.
 */
const lastBlock = Buffer.from([1, 0, 0, 0xff, 0xff])

/** Reads the header blocks of one direction, in their order; none may be left out. */
export class HeaderBlocks {
  #window: Buffer = headerDictionary
  #isBegun = false

  /** Whether a block has come: the next one goes on in the same stream. */
  get isBegun(): boolean {
    return this.#isBegun
  }

  /** @throws WireError */
  read(block: Buffer): SpdyHeaders {
    const inflated = this.#inflate(this.#isBegun ? block : block.subarray(readZlibHeader(block)))
    this.#isBegun = true
    this.#window = Buffer.concat([this.#window, inflated]).subarray(-windowBytes)
    return parse(inflated)
  }

  #inflate(deflated: Buffer): Buffer {
    const input = Buffer.concat([deflated, lastBlock])
    const { buffer, readBytes } = inflate(input, this.#window)
    // Otherwise the block has a last block of its own, behind which other readers would go on elsewhere.
    if (readBytes !== input.length) throw new WireError('a SPDY header block does not end where its frame ends')
    return buffer
  }
}

/** @throws WireError also when there is no last block where one is read */
function inflate(input: Buffer, dictionary: Buffer): { buffer: Buffer; readBytes: number } {
  try {
    const { buffer, engine } = inflateRawSync(input, {
      dictionary,
      maxOutputLength: mostInflatedBytes,
      info: true,
    }) as unknown as { buffer: Buffer; engine: { bytesWritten: number } }
    return { buffer, readBytes: engine.bytesWritten }
  } catch {
    throw new WireError('a SPDY header block cannot be inflated, or is too long')
  }
}

/** @returns its length @throws WireError */
function readZlibHeader(block: Buffer): number {
  if (block.length < zlibHeaderBytes) throw new WireError('the first SPDY header block has no header of zlib')
  const [cmf = 0, flags = 0] = block
  const hasDictionary = (flags & 0x20) !== 0
  if (cmf !== 0x78 || block.readUInt16BE(0) % 31 !== 0 || !hasDictionary || block.readUInt32BE(2) !== dictionaryId)
    throw new WireError('the first SPDY header block is compressed in another way')
  return zlibHeaderBytes
}

/** Layout: a count, then for each pair the length of a name, the name, the length of a value, the value. */
function parse(inflated: Buffer): SpdyHeaders {
  const headers = new Map<string, string>()
  let at = 0
  const readLength = (): number => {
    if (inflated.length - at < 4) throw new WireError('a SPDY header block is too short')
    at += 4
    return inflated.readUInt32BE(at - 4)
  }
  const readText = (): string => {
    const length = readLength()
    if (length > inflated.length - at) throw new WireError('a SPDY header is longer than its block')
    at += length
    return inflated.toString('latin1', at - length, at)
  }
  for (let left = readLength(); left > 0; left -= 1) {
    const name = readText()
    if (name === '' || name !== name.toLowerCase()) throw new WireError('a SPDY header has no name in lower case')
    if (headers.has(name)) throw new WireError('a SPDY header block has a name twice')
    headers.set(name, readText())
  }
  // It would be read as the beginning of the next block.
  if (at !== inflated.length) throw new WireError('a SPDY header block is longer than its headers')
  return headers
}

/**
 * A block without headers, which can follow any other: it stands by itself, and refers to nothing before it.
 * @param isFirst of its direction
 */
export function encodeEmptyBlock(isFirst: boolean): Buffer {
  const stored = [0, 4, 0, 0xfb, 0xff, 0, 0, 0, 0]
  const flushed = [0, 0, 0, 0xff, 0xff]
  const header = isFirst ? [0x78, 0xf9, 0xe3, 0xc6, 0xa7, 0xc2] : []
  return Buffer.from([...header, ...stored, ...flushed])
}
