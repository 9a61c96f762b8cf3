/**
 * Messages of exec, attach and old forms of port-forward on a websocket: the first byte of each is its channel
 * (apimachinery, pkg/util/httpstream/wsstream). In `base64` protocols messages are text, and the channel is a digit.
 */
import { WireError } from '../wire-error.ts'

export const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const

export interface ChannelProtocol {
  readonly isBase64: boolean
  /** `FF n` ends channel n. */
  readonly hasClose: boolean
}

/** Those whose errors are a Status; older ones have a text there. */
export const channelProtocols: Readonly<Record<string, ChannelProtocol>> = {
  'v5.channel.k8s.io': { isBase64: false, hasClose: true },
  'v4.channel.k8s.io': { isBase64: false, hasClose: false },
  'v4.base64.channel.k8s.io': { isBase64: true, hasClose: false },
}

/** Gets what {@link ChannelMessages} finds. */
export interface ChannelSink {
  /** A part of a message, perhaps empty; valid during the call only. */
  data(channel: number, part: Buffer): void
  /** The other side has ended that channel. */
  closed(channel: number): void
}

/** Reads the messages of one direction; a sink of {@link import('../websocket/frames.ts').WebsocketFrames}. */
export class ChannelMessages {
  readonly #sink: ChannelSink
  readonly #protocol: ChannelProtocol
  /** Of the message under way; null: its first byte has not come. */
  #channel: number | null = null
  /** Base64 that is no whole group of four yet. */
  #rest = ''
  #isPadded = false

  constructor(sink: ChannelSink, protocol: ChannelProtocol) {
    this.#sink = sink
    this.#protocol = protocol
  }

  begin(isText: boolean): void {
    if (isText !== this.#protocol.isBase64) throw new WireError('a message is of the wrong type, text or binary')
    this.#channel = null
    this.#rest = ''
    this.#isPadded = false
  }

  data(part: Buffer): void {
    if (part.length === 0) return
    if (this.#channel !== null) {
      this.#pass(this.#channel, part)
      return
    }
    const [first = 0] = part
    this.#channel = this.#protocol.isBase64 ? readDigit(first) : first
    this.#pass(this.#channel, part.subarray(1))
  }

  end(): void {
    if (this.#rest !== '') throw new WireError('base64 ends within a group')
    if (this.#channel === channel.close && this.#protocol.hasClose)
      throw new WireError('a close message names no channel')
  }

  #pass(at: number, part: Buffer): void {
    if (at === closedChannel) throw new WireError('a close message is too long')
    if (at === channel.close && this.#protocol.hasClose) this.#close(part)
    else this.#sink.data(at, this.#protocol.isBase64 ? this.#decode(part) : part)
  }

  #close(part: Buffer): void {
    if (part.length === 0) return
    const [ended = 0] = part
    if (part.length > 1) throw new WireError('a close message is too long')
    this.#channel = closedChannel
    this.#sink.closed(ended)
  }

  #decode(part: Buffer): Buffer {
    const text = this.#rest + part.toString('latin1')
    const whole = text.slice(0, text.length - (text.length % 4))
    this.#rest = text.slice(whole.length)
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(whole) || (this.#isPadded && text !== ''))
      throw new WireError('a message is not base64')
    this.#isPadded = whole.endsWith('=')
    return Buffer.from(whole, 'base64')
  }
}

/** Behind a close message. */
const closedChannel = -1

function readDigit(byte: number): number {
  if (byte < 0x30 || byte > 0x39) throw new WireError('a message names no channel')
  return byte - 0x30
}

/** One message of a channel, as its protocol has it: a text where that is base64. */
export function encodeChannel(at: number, payload: Uint8Array, { isBase64 }: ChannelProtocol): Buffer {
  if (isBase64) return Buffer.from(`${at}${Buffer.from(payload).toString('base64')}`)
  const message = Buffer.allocUnsafe(1 + payload.length)
  message[0] = at
  message.set(payload, 1)
  return message
}
