import { Duplex } from 'node:stream'
import { BrokerError } from '../session.ts'
import { payloadType } from '../wire/ssm/message.ts'
import { WireError } from '../wire/wire-error.ts'
import type { ChannelEnd, ChannelListener, ChannelOptions, SessionStart } from './channel.ts'
import { DataChannel } from './data-channel.ts'
import { ReceiveBuffer } from './receive-buffer.ts'

/** For an agent that is slow to take what was written, or away. */
const flushMs = 60_000

/** Received and not read, of each kind of output, before the agent is held back. */
export const mostUnreadBytes = 64 * 1024

type Done = (error?: Error | null) => void

/** What besides its bytes happens in a session that is one stream. */
export interface StreamEvents {
  /** The agent has begun. @throws BrokerError, WireError: it is not the session that was asked for */
  ready?(start: SessionStart): void
  /** A payload that is not output. @returns as of `ChannelListener.data`; undefined: this session has none of its type */
  other?(type: number, payload: Buffer): boolean | undefined
  /** Whether nothing more is to be read, although this stream has room. */
  isFull?(): boolean
  /** Something can be sent again. */
  room?(): void
  away?(isAway: boolean): void
  ended?(end: ChannelEnd): void
}

/**
 * A session that is one stream of bytes: a shell, a command, or SSH to one port. There is no half-close: `end()` waits until the
 * agent has all that was written, then ends the session; where that fails, the stream is destroyed with an error, and the session goes
 * on until TerminateSession is called. The session's end ends the readable side, or destroys it with the error.
 */
export class ChannelStream extends Duplex {
  readonly channel: DataChannel
  readonly #events: StreamEvents
  readonly #received: ReceiveBuffer
  #chunk: Buffer | undefined
  #written = 0
  #done: Done | undefined
  #isEnded = false

  constructor(options: ChannelOptions, events: StreamEvents = {}) {
    super({ allowHalfOpen: false, readableHighWaterMark: 0 })
    this.on('error', () => {}) // for who reads; before that it must not go unhandled
    this.#events = events
    this.#received = new ReceiveBuffer(this, mostUnreadBytes)
    const listener: ChannelListener = {
      ready: (start) => events.ready?.(start),
      data: (type, payload) => {
        if (type === payloadType.output) {
          this.#received.add(payload)
          return !this.isFull
        }
        const hasRoom = events.other?.(type, payload)
        if (hasRoom === undefined) throw new WireError(`an unexpected payload of type ${type}`)
        return hasRoom
      },
      room: () => {
        events.room?.()
        this.#pump()
      },
      away: (isAway) => events.away?.(isAway),
      ended: (end) => {
        this.#isEnded = true
        events.ended?.(end)
        if (end.reason === 'failed') this.destroy(end.error)
        else this.#received.end()
        this.#pump()
      },
    }
    this.channel = new DataChannel(options, listener)
  }

  /** As much as may be is received and not read. */
  get isFull(): boolean {
    return this.#received.isFull
  }

  override _read(): void {
    this.#received.wanted()
    if (!this.isFull && !this.#events.isFull?.()) this.channel.resume()
  }

  override _write(chunk: Buffer, _encoding: string, done: Done): void {
    this.#chunk = chunk
    this.#written = 0
    this.#done = done
    this.#pump()
  }

  /** What waits is one chunk: a message for each byte would cost a hundred times as much. */
  override _writev(writes: { chunk: Buffer }[], done: Done): void {
    this._write(Buffer.concat(writes.map(({ chunk }) => chunk)), 'buffer', done)
  }

  #pump(): void {
    const { channel } = this
    const chunk = this.#chunk
    while (chunk && this.#written < chunk.length) {
      if (this.#isEnded) break // as with TCP: what is written then goes nowhere
      if (!channel.hasRoom) return
      const end = Math.min(chunk.length, this.#written + channel.payloadBytes)
      channel.send(payloadType.output, chunk.subarray(this.#written, end))
      this.#written = end
    }
    this.#chunk = undefined
    const done = this.#done
    this.#done = undefined
    done?.()
  }

  override _final(done: Done): void {
    this.channel.close(flushMs).then((isAcknowledged) => {
      done(isAcknowledged ? null : new BrokerError('TARGET_LOST', 'the agent did not take all that was written'))
    }, done)
  }

  override _destroy(error: Error | null, done: Done): void {
    this.channel.destroy()
    done(error)
  }
}
