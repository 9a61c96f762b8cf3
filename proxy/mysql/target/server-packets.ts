import type { Duplex } from 'node:stream'
import { BrokerError } from '../../session.ts'
import type { ServerLine } from '../../streams/server-line.ts'
import { encodePacket, headerBytes, readHead } from '../../wire/mysql/packets.ts'
import { WireError } from '../../wire/wire-error.ts'

/** Longest packet a server may send before the session is open; its error texts are the longest. */
const longestPacket = 65_536

/** The exchange of packets with a server over a connection that is not relayed yet. */
export class ServerPackets {
  readonly #line: ServerLine
  readonly #stream: Duplex
  #sequence: number

  /** @param sequence of the next packet, from either side */
  constructor(line: ServerLine, stream: Duplex, sequence = 0) {
    this.#line = line
    this.#stream = stream
    this.#sequence = sequence
  }

  get sequence(): number {
    return this.#sequence
  }

  write(payload: Buffer): void {
    this.#stream.write(encodePacket(this.#sequence, payload))
    this.#sequence = (this.#sequence + 1) & 0xff
  }

  /** @throws WireError for an impossible length or a packet out of order; BrokerError TARGET_LOST */
  async read(): Promise<Buffer> {
    const { length, sequence } = readHead(await this.#line.read(headerBytes), longestPacket)
    if (sequence !== this.#sequence) throw new WireError('the server’s packets are out of order')
    this.#sequence = (sequence + 1) & 0xff
    return await this.#line.read(length)
  }

  /** Nothing may be under way. @throws BrokerError TARGET_UNTRUSTED */
  checkNothingFollows(): void {
    if (this.#line.hasMore)
      throw new BrokerError('TARGET_UNTRUSTED', 'it sent unencrypted bytes before TLS was established')
  }
}
