import {
  ChannelMessages,
  type ChannelProtocol,
  type ChannelSink,
  channel,
  encodeChannel,
} from '../../wire/kubernetes/channels.ts'
import { type ExitStatus, encodeFailure } from '../../wire/kubernetes/status.ts'
import { encodeClose, encodeMessage, encodeMessageEnd } from '../../wire/websocket/encode.ts'
import { WebsocketFrames } from '../../wire/websocket/frames.ts'
import { WireError } from '../../wire/wire-error.ts'
import { ResizeReader } from './resize-reader.ts'
import { StatusReader } from './status-reader.ts'
import type { ExecEvents, ExecTap, RemarkStream } from './tap.ts'

/** A close frame without one of these would look like success to kubectl, one with another like a lost connection. */
export const normalClosure = 1000

/** Exec and attach on a websocket. */
export class WebsocketExecTap implements ExecTap {
  readonly #protocol: ChannelProtocol
  readonly #up: WebsocketFrames
  readonly #down: WebsocketFrames
  readonly #status = new StatusReader()
  carried = 0

  constructor(events: ExecEvents, protocol: ChannelProtocol) {
    this.#protocol = protocol
    this.#up = channelFrames(this.#counted(clientSink(events)), protocol, true)
    this.#down = channelFrames(this.#counted(serverSink(events, this.#status)), protocol, false)
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
    const status = encodeChannel(channel.error, Buffer.from(encodeFailure(403, text)), this.#protocol)
    return Buffer.concat([
      ...(this.#down.isInMessage ? [encodeMessageEnd()] : []),
      ...(this.#status.hasBegun ? [] : [encodeMessage(status, this.#protocol.isBase64)]),
      encodeClose(normalClosure),
    ])
  }

  get wholeBytes(): number {
    return this.#down.wholeBytes
  }

  /** Zeros are no base64; and half a status is worse than a connection that is lost, which kubectl takes for a failure here. */
  breakOff(): Buffer | null {
    return this.#protocol.isBase64 || this.#status.hasBegun ? null : this.#down.breakOff()
  }

  remark(text: string, on: RemarkStream): Buffer | null {
    const { isAtBoundary, isInMessage, isClosed } = this.#down
    if (!isAtBoundary || isInMessage || isClosed || this.#status.hasBegun) return null
    const message = encodeChannel(channel[on], Buffer.from(text), this.#protocol)
    return encodeMessage(message, this.#protocol.isBase64)
  }

  exitStatus(): ExitStatus | null {
    return this.#status.read()
  }

  #counted({ data, closed }: ChannelSink): ChannelSink {
    return {
      closed,
      data: (at, part) => {
        this.carried += part.length
        data(at, part)
      },
    }
  }
}

/** Frames of a websocket whose messages each belong to a channel. @param isMasked those of the client */
export function channelFrames(sink: ChannelSink, protocol: ChannelProtocol, isMasked: boolean): WebsocketFrames {
  const messages = new ChannelMessages(sink, protocol)
  return new WebsocketFrames(
    {
      begin: (isText) => messages.begin(isText),
      data: (part) => messages.data(part),
      end: () => messages.end(),
      control: () => {},
    },
    isMasked,
  )
}

function clientSink(events: ExecEvents): ChannelSink {
  const sizes = new ResizeReader()
  return {
    data: (at, part) => {
      if (part.length === 0) return
      if (at === channel.stdin) events.input(part)
      else if (at === channel.resize) for (const size of sizes.push(part)) events.resize(size)
      else throw new WireError('the client sends on a channel that is not its own')
    },
    closed: (at) => {
      if (at > channel.resize) throw new WireError('the client closes a channel that there is not')
      if (at === channel.stdin) events.inputEnded()
    },
  }
}

function serverSink(events: ExecEvents, status: StatusReader): ChannelSink {
  return {
    data: (at, part) => {
      // Servers say hello on each channel by a message without bytes.
      if (part.length === 0) return
      if (at === channel.stdout || at === channel.stderr) events.output(part, at === channel.stderr)
      else if (at === channel.error) status.push(part)
      else throw new WireError('the server sends on a channel that is not its own')
    },
    closed: () => {},
  }
}
