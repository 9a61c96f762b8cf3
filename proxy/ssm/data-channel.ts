import { setTimeout as delay } from 'node:timers/promises'
import { BrokerError, type ChannelTicket } from '../session.ts'
import { unlessAborted } from '../streams/abortable.ts'
import { decodeAcknowledgement, encodeAcknowledgement } from '../wire/ssm/acknowledgement.ts'
import { featuresOf } from '../wire/ssm/agent-version.ts'
import { acknowledgeFlags, encodeMessage, MessageReader, messageType, payloadType } from '../wire/ssm/message.ts'
import { decodeChannelClosed, encodeFlag, flag } from '../wire/ssm/payloads.ts'
import { WireError } from '../wire/wire-error.ts'
import type { ChannelEnd, ChannelListener, ChannelOptions, SessionStart } from './channel.ts'
import { Connection } from './connection.ts'
import { Handshake } from './handshake.ts'
import { Incoming } from './incoming.ts'
import { Outgoing, resendEveryMs } from './outgoing.ts'
import { makeUuid } from './uuid.ts'

type Tuning = Required<Omit<ChannelOptions, 'ticket' | 'dataKey' | 'isEncrypted'>>

const defaults: Tuning = {
  payloadBytes: 1024,
  windowBytes: 256 * 1024,
  earlyBytes: 1024 * 1024,
  readyMs: 30_000,
  resumeMs: 300_000,
  stableMs: 5000,
  pingMs: 30_000,
}

const firstRetryMs = 100
const longestRetryMs = 5000
/** For the agent to hear that we leave. */
const leaveMs = 1000

/**
 * The client's side of one Session Manager session: data in order both ways, by as many websockets as it takes. Opens at once; what
 * is sent before the agent has begun is refused.
 */
export class DataChannel {
  readonly payloadBytes: number
  readonly #options: ChannelOptions & Tuning
  readonly #listener: ChannelListener
  /** Kept for the life of the session: the service tells its ends apart by it. */
  readonly #clientId = makeUuid()
  readonly #abort = new AbortController()
  readonly #reader = new MessageReader()
  readonly #outgoing: Outgoing
  readonly #incoming: Incoming
  readonly #handshake: Handshake
  readonly #readyTimer: NodeJS.Timeout
  #connection: Connection | undefined
  #resendTimer: NodeJS.Timeout | undefined
  #publicationTimer: NodeJS.Timeout | undefined
  #start: SessionStart | undefined
  #isPaused = false
  #isAway = false
  #isEnded = false
  /** The service said that the session is. */
  #isOver = false
  #closing: Promise<boolean> | undefined
  #onAcknowledged: (() => void) | undefined
  /** Since when there is no connection that is stable, and how often one was tried. */
  #lostAt = performance.now()
  #tries = 0
  #lastError: unknown

  constructor(options: ChannelOptions, listener: ChannelListener) {
    this.#options = { ...defaults, ...options }
    this.#listener = listener
    this.payloadBytes = this.#options.payloadBytes
    this.#outgoing = new Outgoing(this.#options.windowBytes, (bytes) => this.#connection?.send(bytes))
    this.#incoming = new Incoming(this.#options.earlyBytes, (type, payload) => this.#deliver(type, payload))
    this.#handshake = new Handshake({
      ...(options.dataKey ? { dataKey: options.dataKey } : {}),
      isEncrypted: options.isEncrypted ?? false,
      send: (type, payload) => this.#add(type, payload),
      ready: (start) => this.#begin(start),
      fail: (error) => this.#fail(error),
    })
    this.#readyTimer = setTimeout(() => this.#failUnready(), this.#options.readyMs).unref()
    this.#connect().catch((error: unknown) => this.#fail(error))
  }

  get hasRoom(): boolean {
    return this.#start !== undefined && !this.#isEnded && this.#outgoing.hasRoom
  }

  /**
   * Data for the agent; check {@link hasRoom} before those that are not a few bytes.
   * @param payload not empty, of at most `payloadBytes`; copied
   */
  send(type: number, payload: Buffer): void {
    if (!this.#start || this.#isEnded) return
    this.#add(type, this.#handshake.outgoing(type, payload))
  }

  /** Reads on after `data` returned false. */
  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#outgoing.restart(performance.now())
    this.#connection?.resume()
  }

  /**
   * Tells the agent that the session is over, waits until it has heard, and leaves. Never rejects.
   * @param waitMs at most, for it to acknowledge that and all that was sent before, also while the connection is lost
   * @returns false: the agent may not have got all, and the session goes on until TerminateSession is called
   */
  close(waitMs = leaveMs): Promise<boolean> {
    this.#closing ??= this.#leave(waitMs)
    return this.#closing
  }

  /** Leaves at once; the session itself goes on until it is terminated. */
  destroy(): void {
    this.#end({ reason: 'left' })
  }

  async #leave(waitMs: number): Promise<boolean> {
    if (this.#start && !this.#isEnded) {
      const { agentVersion } = this.#start
      if (!agentVersion || featuresOf(agentVersion).terminateFlag)
        this.#add(payloadType.flag, encodeFlag(flag.terminateSession))
      this.resume() // else the acknowledgement would not be seen
      await this.#flushed(waitMs)
    }
    const isAcknowledged = this.#start !== undefined && this.#outgoing.isEmpty
    this.#end({ reason: 'left' })
    return this.#isOver || isAcknowledged
  }

  async #flushed(waitMs: number): Promise<void> {
    if (this.#outgoing.isEmpty) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, waitMs)
    this.#onAcknowledged = () => {
      if (this.#outgoing.isEmpty || this.#isEnded) resolve()
    }
    await promise
    clearTimeout(timer)
  }

  async #connect(): Promise<void> {
    while (!this.#isEnded) {
      if (performance.now() - this.#lostAt > this.#options.resumeMs) return this.#fail(this.#lastError)
      const connection = await this.#tryToOpen(this.#abort.signal)
      if (connection) return this.#attach(connection)
    }
  }

  /** @returns undefined: not this time @throws what no later attempt would mend */
  async #tryToOpen(signal: AbortSignal): Promise<Connection | undefined> {
    if (this.#tries > 0) await delay(retryMs(this.#tries), undefined, { signal })
    this.#tries += 1
    let ticket: ChannelTicket | null
    try {
      ticket = await unlessAborted(signal, this.#options.ticket(signal))
    } catch (error) {
      if (!isTransient(error)) throw error
      this.#lastError = error
      return undefined
    }
    if (!ticket) {
      this.#end({ reason: 'closed', text: '' })
      return undefined
    }
    const listener = {
      message: (bytes: Buffer) => this.#receive(bytes),
      lost: (why: Error, wasStable: boolean) => this.#guard(() => this.#lost(why, wasStable)),
    }
    try {
      return await Connection.open(ticket, this.#clientId, listener, this.#options, signal)
    } catch (error) {
      this.#lastError = error
      return undefined
    }
  }

  #attach(connection: Connection): void {
    this.#connection = connection
    if (this.#isPaused) connection.pause()
    if (this.#isAway) this.#setAway(false)
    else {
      this.#outgoing.release(performance.now())
      this.#announceRoom() // the agent may have begun before this
    }
  }

  #lost(why: Error, wasStable: boolean): void {
    this.#connection = undefined
    if (why instanceof WireError) throw why // it would come again on the next connection
    this.#lastError = why
    if (wasStable) {
      this.#tries = 0
      this.#lostAt = performance.now()
    }
    this.#outgoing.hold(true)
    this.#setAway(true)
    this.#connect().catch((error: unknown) => this.#fail(error))
  }

  /** Whatever a listener throws ends the channel, and nothing else. */
  #guard(act: () => void): void {
    if (this.#isEnded) return
    try {
      act()
    } catch (error) {
      this.#fail(error)
    }
  }

  #receive(bytes: Buffer): void {
    this.#guard(() => {
      this.#reader.read(bytes)
      this.#dispatch(this.#reader)
    })
  }

  #dispatch(message: MessageReader): void {
    switch (message.type) {
      case messageType.output:
        this.#setAway(false)
        this.#receiveData(message)
        break
      case messageType.acknowledge: {
        this.#setAway(false)
        if (this.#outgoing.acknowledge(decodeAcknowledgement(message.payload), performance.now())) this.#announceRoom()
        this.#onAcknowledged?.()
        break
      }
      case messageType.channelClosed:
        this.#end({ reason: 'closed', text: decodeChannelClosed(message.payload) })
        break
      case messageType.pausePublication:
        this.#outgoing.hold(false)
        this.#setAway(true)
        // What would end it may be lost: then sending tells, as the service pauses again if it must.
        this.#publicationTimer ??= setTimeout(
          () => this.#guard(() => this.#setAway(false)),
          this.#options.resumeMs,
        ).unref()
        break
      case messageType.startPublication:
        this.#setAway(false)
        break
      default: // the service may say more than we know of
    }
  }

  #receiveData(message: MessageReader): void {
    const { id, sequence } = message
    if (!this.#incoming.receive(message)) return
    const payload = encodeAcknowledgement({ type: messageType.output, id, sequence })
    this.#connection?.send(
      encodeMessage({
        type: messageType.acknowledge,
        createdAt: Date.now(),
        sequence: 0,
        flags: acknowledgeFlags,
        id: makeUuid(),
        payloadType: payloadType.none,
        payload,
      }),
    )
    this.#incoming.deliverEarly()
  }

  #deliver(type: number, received: Buffer): void {
    if (this.#isEnded || received.length === 0) return
    const payload = this.#handshake.incoming(type, received)
    if (this.#handshake.receive(type, payload) || this.#isEnded) return
    if (!this.#listener.data(type, payload)) this.#pause()
  }

  #pause(): void {
    this.#isPaused = true
    this.#connection?.pause()
  }

  #begin(start: SessionStart): void {
    this.#start = start
    clearTimeout(this.#readyTimer)
    this.#listener.ready(start)
    this.#announceRoom()
  }

  #add(type: number, payload: Buffer): void {
    if (this.#isEnded) return
    const bytes = encodeMessage({
      type: messageType.input,
      createdAt: Date.now(),
      sequence: this.#outgoing.next,
      flags: 0,
      id: makeUuid(),
      payloadType: type,
      payload,
    })
    this.#outgoing.add(bytes, performance.now())
    this.#resendTimer ??= setInterval(() => this.#resend(), resendEveryMs).unref()
  }

  #resend(): void {
    if (this.#isPaused) return // no acknowledgement is read
    if (this.#outgoing.isEmpty) {
      clearInterval(this.#resendTimer)
      this.#resendTimer = undefined
    } else if (!this.#outgoing.resend(performance.now()))
      this.#fail(new BrokerError('TARGET_LOST', 'the agent does not take what it is sent'))
  }

  /** A message of the agent proves that it is there, whether the service says so or not. */
  #setAway(isAway: boolean): void {
    if (isAway === this.#isAway) return
    this.#isAway = isAway
    clearTimeout(this.#publicationTimer)
    this.#publicationTimer = undefined
    if (!isAway) this.#outgoing.release(performance.now())
    this.#listener.away(isAway)
    if (!isAway) this.#announceRoom()
  }

  #announceRoom(): void {
    if (this.hasRoom) this.#listener.room()
  }

  #failUnready(): void {
    const cause = this.#lastError
    this.#fail(new BrokerError('TARGET_UNREACHABLE', 'the agent did not begin the session in time', { cause }))
  }

  #fail(error: unknown): void {
    this.#end({ reason: 'failed', error: toChannelError(error) })
  }

  #end(end: ChannelEnd): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#isOver = end.reason === 'closed'
    this.#abort.abort()
    clearTimeout(this.#readyTimer)
    clearTimeout(this.#publicationTimer)
    clearInterval(this.#resendTimer)
    this.#connection?.close()
    this.#connection = undefined
    this.#onAcknowledged?.()
    this.#listener.ended(end)
  }
}

/** The first doubled each time, and up to twice that, so that not all return at once. */
function retryMs(tries: number): number {
  return Math.min(longestRetryMs, firstRetryMs * 2 ** (tries - 1)) * (1 + Math.random())
}

function isTransient(error: unknown): boolean {
  return error instanceof BrokerError && (error.code === 'AWS_UNAVAILABLE' || error.code === 'PROVIDER_UNAVAILABLE')
}

function toChannelError(error: unknown): BrokerError {
  if (error instanceof BrokerError) return error
  if (error instanceof WireError)
    return new BrokerError('TARGET_LOST', 'the agent violated the protocol', { cause: error })
  return new BrokerError('TARGET_LOST', 'the connection to Session Manager', { cause: error })
}
