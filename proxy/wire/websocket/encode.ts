/** Frames that a server sends: whole, without mask. */
import { WireError } from '../wire-error.ts'
import { opcode } from './frames.ts'

const final = 0x80

/** A message in one frame. */
export function encodeMessage(payload: Uint8Array, isText = false): Buffer {
  return encodeFrame(isText ? opcode.text : opcode.binary, payload)
}

/** Ends a message whose frames have passed, without adding to it. */
export function encodeMessageEnd(): Buffer {
  return encodeFrame(opcode.continuation, new Uint8Array(0))
}

/** @param code 1000: normal. @param reason of at most 123 bytes */
export function encodeClose(code: number, reason = ''): Buffer {
  const text = Buffer.from(reason)
  if (text.length > 123) throw new WireError('the reason of a close frame is too long')
  const payload = Buffer.alloc(2 + text.length)
  payload.writeUInt16BE(code)
  text.copy(payload, 2)
  return encodeFrame(opcode.close, payload)
}

function encodeFrame(code: number, payload: Uint8Array): Buffer {
  const { length } = payload
  const headerBytes = length < 126 ? 2 : length < 65_536 ? 4 : 10
  const frame = Buffer.allocUnsafe(headerBytes + length)
  frame[0] = final | code
  if (headerBytes === 2) frame[1] = length
  else if (headerBytes === 4) {
    frame[1] = 126
    frame.writeUInt16BE(length, 2)
  } else {
    frame[1] = 127
    frame.writeBigUInt64BE(BigInt(length), 2)
  }
  frame.set(payload, headerBytes)
  return frame
}
