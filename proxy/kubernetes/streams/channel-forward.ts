import { type ChannelProtocol, encodeChannel } from '../../wire/kubernetes/channels.ts'
import { encodeClose, encodeMessage, encodeMessageEnd } from '../../wire/websocket/encode.ts'
import type { WebsocketFrames } from '../../wire/websocket/frames.ts'
import { WireError } from '../../wire/wire-error.ts'
import { addError } from './spdy-forward.ts'
import type { ForwardEvents, ForwardedConnection, ForwardTap } from './tap.ts'
import { channelFrames, normalClosure } from './websocket-exec.ts'

/** Each channel of a server begins with its port. */
const portBytes = 2

interface Channels extends ForwardedConnection {
  bytesUp: number
  bytesDown: number
  error: string
  /** Of data and of errors, still to come. */
  readonly portBytes: [number, number]
}

/** Port-forward of clients other than kubectl: for each port of the query a channel for data and one for errors. */
export class ChannelForwardTap implements ForwardTap {
  readonly #events: ForwardEvents
  readonly #protocol: ChannelProtocol
  readonly #up: WebsocketFrames
  readonly #down: WebsocketFrames
  #connections: Channels[]
  carried = 0

  /** @param ports of the query; @throws what `opened` throws */
  constructor(events: ForwardEvents, protocol: ChannelProtocol, ports: readonly number[]) {
    this.#events = events
    this.#protocol = protocol
    this.#connections = ports.map((port) => ({
      port,
      bytesUp: 0,
      bytesDown: 0,
      error: '',
      portBytes: [portBytes, portBytes],
    }))
    const closed = () => {}
    this.#up = channelFrames({ data: (at, part) => this.#sent(at, part), closed }, protocol, true)
    this.#down = channelFrames({ data: (at, part) => this.#received(at, part), closed }, protocol, false)
    for (const connection of this.#connections) events.opened(connection)
  }

  up(chunk: Buffer): void {
    this.#up.scan(chunk)
  }

  down(chunk: Buffer): void {
    this.#down.scan(chunk)
  }

  complete(chunk: Buffer): number {
    return this.#down.isAtBoundary ? 0 : this.#down.scanFrame(chunk)
  }

  farewell(text: string): Buffer | null {
    if (!this.#down.isAtBoundary) return null
    if (this.#down.isClosed) return Buffer.alloc(0)
    const said = this.#connections.map((_, i) =>
      encodeMessage(encodeChannel(2 * i + 1, Buffer.from(text), this.#protocol), this.#protocol.isBase64),
    )
    const ended = this.#down.isInMessage ? [encodeMessageEnd()] : []
    return Buffer.concat([...ended, ...said, encodeClose(normalClosure)])
  }

  end(): void {
    const ended = this.#connections
    this.#connections = []
    for (const connection of ended) this.#events.ended(connection)
  }

  #sent(at: number, part: Buffer): void {
    const connection = this.#find(at)
    this.carried += part.length
    if (at % 2 === 1 && part.length > 0) throw new WireError('the client sends on a channel for errors')
    connection.bytesUp += part.length
  }

  #received(at: number, part: Buffer): void {
    const connection = this.#find(at)
    this.carried += part.length
    const isError = at % 2 === 1 ? 1 : 0
    const skipped = Math.min(part.length, connection.portBytes[isError])
    connection.portBytes[isError] -= skipped
    const rest = part.subarray(skipped)
    if (isError) addError(connection, rest)
    else connection.bytesDown += rest.length
  }

  #find(at: number): Channels {
    const connection = this.#connections[at >> 1]
    if (!connection) throw new WireError('a message is on a channel that there is not')
    return connection
  }
}
