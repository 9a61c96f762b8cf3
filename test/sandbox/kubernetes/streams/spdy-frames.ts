import { constants, createDeflate, createInflate } from 'node:zlib'
import { spdyDictionary } from './spdy-dictionary.ts'

/**
 * Frames of SPDY/3.1 (draft-mbelshe-httpbis-spdy-00, section 2.2 and 2.6), as far as moby/spdystream has them. All numbers are big-endian.
 * Control frames: 1 bit 1, 15 bits version, 16 bits type, 8 bits flags, 24 bits length. Data frames: 1 bit 0, 31 bits stream, 8 bits flags, 24
 * bits length, and bytes that are never compressed.
 */
export type SpdyFrame =
  | { readonly type: 'data'; readonly id: number; readonly flags: number; readonly payload: Buffer }
  | { readonly type: 'control'; readonly control: number; readonly flags: number; readonly payload: Buffer }

export const control = {
  synStream: 1,
  synReply: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  window: 9,
} as const
export const fin = 1

/** A frame that no client may send. */
export class SpdyError extends Error {}

const headerBytes = 8
const longestControl = 64 * 1024

/** @returns the frames that are whole, and the bytes behind them @throws SpdyError */
export function readFrames(bytes: Buffer): { frames: SpdyFrame[]; rest: Buffer } {
  const frames: SpdyFrame[] = []
  let at = 0
  while (bytes.length - at >= headerBytes) {
    const first = bytes.readUInt32BE(at)
    const flags = bytes.readUInt8(at + 4)
    const length = bytes.readUIntBE(at + 5, 3)
    const isControl = first >= 0x8000_0000
    if (isControl && ((first >>> 16) & 0x7fff) !== 3) throw new SpdyError('a control frame of another version than 3')
    if (isControl && length > longestControl) throw new SpdyError(`a control frame of ${length} bytes`)
    const end = at + headerBytes + length
    if (end > bytes.length) break
    const payload = bytes.subarray(at + headerBytes, end)
    if (isControl) frames.push({ type: 'control', control: first & 0xffff, flags, payload })
    else frames.push({ type: 'data', id: first, flags, payload })
    at = end
  }
  return { frames, rest: bytes.subarray(at) }
}

export function dataFrame(id: number, payload: Buffer, flags = 0): Buffer {
  return Buffer.concat([dataHeader(id, payload.length, flags), payload])
}

/** @param length of the payload that it promises */
export function dataHeader(id: number, length: number, flags = 0): Buffer {
  const header = Buffer.alloc(headerBytes)
  header.writeUInt32BE(id)
  header.writeUInt8(flags, 4)
  header.writeUIntBE(length, 5, 3)
  return header
}

export function controlFrame(type: number, payload: Buffer, flags = 0): Buffer {
  const header = Buffer.alloc(headerBytes)
  header.writeUInt16BE(0x8003)
  header.writeUInt16BE(type, 2)
  header.writeUInt8(flags, 4)
  header.writeUIntBE(payload.length, 5, 3)
  return Buffer.concat([header, payload])
}

export function numbers(...values: readonly number[]): Buffer {
  const buffer = Buffer.alloc(4 * values.length)
  for (const [i, value] of values.entries()) buffer.writeUInt32BE(value, 4 * i)
  return buffer
}

/** The client's header blocks, which are one stream of zlib: each is read once, in the order in which they came. */
export function createHeaderReader(): (block: Buffer) => Promise<ReadonlyMap<string, string>> {
  const inflate = blockwise(createInflate({ dictionary: spdyDictionary, flush: constants.Z_SYNC_FLUSH }))
  return async (block) => parseHeaders(await inflate(block))
}

export function createHeaderWriter(): (headers: Readonly<Record<string, string>>) => Promise<Buffer> {
  const deflate = blockwise(createDeflate({ dictionary: spdyDictionary, flush: constants.Z_SYNC_FLUSH }))
  return (headers) => {
    const texts = Object.entries(headers)
      .flat()
      .map((text) => Buffer.from(text))
    return deflate(Buffer.concat([numbers(texts.length / 2), ...texts.flatMap((text) => [numbers(text.length), text])]))
  }
}

const longestHeaders = 64 * 1024

function blockwise(stream: ReturnType<typeof createInflate> | ReturnType<typeof createDeflate>) {
  let parts: Buffer[] = []
  let bytes = 0
  stream.on('data', (part: Buffer) => {
    bytes += part.length
    parts.push(part)
    if (bytes > longestHeaders) stream.destroy(new SpdyError('a header block that is too long'))
  })
  return (block: Buffer): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      const fail = (error: Error) => reject(error instanceof SpdyError ? error : new SpdyError(error.message))
      stream.once('error', fail)
      stream.write(block, (error) => {
        stream.off('error', fail)
        if (error) return fail(error)
        const whole = Buffer.concat(parts)
        parts = []
        bytes = 0
        return resolve(whole)
      })
    })
}

/** Number of pairs, then length and text of each name and value. @throws SpdyError */
function parseHeaders(block: Buffer): ReadonlyMap<string, string> {
  const headers = new Map<string, string>()
  let at = 0
  const number = () => {
    if (at + 4 > block.length) throw new SpdyError('a header block that ends too early')
    at += 4
    return block.readUInt32BE(at - 4)
  }
  const text = () => {
    const length = number()
    if (at + length > block.length) throw new SpdyError('a header that is longer than its block')
    at += length
    return block.toString('utf8', at - length, at)
  }
  for (let count = number(); count > 0; count--) {
    const name = text()
    if (name === '' || name !== name.toLowerCase()) throw new SpdyError(`the header name ${JSON.stringify(name)}`)
    if (headers.has(name)) throw new SpdyError(`the header ${name} comes twice`)
    headers.set(name, text())
  }
  if (at !== block.length) throw new SpdyError('a header block with bytes behind its end')
  return headers
}
