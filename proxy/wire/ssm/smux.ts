/**
 * Frames of smux version 1 (xtaci/smux), by which a port session carries many connections: version, command, length and stream
 * id, little-endian, then data. Version 1 has no window: who does not read stops every stream.
 */
import { WireError } from '../wire-error.ts'

export const smuxCommand = { open: 0, finish: 1, data: 2, keepalive: 3 } as const
export const smuxHeaderBytes = 8
/** Of one frame; receivers take up to 65,535. */
export const maxSmuxDataBytes = 32_768

const smuxVersion = 1

/** A frame with its data. @param data of at most 65,535 bytes */
export function encodeSmux(command: number, streamId: number, data?: Uint8Array): Buffer {
  const length = data?.length ?? 0
  const frame = Buffer.allocUnsafe(smuxHeaderBytes + length)
  frame[0] = smuxVersion
  frame[1] = command
  frame.writeUInt16LE(length, 2)
  frame.writeUInt32LE(streamId, 4)
  if (data) frame.set(data, smuxHeaderBytes)
  return frame
}

/** Gets what a {@link SmuxFramer} finds. */
export interface SmuxSink {
  /** A part of a frame's data, as it comes: a view of the chunk. */
  data(streamId: number, part: Buffer): void
  open(streamId: number): void
  finish(streamId: number): void
}

/** Finds frames in chunks of any size. Never allocates by a declared length: data goes on as it comes. */
export class SmuxFramer {
  readonly #sink: SmuxSink
  readonly #header = Buffer.alloc(smuxHeaderBytes)
  #headed = 0
  #streamId = 0
  /** Of the data under way, still to come. */
  #need = 0

  constructor(sink: SmuxSink) {
    this.#sink = sink
  }

  /** @throws WireError for another version, or an unknown command: the session cannot go on */
  scan(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#need > 0) {
        const end = Math.min(chunk.length, at + this.#need)
        this.#need -= end - at
        this.#sink.data(this.#streamId, chunk.subarray(at, end))
        at = end
      } else at = this.#readHeader(chunk, at)
    }
  }

  #readHeader(chunk: Buffer, from: number): number {
    const end = Math.min(chunk.length, from + smuxHeaderBytes - this.#headed)
    this.#headed += chunk.copy(this.#header, this.#headed, from, end)
    if (this.#headed === smuxHeaderBytes) {
      this.#headed = 0
      this.#begin()
    }
    return end
  }

  #begin(): void {
    const header = this.#header
    if (header[0] !== smuxVersion) throw new WireError('smux of another version')
    const length = header.readUInt16LE(2)
    const streamId = header.readUInt32LE(4)
    const command = header[1]
    if (command !== smuxCommand.data && length > 0) throw new WireError('a smux frame without data has a length')
    if (command === smuxCommand.data) {
      this.#streamId = streamId
      this.#need = length
    } else if (command === smuxCommand.open) this.#sink.open(streamId)
    else if (command === smuxCommand.finish) this.#sink.finish(streamId)
    else if (command !== smuxCommand.keepalive) throw new WireError('an unknown smux command')
  }
}
