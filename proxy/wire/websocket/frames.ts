/**
 * Frames of websockets (RFC 6455 §5) as they pass, for who reads along and must know where one ends. Extensions are not known: none
 * may have been agreed on. No payload is gathered but that of control frames.
 */
import { WireError } from '../wire-error.ts'

export const opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

const longestControlBytes = 125
/** Two bytes, eight of length, four of mask. */
const longestHeaderBytes = 14
/** Of a frame of data that breaks off: what is made up for its end. */
const mostMadeUpBytes = 1024 * 1024
/** What is unmasked at a time. */
const scratchBytes = 16 * 1024

/** Gets what {@link WebsocketFrames} finds. Parts are valid during the call only. */
export interface WebsocketSink {
  /** A message begins. */
  begin(isText: boolean): void
  /** A part of its payload, without mask. */
  data(part: Buffer): void
  /** The message is complete. */
  end(): void
  /** @param payload of at most 125 bytes */
  control(code: number, payload: Buffer): void
}

/** Reads one direction. Memory is bounded whatever lengths are declared. */
export class WebsocketFrames {
  readonly #sink: WebsocketSink
  readonly #isMasked: boolean
  readonly #header = Buffer.alloc(longestHeaderBytes)
  #headed = 0
  /** Of the payload of the frame under way, still to come. */
  #need = 0
  readonly #mask = Buffer.alloc(4)
  #masked = 0
  /** The mask as it lies over the next byte, and as one number. */
  readonly #turned = new Uint8Array(4)
  readonly #turnedWord = new Int32Array(this.#turned.buffer)
  readonly #scratch: Buffer
  readonly #words: Int32Array
  readonly #control = Buffer.alloc(longestControlBytes)
  /** Gathered of a control frame; null: the frame is one of data. */
  #controlled: number | null = null
  #isInFrame = false
  #isFinal = true
  #isInMessage = false
  #isClosed = false
  /** In the chunk that was scanned last; null: none. */
  #boundary: number | null = 0
  /** There. */
  #wasInMessage = false

  /** @param isMasked whether it comes from the client */
  constructor(sink: WebsocketSink, isMasked: boolean) {
    this.#sink = sink
    this.#isMasked = isMasked
    const scratch = new ArrayBuffer(isMasked ? scratchBytes : 0)
    this.#scratch = Buffer.from(scratch)
    this.#words = new Int32Array(scratch)
  }

  /** Between two frames. */
  get isAtBoundary(): boolean {
    return !this.#isInFrame && this.#headed === 0
  }

  /** A message has begun, and its last frame has not ended: no other may begin. */
  get isInMessage(): boolean {
    return this.#isInMessage
  }

  /** A close frame has passed, the last one of its side. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /** @throws WireError for what RFC 6455 forbids; nothing more may be passed on */
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
   * The frame under way, of a server, will not come to its end: zeros in its place, behind which another one may begin. Null: that is not possible, since its
   * length is not known yet, or above 1 MiB, or it is one of control.
   */
  breakOff(): Buffer | null {
    if (this.#headed > 0 || this.#isMasked || this.#need > mostMadeUpBytes) return null
    if (!this.#isInFrame) return Buffer.alloc(0)
    if (this.#controlled !== null) return null
    const rest = Buffer.alloc(this.#need)
    this.#need = 0
    this.#isInFrame = false
    if (this.#isFinal) this.#isInMessage = false
    return rest
  }

  #scan(chunk: Buffer, isOneFrame: boolean): number {
    const before = [
      this.#headed,
      this.#need,
      this.#isInFrame,
      this.#isFinal,
      this.#isInMessage,
      this.#controlled,
    ] as const
    this.#boundary = this.isAtBoundary ? 0 : null
    this.#wasInMessage = this.#isInMessage
    try {
      return this.#read(chunk, isOneFrame)
    } catch (error) {
      ;[this.#headed, this.#need, this.#isInFrame, this.#isFinal, this.#isInMessage, this.#controlled] =
        this.#boundary === null ? before : [0, 0, false, true, this.#wasInMessage, null]
      throw error
    }
  }

  #read(chunk: Buffer, isOneFrame: boolean): number {
    let at = 0
    while (at < chunk.length) {
      at = this.#isInFrame ? this.#readPayload(chunk, at) : this.#readHeader(chunk, at)
      if (!this.isAtBoundary) continue
      this.#boundary = at
      this.#wasInMessage = this.#isInMessage
      if (isOneFrame) break
    }
    return at
  }

  #readHeader(chunk: Buffer, from: number): number {
    let at = from
    while (at < chunk.length && !this.#isInFrame) {
      this.#header[this.#headed] = chunk[at] as number
      this.#headed += 1
      at += 1
      if (this.#headed >= 2 && this.#headed === this.#headerBytes()) {
        this.#begin()
        break
      }
    }
    return at
  }

  #headerBytes(): number {
    const [, second = 0] = this.#header
    const length = second & 0x7f
    return 2 + (length === 126 ? 2 : length === 127 ? 8 : 0) + (this.#isMasked ? 4 : 0)
  }

  #begin(): void {
    const [first = 0, second = 0] = this.#header
    if (this.#isClosed) throw new WireError('a websocket goes on behind its close frame')
    if ((first & 0x70) !== 0) throw new WireError('a websocket uses an extension')
    if (second >> 7 !== (this.#isMasked ? 1 : 0)) throw new WireError('a websocket frame has the wrong mask')
    this.#need = this.#length(second & 0x7f)
    if (this.#isMasked) this.#header.copy(this.#mask, 0, this.#headed - 4, this.#headed)
    this.#masked = 0
    this.#headed = 0
    this.#isInFrame = true
    this.#isFinal = first >> 7 === 1
    this.#beginAs(first & 0x0f)
    if (this.#need === 0) this.#end()
  }

  #length(short: number): number {
    if (short < 126) return short
    const length = short === 126 ? this.#header.readUInt16BE(2) : this.#longLength()
    if (length < (short === 126 ? 126 : 65_536)) throw new WireError('a websocket length has more bytes than it needs')
    return length
  }

  #longLength(): number {
    const length = this.#header.readUInt32BE(2) * 2 ** 32 + this.#header.readUInt32BE(6)
    if (length > Number.MAX_SAFE_INTEGER) throw new WireError('a websocket frame is too long')
    return length
  }

  #beginAs(code: number): void {
    this.#controlled = null
    if (code === opcode.close || code === opcode.ping || code === opcode.pong) {
      if (!this.#isFinal || this.#need > longestControlBytes)
        throw new WireError('a websocket control frame is too long or in pieces')
      this.#controlled = 0
      return
    }
    if (code > opcode.binary) throw new WireError('an unknown websocket opcode')
    if ((code === opcode.continuation) !== this.#isInMessage)
      throw new WireError('a websocket message begins within another, or goes on without one')
    this.#isInMessage = true
    if (code !== opcode.continuation) this.#sink.begin(code === opcode.text)
  }

  #readPayload(chunk: Buffer, from: number): number {
    const end = Math.min(chunk.length, from + this.#need)
    if (!this.#isMasked) this.#pass(chunk.subarray(from, end))
    else
      for (let at = from; at < end; at += scratchBytes)
        this.#pass(this.#unmask(chunk, at, Math.min(end, at + scratchBytes)))
    this.#need -= end - from
    if (this.#need === 0) this.#end()
    return end
  }

  /** A copy: what passes stays masked. Four bytes at a time, since uploads are large. */
  #unmask(chunk: Buffer, from: number, end: number): Buffer {
    const length = end - from
    chunk.copy(this.#scratch, 0, from, end)
    for (let at = 0; at < 4; at += 1) this.#turned[at] = this.#mask[(at + this.#masked) & 3] as number
    const [words, mask] = [this.#words, this.#turnedWord[0] as number]
    for (let at = 0; at * 4 < length; at += 1) words[at] = (words[at] as number) ^ mask
    this.#masked = (this.#masked + length) & 3
    return this.#scratch.subarray(0, length)
  }

  #pass(part: Buffer): void {
    if (this.#controlled === null) this.#sink.data(part)
    else this.#controlled += part.copy(this.#control, this.#controlled)
  }

  #end(): void {
    this.#isInFrame = false
    if (this.#controlled === null) {
      if (!this.#isFinal) return
      this.#isInMessage = false
      this.#sink.end()
      return
    }
    const [first = 0] = this.#header
    const code = first & 0x0f
    if (code === opcode.close) {
      if (this.#controlled === 1) throw new WireError('a websocket close frame has half a code')
      this.#isClosed = true
    }
    this.#sink.control(code, this.#control.subarray(0, this.#controlled))
  }
}
