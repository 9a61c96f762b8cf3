/** Frames that a server sends into a connection that others have begun. */
import { Buffer } from 'node:buffer'
import { encodeEmptyBlock } from './header-block.ts'

const synReply = 0x8003_0002
const goAway = 0x8003_0007
const rstStream = 0x8003_0003

/** Data of a stream. @param isFinal whether it is the last @param data of less than 16 MiB */
export function encodeData(streamId: number, data: Uint8Array, isFinal: boolean): Buffer {
  const frame = Buffer.allocUnsafe(8 + data.length)
  writeHeader(frame, streamId, isFinal ? 1 : 0, data.length)
  frame.set(data, 8)
  return frame
}

/** A reply without headers. @param isFirst no other header block has been sent before it */
export function encodeReply(streamId: number, isFirst: boolean): Buffer {
  return encodeControl(synReply, streamId, encodeEmptyBlock(isFirst))
}

/** @param status 3: refused, 5: cancelled */
export function encodeReset(streamId: number, status: number): Buffer {
  return encodeControl(rstStream, streamId, number(status))
}

/** @param lastStreamId the last one that was taken */
export function encodeGoAway(lastStreamId: number): Buffer {
  return encodeControl(goAway, lastStreamId, number(0))
}

function encodeControl(first: number, streamId: number, rest: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(12 + rest.length)
  writeHeader(frame, first, 0, 4 + rest.length)
  frame.writeUInt32BE(streamId, 8)
  frame.set(rest, 12)
  return frame
}

function writeHeader(frame: Buffer, first: number, flags: number, length: number): void {
  frame.writeUInt32BE(first, 0)
  frame[4] = flags
  frame.writeUIntBE(length, 5, 3)
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
