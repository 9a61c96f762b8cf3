/**
 * Frames of SPDY/3.1 (SPDY protocol draft 3, sections 2.2 and 2.6) as they pass, for who reads along and must know where one ends.
 * What Kubernetes does not use is read as well, since its readers do; frames that the draft does not have are refused.
 */
import { Buffer } from 'node:buffer'
import { WireError } from '../wire-error.ts'
import { HeaderBlocks, type SpdyHeaders } from './header-block.ts'

const headerBytes = 8
const version = 3
/** Of a control frame. */
const mostControlBytes = 64 * 1024
const fin = 1

const type = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const
const known: readonly number[] = Object.values(type)

/** Those of fixed length. */
const lengths: Readonly<Record<number, number>> = {
  [type.rstStream]: 8,
  [type.ping]: 4,
  [type.goAway]: 8,
  [type.windowUpdate]: 8,
}

/** Of a frame of data that breaks off: what is made up for its end. */
const mostMadeUpBytes = 1024 * 1024

/** Gets what {@link SpdyFrames} finds. */
export interface SpdySink {
  /** A frame of data begins. @param length of its payload, as it says */
  begin?(streamId: number, length: number): void
  open(streamId: number, headers: SpdyHeaders): void
  reply(streamId: number): void
  /** A part of a frame's data; valid during the call only. */
  data(streamId: number, part: Buffer): void
  /** The sender ends its half of the stream. */
  finish(streamId: number): void
  reset(streamId: number): void
}

/** Reads one direction. Data passes in pieces; of control frames 64 KiB are gathered at most. */
export class SpdyFrames {
  readonly #sink: SpdySink
  readonly #blocks = new HeaderBlocks()
  readonly #header = Buffer.alloc(headerBytes)
  #headed = 0
  /** Of the frame under way, still to come. */
  #need = 0
  #streamId = 0
  #isFinal = false
  /** Of a control frame; null: the frame is one of data. */
  #control: Buffer | null = null
  /** In the chunk that was scanned last; null: none. */
  #boundary: number | null = 0

  constructor(sink: SpdySink) {
    this.#sink = sink
  }

  /** Between two frames. */
  get isAtBoundary(): boolean {
    return this.#headed === 0 && this.#need === 0
  }

  /** Whether a header block has passed, which the next one continues. */
  get hasHeaders(): boolean {
    return this.#blocks.isBegun
  }

  /** @throws WireError for what the draft forbids; nothing more may be passed on */
  scan(chunk: Buffer): void {
    this.#scan(chunk, false)
  }

  /** To the end of the frame under way, or of the next one. @returns how many bytes of the chunk belong to it @throws WireError */
  scanFrame(chunk: Buffer): number {
    return this.#scan(chunk, true)
  }

  /** After a scan that threw: how many bytes of its chunk are whole frames, or the rest of one. It is there again, or where the chunk began. */
  get wholeBytes(): number {
    return this.#boundary ?? 0
  }

  /**
   * The frame under way will not come to its end: zeros in its place, behind which another one may begin. Null: that is not possible, since its length is
   * not known yet, or above 1 MiB, or it is one of control.
   */
  breakOff(): Buffer | null {
    if (this.#headed > 0 || this.#control || this.#need > mostMadeUpBytes) return null
    const rest = Buffer.alloc(this.#need)
    this.#need = 0
    if (rest.length > 0) this.#end()
    return rest
  }

  #scan(chunk: Buffer, isOneFrame: boolean): number {
    const before = [this.#headed, this.#need, this.#streamId, this.#isFinal, this.#control] as const
    this.#boundary = this.isAtBoundary ? 0 : null
    try {
      return this.#read(chunk, isOneFrame)
    } catch (error) {
      ;[this.#headed, this.#need, this.#streamId, this.#isFinal, this.#control] =
        this.#boundary === null ? before : [0, 0, 0, false, null]
      throw error
    }
  }

  #read(chunk: Buffer, isOneFrame: boolean): number {
    let at = 0
    while (at < chunk.length) {
      at = this.#need > 0 ? this.#readPayload(chunk, at) : this.#readHeader(chunk, at)
      if (!this.isAtBoundary) continue
      this.#boundary = at
      if (isOneFrame) break
    }
    return at
  }

  #readHeader(chunk: Buffer, from: number): number {
    const end = Math.min(chunk.length, from + headerBytes - this.#headed)
    this.#headed += chunk.copy(this.#header, this.#headed, from, end)
    if (this.#headed === headerBytes) this.#begin()
    return end
  }

  #begin(): void {
    const first = this.#header.readUInt32BE(0)
    const flags = this.#header[4] ?? 0
    const length = this.#header.readUIntBE(5, 3)
    this.#headed = 0
    this.#isFinal = (flags & fin) !== 0
    this.#need = length
    if (first < 0x8000_0000) {
      if (flags > fin) throw new WireError('a SPDY data frame has unknown flags')
      this.#control = null
      this.#streamId = first
      this.#sink.begin?.(first, length)
    } else {
      mustBeKnown((first >>> 16) & 0x7fff, first & 0xffff, length)
      this.#control = Buffer.allocUnsafe(length)
    }
    if (length === 0) this.#end()
  }

  #readPayload(chunk: Buffer, from: number): number {
    const end = Math.min(chunk.length, from + this.#need)
    if (this.#control) chunk.copy(this.#control, this.#control.length - this.#need, from, end)
    else this.#sink.data(this.#streamId, chunk.subarray(from, end))
    this.#need -= end - from
    if (this.#need === 0) this.#end()
    return end
  }

  #end(): void {
    const control = this.#control
    this.#control = null
    if (control) this.#readControl(this.#header.readUInt16BE(2), control)
    else if (this.#isFinal) this.#sink.finish(this.#streamId)
  }

  #readControl(code: number, payload: Buffer): void {
    if (code === type.settings) {
      if (payload.length < 4 || payload.readUInt32BE(0) * 8 !== payload.length - 4)
        throw new WireError('a SPDY settings frame has the wrong length')
    } else if (code === type.rstStream) this.#sink.reset(streamIdOf(payload))
    else if (code === type.synStream || code === type.synReply || code === type.headers)
      this.#readHeaders(code, payload)
  }

  /** Each block is inflated, also one that tells nothing: the next one needs it. */
  #readHeaders(code: number, payload: Buffer): void {
    const before = code === type.synStream ? 10 : 4
    if (payload.length < before) throw new WireError('a SPDY frame is too short for its type')
    const streamId = streamIdOf(payload)
    const headers = this.#blocks.read(payload.subarray(before))
    if (code === type.synStream) this.#sink.open(streamId, headers)
    if (code === type.synReply) this.#sink.reply(streamId)
    if (this.#isFinal) this.#sink.finish(streamId)
  }
}

function mustBeKnown(itsVersion: number, code: number, length: number): void {
  if (itsVersion !== version) throw new WireError('SPDY of another version')
  if (!known.includes(code)) throw new WireError('a SPDY frame of an unknown type')
  if (length > mostControlBytes) throw new WireError('a SPDY control frame is too long')
  if ((lengths[code] ?? length) !== length) throw new WireError('a SPDY frame has the wrong length for its type')
}

function streamIdOf(payload: Buffer): number {
  return payload.readUInt32BE(0) & 0x7fff_ffff
}
