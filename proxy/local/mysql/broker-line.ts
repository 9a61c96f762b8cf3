import { BrokerError } from '../../session.ts'
import { ServerLine } from '../../streams/server-line.ts'
import { encodePacket, headerBytes, readHead } from '../../wire/mysql/packets.ts'
import type { BrokerSocket } from '../broker-socket.ts'
import { unanswered } from '../relay.ts'

/** Longest packet of the broker's during a sign-in; error texts are the longest. */
const longestPacket = 65_536

export interface Packet {
  readonly sequence: number
  readonly payload: Buffer
}

/** Packets of the broker until the session is open. Call {@link release} at the end; then the stream can be read in any way. */
export class BrokerLine {
  readonly #broker: BrokerSocket
  readonly #line: ServerLine

  constructor(broker: BrokerSocket) {
    this.#broker = broker
    this.#line = new ServerLine(broker.stream)
  }

  /** @throws WireError, BrokerError STORE_UNAVAILABLE when it closed the connection */
  async read(): Promise<Packet> {
    try {
      const { length, sequence } = readHead(await this.#line.read(headerBytes), longestPacket)
      return { sequence, payload: await this.#line.read(length) }
    } catch (error) {
      throw error instanceof BrokerError && error.code === 'TARGET_LOST' ? unanswered() : error
    }
  }

  write({ sequence, payload }: Packet): void {
    this.#broker.stream.write(encodePacket(sequence, payload))
  }

  release(): void {
    this.#line.release()
  }
}
