import type { ClientLine } from '../../streams/client-line.ts'
import { encodePacket, headerBytes, PacketsOutOfOrder, readHead } from '../../wire/mysql/packets.ts'

/** The exchange of packets with a client that signs in: both sides count them together. */
export class PacketLine {
  readonly line: ClientLine
  /** Of the next packet, from either side. */
  #sequence: number

  constructor(line: ClientLine, sequence = 0) {
    this.line = line
    this.#sequence = sequence
  }

  get sequence(): number {
    return this.#sequence
  }

  write(payload: Buffer): void {
    this.line.write(encodePacket(this.#sequence, payload))
    this.#sequence = (this.#sequence + 1) & 0xff
  }

  /** @throws WireError for a payload that is longer, or a packet out of order */
  async read(mostBytes: number): Promise<Buffer> {
    const { length, sequence } = readHead(await this.line.read(headerBytes), mostBytes)
    const expected = this.#sequence
    this.#sequence = (sequence + 1) & 0xff
    if (sequence !== expected) throw new PacketsOutOfOrder()
    return await this.line.read(length)
  }
}
