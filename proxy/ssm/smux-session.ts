import type { Duplex } from 'node:stream'
import { BrokerError } from '../session.ts'
import { featuresOf } from '../wire/ssm/agent-version.ts'
import { payloadType } from '../wire/ssm/message.ts'
import { decodeFlag, flag } from '../wire/ssm/payloads.ts'
import { encodeSmux, maxSmuxDataBytes, SmuxFramer, smuxCommand, smuxHeaderBytes } from '../wire/ssm/smux.ts'
import { WireError } from '../wire/wire-error.ts'
import type { ChannelEnd, ChannelOptions, SessionStart } from './channel.ts'
import { DataChannel } from './data-channel.ts'
import { SmuxStream, type SmuxStreamOptions } from './smux-stream.ts'
import { Traffic } from './traffic.ts'

const defaults = {
  unreadBytes: 1024 * 1024,
  sessionUnreadBytes: 16 * 1024 * 1024,
  halfClosedMs: 60_000,
  keepaliveMs: 10_000,
}
/** Of keepalives: a side that hears nothing for so long is gone. */
const mostMissed = 3
/** Ids are stepped before they are used. */
const firstId = 3
const lastId = 0xffff_ffff
/** What agents queue of connections that they have not dialled. */
const mostStreams = 1024

export interface PortOptions extends ChannelOptions, Partial<SmuxStreamOptions> {
  /** What the document's properties must be once the agent has put the parameters in place. */
  readonly expected: Readonly<Record<string, string>>
  /** As `unreadBytes`, over all streams; above it the one that holds the most is reset. */
  readonly sessionUnreadBytes?: number
  /** Sent to agents that send them too. */
  readonly keepaliveMs?: number
}

/** Connections to one port that the instance reaches, through one Session Manager session. */
export class PortSession {
  readonly #channel: DataChannel
  readonly #options: PortOptions & typeof defaults
  readonly #framer: SmuxFramer
  readonly #streams = new Map<number, SmuxStream>()
  /** Those that have something to write, in turn. */
  readonly #waiting = new Set<SmuxStream>()
  /** Bytes that are received and not read. */
  readonly #held = new Map<SmuxStream, number>()
  #heldBytes = 0
  readonly #traffic = new Traffic()
  readonly #ready = Promise.withResolvers<void>()
  readonly #ended = Promise.withResolvers<ChannelEnd>()
  #nextId = firstId
  #isEnded = false
  #isAway = false
  /** Openings that wait for room. */
  #opening: (() => void)[] = []
  /** The agent could not connect; which stream it was, the next end of one that is silent says. */
  #isRefused = false
  #keepalive: NodeJS.Timeout | undefined
  #heardAt = 0

  constructor(options: PortOptions) {
    this.#options = { ...defaults, ...options }
    this.#framer = new SmuxFramer({
      data: (id, part) => this.#streams.get(id)?.receive(part),
      finish: (id) => this.#finished(id),
      open: () => {}, // agents open none, and what they send on one that we don't know is dropped
    })
    this.#ready.promise.catch(() => {})
    this.#channel = new DataChannel(options, {
      ready: (start) => this.#begin(start),
      data: (type, payload) => this.#receive(type, payload),
      room: () => {
        for (const resolve of this.#opening.splice(0)) resolve()
        this.#pump()
      },
      away: (isAway) => this.#setAway(isAway),
      ended: (end) => this.#end(end),
    })
  }

  /** Resolves when the session is over, for whatever reason. */
  get ended(): Promise<ChannelEnd> {
    return this.#ended.promise
  }

  /** Connections that are open. */
  get size(): number {
    return this.#streams.size
  }

  /** Of all connections, both ways, in the last second. */
  get recentBytes(): number {
    return this.#traffic.recentBytes(performance.now())
  }

  /**
   * A new connection. That the port refuses it is only known later: the stream is then destroyed with ECONNREFUSED.
   * @throws BrokerError TARGET_UNREACHABLE, TARGET_LOST, UNSUPPORTED, AWS_DENIED …
   */
  async open(): Promise<Duplex> {
    await this.#ready.promise
    if (this.#streams.size + this.#opening.length >= mostStreams || this.#nextId > lastId)
      throw new BrokerError('TARGET_UNREACHABLE', 'too many connections through one session')
    if (!this.#channel.hasRoom && !this.#isEnded) await new Promise<void>((resolve) => void this.#opening.push(resolve))
    if (this.#isEnded) throw new BrokerError('TARGET_LOST', 'the session at the instance is over')
    const { unreadBytes, halfClosedMs } = this.#options
    const carrier = {
      wants: (stream: SmuxStream) => this.#enqueue(stream),
      holds: (stream: SmuxStream, bytes: number) => this.#hold(stream, bytes),
      finish: (stream: SmuxStream) => this.#close(stream),
    }
    const stream = new SmuxStream(this.#nextId, carrier, { unreadBytes, halfClosedMs })
    this.#nextId += 2
    this.#streams.set(stream.id, stream)
    this.#send(smuxCommand.open, stream.id)
    return stream
  }

  /** Ends every connection, and the session. @returns as `DataChannel.close` */
  close(): Promise<boolean> {
    return this.#channel.close()
  }

  #begin(start: SessionStart): void {
    const { sessionType, properties, agentVersion } = start
    if (sessionType !== 'Port' || agentVersion === null)
      throw new BrokerError('TARGET_REFUSED', 'the instance opened a session of another type')
    const { mux, noKeepalive } = featuresOf(agentVersion)
    const { expected } = this.#options
    if (Object.entries(expected).some(([name, value]) => properties?.[name] !== value))
      throw new BrokerError('TARGET_REFUSED', 'the instance opened a session for another port or host')
    if (!mux) {
      const hint = 'Update the SSM agent of the instance.'
      throw new BrokerError('UNSUPPORTED', `its SSM agent ${agentVersion} carries no connections`, { hint })
    }
    this.#heardAt = performance.now()
    if (!noKeepalive) this.#keepalive = setInterval(() => this.#keepAlive(), this.#options.keepaliveMs).unref()
    this.#ready.resolve()
  }

  #receive(type: number, payload: Buffer): boolean {
    if (type === payloadType.output) {
      this.#heardAt = performance.now()
      this.#traffic.add(payload.length, this.#heardAt)
      this.#framer.scan(payload)
    } else if (type === payloadType.flag) this.#isRefused = decodeFlag(payload) === flag.connectToPortError
    else throw new WireError(`an unexpected payload of type ${type}`)
    return true // smux has no window: one stream that is not read must not stop the others
  }

  #finished(id: number): void {
    const stream = this.#streams.get(id)
    if (!stream) return
    if (this.#isRefused && stream.isSilent) {
      this.#isRefused = false
      stream.destroy(Object.assign(new Error('the port refused the connection'), { code: 'ECONNREFUSED' }))
    } else stream.receiveEnd()
  }

  #enqueue(stream: SmuxStream): void {
    this.#waiting.add(stream)
    this.#pump()
  }

  #hold(stream: SmuxStream, bytes: number): void {
    this.#heldBytes += bytes - (this.#held.get(stream) ?? 0)
    if (bytes > 0) this.#held.set(stream, bytes)
    else this.#held.delete(stream)
    if (this.#heldBytes <= this.#options.sessionUnreadBytes) return
    let largest = stream
    for (const [other, held] of this.#held) if (held > (this.#held.get(largest) ?? 0)) largest = other
    largest.destroyUnread()
  }

  /** One message of each in turn, so that none waits for the whole of what another writes. */
  #pump(): void {
    const mostBytes = Math.min(maxSmuxDataBytes, this.#channel.payloadBytes - smuxHeaderBytes)
    while (this.#channel.hasRoom) {
      const stream = this.#waiting.values().next().value
      if (!stream) return
      this.#waiting.delete(stream)
      const part = stream.peek(mostBytes)
      if (!part) continue
      this.#send(smuxCommand.data, stream.id, part)
      this.#traffic.add(part.length, performance.now())
      stream.took(part.length) // may write more at once
      if (stream.isWaiting) this.#waiting.add(stream)
    }
  }

  /** While the agent is away nobody can be told, or heard: no time runs. */
  #setAway(isAway: boolean): void {
    this.#isAway = isAway
    this.#heardAt = performance.now()
    for (const stream of this.#streams.values()) stream.setAway(isAway)
  }

  #close(stream: SmuxStream): void {
    if (this.#streams.delete(stream.id)) this.#send(smuxCommand.finish, stream.id)
  }

  #send(command: number, id: number, data?: Buffer): void {
    this.#channel.send(payloadType.output, encodeSmux(command, id, data))
  }

  #keepAlive(): void {
    if (this.#isAway) return
    if (performance.now() - this.#heardAt > mostMissed * this.#options.keepaliveMs) this.#channel.destroy()
    else this.#send(smuxCommand.keepalive, 0)
  }

  #end(end: ChannelEnd): void {
    this.#isEnded = true
    clearInterval(this.#keepalive)
    const error =
      end.reason === 'failed'
        ? end.error
        : new BrokerError('TARGET_LOST', (end.reason === 'closed' && end.text) || 'the session at the instance is over')
    this.#ready.reject(error)
    const streams = [...this.#streams.values()]
    this.#streams.clear()
    for (const resolve of this.#opening.splice(0)) resolve()
    for (const stream of streams) stream.destroy(error)
    this.#ended.resolve(end)
  }
}
