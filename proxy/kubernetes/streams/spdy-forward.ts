import { readPort } from '../../wire/kubernetes/stream-options.ts'
import { encodeData, encodeGoAway, encodeReply } from '../../wire/spdy/encode.ts'
import { SpdyFrames, type SpdySink } from '../../wire/spdy/frames.ts'
import type { SpdyHeaders } from '../../wire/spdy/header-block.ts'
import { WireError } from '../../wire/wire-error.ts'
import type { ForwardEvents, ForwardedConnection, ForwardTap } from './tap.ts'

/** Each connection has two. */
const mostStreams = 1000
/** Kept of what a server says. */
const mostErrorBytes = 1024

interface Connection extends ForwardedConnection {
  bytesUp: number
  bytesDown: number
  error: string
  readonly requestId: string
  isOpened: boolean
  /** Streams that are not over. */
  open: number
}

interface ForwardStream {
  readonly id: number
  readonly connection: Connection
  readonly isError: boolean
  isReplied: boolean
  isFinishedUp: boolean
  isFinishedDown: boolean
}

/** Port-forward on SPDY: for each connection the client opens a stream for errors and one for data, with the same port and request id. */
export class SpdyForwardTap implements ForwardTap {
  readonly #events: ForwardEvents
  readonly #up: SpdyFrames
  readonly #down: SpdyFrames
  readonly #streams = new Map<number, ForwardStream>()
  /** By request id: the stream for data has not been opened. */
  readonly #halfOpen = new Map<string, Connection>()
  #lastId = 0
  carried = 0

  constructor(events: ForwardEvents) {
    this.#events = events
    this.#up = new SpdyFrames(this.#clientSink())
    this.#down = new SpdyFrames(this.#serverSink())
  }

  /** Between two frames of the server. */
  get isAtBoundary(): boolean {
    return this.#down.isAtBoundary
  }

  up(chunk: Buffer): void {
    this.#up.scan(chunk)
  }

  down(chunk: Buffer): void {
    this.#down.scan(chunk)
  }

  complete(chunk: Buffer): number {
    return this.isAtBoundary ? 0 : this.#down.scanFrame(chunk)
  }

  farewell(text: string): Buffer | null {
    if (!this.isAtBoundary) return null
    const frames: Buffer[] = []
    let hasHeaders = this.#down.hasHeaders
    for (const { id, isError, isReplied, isFinishedDown } of this.#streams.values()) {
      if (isFinishedDown) continue
      if (!isReplied) {
        frames.push(encodeReply(id, !hasHeaders))
        hasHeaders = true
      }
      // kubectl reads the text once the data has ended.
      frames.push(encodeData(id, Buffer.from(isError ? text : ''), true))
    }
    return Buffer.concat(frames)
  }

  parting(): Buffer {
    return encodeGoAway(this.#lastId)
  }

  end(): void {
    for (const stream of [...this.#streams.values()]) this.#close(stream)
  }

  #clientSink(): SpdySink {
    return {
      open: (id, headers) => this.#open(id, headers),
      reply: () => {
        throw new WireError('the client replies to a stream that was not opened')
      },
      data: (id, part) => {
        const stream = this.#find(id)
        if (stream?.isError) throw new WireError('the client sends on a stream for errors')
        this.carried += part.length
        if (stream) stream.connection.bytesUp += part.length
      },
      finish: (id) => this.#finish(id, 'isFinishedUp'),
      reset: (id) => this.#close(this.#find(id)),
    }
  }

  #serverSink(): SpdySink {
    return {
      open: () => {
        throw new WireError('the server opens a stream')
      },
      reply: (id) => {
        const stream = this.#find(id)
        if (stream) stream.isReplied = true
      },
      data: (id, part) => {
        const stream = this.#find(id)
        this.carried += part.length
        if (stream?.isError) addError(stream.connection, part)
        else if (stream) stream.connection.bytesDown += part.length
      },
      finish: (id) => this.#finish(id, 'isFinishedDown'),
      reset: (id) => this.#close(this.#find(id)),
    }
  }

  #open(id: number, headers: SpdyHeaders): void {
    if (id % 2 === 0 || id <= this.#lastId) throw new WireError('the client opens a stream out of turn')
    if (this.#streams.size >= mostStreams) throw new WireError('the client has too many streams open')
    this.#lastId = id
    const port = readPort(headers.get('port') ?? '')
    const requestId = headers.get('requestid') ?? ''
    const streamType = headers.get('streamtype')
    if (!/^[0-9]{1,10}$/.test(requestId)) throw new WireError('a stream to a port has no request id')
    if (streamType === 'error') this.#add(id, this.#begin(port, requestId), true)
    else if (streamType === 'data') this.#add(id, this.#take(port, requestId), false)
    else throw new WireError('the client opens a stream of an unknown type')
  }

  #begin(port: number, requestId: string): Connection {
    if (this.#halfOpen.has(requestId)) throw new WireError('two connections have the same request id')
    const connection = { port, requestId, bytesUp: 0, bytesDown: 0, error: '', isOpened: false, open: 0 }
    this.#halfOpen.set(requestId, connection)
    return connection
  }

  #take(port: number, requestId: string): Connection {
    const connection = this.#halfOpen.get(requestId)
    if (!connection) throw new WireError('a stream for data comes without one for errors')
    if (connection.port !== port) throw new WireError('the two streams of a connection have different ports')
    this.#halfOpen.delete(requestId)
    connection.isOpened = true
    this.#events.opened(connection)
    return connection
  }

  #add(id: number, connection: Connection, isError: boolean): void {
    connection.open += 1
    this.#streams.set(id, { id, connection, isError, isReplied: false, isFinishedUp: false, isFinishedDown: false })
  }

  #finish(id: number, side: 'isFinishedUp' | 'isFinishedDown'): void {
    const stream = this.#find(id)
    if (!stream) return
    stream[side] = true
    if (stream.isFinishedUp && stream.isFinishedDown) this.#close(stream)
  }

  #close(stream: ForwardStream | undefined): void {
    if (!stream || !this.#streams.delete(stream.id)) return
    const { connection } = stream
    connection.open -= 1
    if (connection.open > 0) return
    this.#halfOpen.delete(connection.requestId)
    if (connection.isOpened) this.#events.ended(connection)
  }

  /** Undefined: it is over, and what was on its way to it is dropped by its reader. */
  #find(id: number): ForwardStream | undefined {
    const stream = this.#streams.get(id)
    if (!stream && (id === 0 || id > this.#lastId)) throw new WireError('a stream is used that is not open')
    return stream
  }
}

export function addError(connection: { error: string }, part: Buffer): void {
  const left = mostErrorBytes - connection.error.length
  if (left > 0) connection.error += part.toString('latin1', 0, left)
}
