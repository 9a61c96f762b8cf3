import type { BrokerError } from '../../session.ts'
import type { ClientLine } from '../../streams/client-line.ts'
import { encodePacket, headerBytes, readHead } from '../../wire/mysql/packets.ts'
import { MysqlRefusal } from '../mysql-refusal.ts'

/** The exchange of packets with a client that signs in: both sides count them together. */
export class PacketLine {
  readonly line: ClientLine
  /** Of the next packet, from either side. */
  #sequence = 0

  constructor(line: ClientLine) {
    this.line = line
  }

  get sequence(): number {
    return this.#sequence
  }

  write(payload: Buffer): void {
    this.line.write(encodePacket(this.#sequence, payload))
    this.#sequence = (this.#sequence + 1) & 0xff
  }

  /** @throws WireError for a payload that is longer, BrokerError PROTOCOL_ERROR for a packet out of order */
  async read(mostBytes: number): Promise<Buffer> {
    const { length, sequence } = readHead(await this.line.read(headerBytes), mostBytes)
    const expected = this.#sequence
    this.#sequence = (sequence + 1) & 0xff
    if (sequence !== expected) throw outOfOrder()
    return await this.line.read(length)
  }
}

/** ER_NET_PACKETS_OUT_OF_ORDER */
function outOfOrder(): BrokerError {
  return new MysqlRefusal('PROTOCOL_ERROR', { number: 1156, state: '08S01' }, 'packets out of order')
}
