/**
 * Packets of the sign-in (MySQL documentation, "MySQL Packets"): int<3> length, int<1> sequence id, payload. Left out: payloads
 * of 16 MB and more, which no sign-in has.
 */
import { WireError } from '../wire-error.ts'

export const headerBytes = 4
const longestPayload = 0xff_ffff

/** The id of a packet is not the next one: the sides no longer agree on where they are. */
export class PacketsOutOfOrder extends WireError {
  constructor() {
    super('packets out of order')
  }
}

export interface PacketHead {
  /** Bytes of the payload. */
  readonly length: number
  readonly sequence: number
}

/** @param head the four bytes @throws WireError for a payload longer than that, before anything is allocated */
export function readHead(head: Buffer, mostBytes: number): PacketHead {
  const length = head.readUIntLE(0, 3)
  if (length > mostBytes) throw new WireError(`a packet of ${length} bytes during the sign-in`)
  return { length, sequence: head.readUInt8(3) }
}

/** @param sequence of this packet; only its low byte counts */
export function encodePacket(sequence: number, payload: Buffer): Buffer {
  if (payload.length >= longestPayload) throw new RangeError('the payload does not fit into one packet')
  const packet = Buffer.allocUnsafe(headerBytes + payload.length)
  packet.writeUIntLE(payload.length, 0, 3)
  packet.writeUInt8(sequence & 0xff, 3)
  payload.copy(packet, headerBytes)
  return packet
}
