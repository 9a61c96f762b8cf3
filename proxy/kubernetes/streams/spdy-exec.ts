import { type ExitStatus, encodeFailure, longestStatusBytes } from '../../wire/kubernetes/status.ts'
import { encodeData, encodeGoAway, encodeReply } from '../../wire/spdy/encode.ts'
import { SpdyFrames, type SpdySink } from '../../wire/spdy/frames.ts'
import { WireError } from '../../wire/wire-error.ts'
import { ResizeReader } from './resize-reader.ts'
import { StatusReader } from './status-reader.ts'
import type { ExecEvents, ExecTap, RemarkStream } from './tap.ts'

const streamTypes = ['error', 'stdin', 'stdout', 'stderr', 'resize'] as const
type StreamType = (typeof streamTypes)[number]

interface ExecStream {
  readonly id: number
  readonly type: StreamType
  isReplied: boolean
  /** By the server. */
  isFinished: boolean
}

/** Exec and attach on SPDY: the client opens a stream for each of its types. */
export class SpdyExecTap implements ExecTap {
  readonly #events: ExecEvents
  readonly #up: SpdyFrames
  readonly #down: SpdyFrames
  readonly #sizes = new ResizeReader()
  readonly #status = new StatusReader()
  readonly #streams: ExecStream[] = []
  /** How many the client opens, one after the other: it waits for the reply to each. */
  readonly #expected: number
  /** The broker has replied in place of the server. */
  #hasReplied = false
  carried = 0

  constructor(events: ExecEvents, expected = 1) {
    this.#events = events
    this.#expected = expected
    this.#up = new SpdyFrames(this.#clientSink())
    this.#down = new SpdyFrames(this.#serverSink())
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

  /** Without a status kubectl would take any end for success. One that has a stream still to open would wait for it half a minute. */
  farewell(text: string): Buffer | null {
    const error = this.#streams.find(({ type }) => type === 'error')
    if (!this.#down.isAtBoundary || !error || this.#streams.length < this.#expected) return null
    const unfinished = this.#streams.filter(({ type, isFinished }) => !isFinished && /^std(out|err)$/.test(type))
    const status = Buffer.from(encodeFailure(403, text))
    const isSaid = error.isFinished || this.#status.hasBegun
    return Buffer.concat([
      ...this.#replies(),
      ...(isSaid ? [] : [encodeData(error.id, status, true)]),
      ...unfinished.map(({ id }) => encodeData(id, new Uint8Array(0), true)),
      encodeGoAway(this.#streams.at(-1)?.id ?? 0),
    ])
  }

  get wholeBytes(): number {
    return this.#down.wholeBytes
  }

  /** Half a status is quoted by kubectl. */
  breakOff(): Buffer | null {
    return this.#down.breakOff()?.fill(this.#status.hasBegun ? ' ' : 0) ?? null
  }

  meanwhile(): Buffer | null {
    if (!this.#down.isAtBoundary) return null
    const replies = this.#replies()
    for (const stream of this.#streams) stream.isReplied = true
    this.#hasReplied ||= replies.length > 0
    return replies.length === 0 ? null : Buffer.concat(replies)
  }

  #replies(): Buffer[] {
    const isFirst = !this.#down.hasHeaders && !this.#hasReplied
    return this.#streams.filter(({ isReplied }) => !isReplied).map(({ id }, i) => encodeReply(id, i === 0 && isFirst))
  }

  remark(text: string, on: RemarkStream): Buffer | null {
    const stream = this.#streams.find(({ type }) => type === on)
    // The client takes data of a stream that has been replied to.
    if (!this.#down.isAtBoundary || !stream?.isReplied || stream.isFinished) return null
    return encodeData(stream.id, Buffer.from(text), false)
  }

  exitStatus(): ExitStatus | null {
    return this.#status.read()
  }

  #clientSink(): SpdySink {
    return {
      open: (id, headers) => this.#open(id, headers.get('streamtype') ?? ''),
      reply: () => {
        throw new WireError('the client replies to a stream that was not opened')
      },
      data: (id, part) => {
        const { type } = this.#find(id)
        this.carried += part.length
        if (type === 'stdin') this.#events.input(part)
        else if (type === 'resize') for (const size of this.#sizes.push(part)) this.#events.resize(size)
        else throw new WireError('the client sends on a stream that is not its own')
      },
      finish: (id) => {
        if (this.#find(id).type === 'stdin') this.#events.inputEnded()
      },
      reset: (id) => void this.#find(id),
    }
  }

  #serverSink(): SpdySink {
    return {
      open: () => {
        throw new WireError('the server opens a stream')
      },
      // Where it breaks off, nothing else could be said on that stream.
      begin: (id, length) => {
        if (this.#find(id).type === 'error' && length > longestStatusBytes) throw new WireError('a status is too long')
      },
      reply: (id) => {
        this.#find(id).isReplied = true
      },
      data: (id, part) => {
        const { type } = this.#find(id)
        this.carried += part.length
        if (type === 'stdout' || type === 'stderr') this.#events.output(part, type === 'stderr')
        else if (type === 'error') this.#status.push(part)
        else throw new WireError('the server sends on a stream that is not its own')
      },
      finish: (id) => this.#finish(id),
      reset: (id) => this.#finish(id),
    }
  }

  #open(id: number, named: string): void {
    const type = streamTypes.find((type) => type === named)
    if (!type) throw new WireError('the client opens a stream of an unknown type')
    if (this.#streams.some((stream) => stream.type === type)) throw new WireError(`the client opens ${type} twice`)
    if (id % 2 === 0 || id <= (this.#streams.at(-1)?.id ?? 0))
      throw new WireError('the client opens a stream out of turn')
    this.#streams.push({ id, type, isReplied: false, isFinished: false })
  }

  #finish(id: number): void {
    const stream = this.#find(id)
    stream.isFinished = true
    stream.isReplied = true
  }

  #find(id: number): ExecStream {
    const stream = this.#streams.find((stream) => stream.id === id)
    if (!stream) throw new WireError('a stream is used that is not open')
    return stream
  }
}
