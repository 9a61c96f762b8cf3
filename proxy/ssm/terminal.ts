import { Readable } from 'node:stream'
import { BrokerError } from '../session.ts'
import { payloadType } from '../wire/ssm/message.ts'
import { decodeExitCode, encodeSize } from '../wire/ssm/payloads.ts'
import type { ChannelEnd, ChannelOptions, SessionStart } from './channel.ts'
import { ChannelStream, mostUnreadBytes } from './channel-stream.ts'
import { ReceiveBuffer } from './receive-buffer.ts'

export interface TerminalSize {
  readonly cols: number
  readonly rows: number
}

export interface TerminalEvents {
  /** The session has begun. */
  ready?(start: SessionStart): void
  /** A message of the account's for the person. */
  notice?(text: string): void
  /** The agent, or the connection to it, is away or back; what is typed meanwhile waits. */
  away?(isAway: boolean): void
}

/** A shell or a command on an instance. */
export class Terminal {
  /** What is typed, and what is shown. */
  readonly stream: ChannelStream
  /** Apart from it only where the session's document says so. */
  readonly stderr: Readable
  /** Resolves when the session is over, for whatever reason. */
  readonly ended: Promise<ChannelEnd>
  /** Of a command; null: it has not ended, or the session's document does not say so. */
  exitCode: number | null = null
  readonly #errors: ReceiveBuffer
  #size: TerminalSize | undefined
  #isReady = false
  /** The agent does not know it yet; of many, it is told the last. */
  #isSizeDue = true

  /** @param size left out: there is no terminal */
  constructor(options: ChannelOptions, size?: TerminalSize, events: TerminalEvents = {}) {
    const { promise, resolve } = Promise.withResolvers<ChannelEnd>()
    this.ended = promise
    this.#size = size
    this.stderr = new Readable({ highWaterMark: 0, read: () => this.#readErrors() })
    this.#errors = new ReceiveBuffer(this.stderr, mostUnreadBytes)
    this.stream = new ChannelStream(options, {
      ready: (start) => this.#begin(start, events),
      other: (type, payload) => this.#receive(type, payload),
      isFull: () => this.#errors.isFull,
      room: () => this.#sendSize(),
      away: (isAway) => events.away?.(isAway),
      ended: (end) => {
        this.#errors.end()
        resolve(end)
      },
    })
  }

  /** Takes effect once the session has begun, and is sent when it differs from what the agent knows. */
  resize(size: TerminalSize): void {
    if (size.cols === this.#size?.cols && size.rows === this.#size.rows) return
    this.#size = size
    this.#isSizeDue = true
    this.#sendSize()
  }

  #begin(start: SessionStart, events: TerminalEvents): void {
    const { sessionType, message } = start
    if (sessionType === 'Port') throw new BrokerError('TARGET_REFUSED', 'the instance opened a session of another type')
    this.#isReady = true
    if (message !== '') events.notice?.(message)
    this.#sendSize()
    events.ready?.(start)
  }

  #sendSize(): void {
    const { channel } = this.stream
    if (!this.#isReady || !this.#isSizeDue || !this.#size || !channel.hasRoom) return
    this.#isSizeDue = false
    channel.send(payloadType.size, encodeSize(this.#size))
  }

  #receive(type: number, payload: Buffer): boolean | undefined {
    if (type === payloadType.stderr) {
      this.#errors.add(payload)
      return !this.#errors.isFull
    }
    if (type !== payloadType.exitCode) return undefined
    this.exitCode = decodeExitCode(payload)
    return true
  }

  #readErrors(): void {
    this.#errors.wanted()
    if (!this.stream.isFull && !this.#errors.isFull) this.stream.channel.resume()
  }
}
