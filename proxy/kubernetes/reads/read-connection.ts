import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import type { EarlyConnection, TakenConnection } from '../../ports/early-connection.ts'
import { BrokerError, type ClientOrigin } from '../../session.ts'
import { type ReadRequest, readRequest } from '../../wire/http1/request-head.ts'
import { type RequestAttributes, readAttributes } from '../../wire/kubernetes/attributes.ts'
import { WireError } from '../../wire/wire-error.ts'
import { refusalAnswer } from '../answer-refusal.ts'
import type { ApiSession } from '../api-session.ts'
import type { ClientHeaders } from '../parts.ts'
import { readPlace } from '../place.ts'
import { judge } from '../policy.ts'
import { streamVerbs } from '../rules.ts'
import { type ClientFields, readClientFields } from './client-fields.ts'
import { ReadExchange, type ReadingClient } from './read-exchange.ts'

/** For what a client that does not read is told last. */
const farewellMs = 500
const none: Buffer = Buffer.alloc(0)

export interface OpenedFor {
  readonly session: ApiSession
  /** Of the token, epoch milliseconds. */
  readonly expiresAt: number
}

export interface ReadParts {
  /** Of the resources. */
  readonly kind: string
  /** Epoch milliseconds. */
  readonly now: () => number
  originOf(request: ClientHeaders): ClientOrigin
  /** @throws BrokerError */
  senderOf(token: string, resourceId: string, client: ClientOrigin): Promise<OpenedFor>
  toRefusal(thrown: unknown, client: ClientOrigin): BrokerError
}

interface PlainRead {
  readonly method: ReadRequest['method']
  readonly fields: ClientFields
  readonly resourceId: string
  readonly attributes: RequestAttributes
}

interface KnownSender extends OpenedFor {
  readonly fields: ClientFields
  readonly resourceId: string
  /** Of requests to the cluster, without the token. */
  readonly lines: string
}

/**
 * A client's connection as long as its requests only read, each in the plain form and whole in what arrives at once. With the first that
 * is anything else the connection goes to the server's own parser, for good.
 */
export class ReadConnection implements ReadingClient, TakenConnection {
  readonly #parts: ReadParts
  readonly #early: EarlyConnection
  readonly #socket: Socket
  /** From the request on that is answered. */
  #bytes = none
  /** Where that request ends in them. */
  #end = 0
  /** What came while it was answered; read next. */
  #waiting: Buffer | undefined
  #isBusy = false
  /** Its session is asked for. */
  #isOpening = false
  /** The client does not take what it was answered. */
  #isStalled = false
  #method: ReadRequest['method'] = 'GET'
  #fields: ClientFields | undefined
  #sender: KnownSender | undefined
  #exchange: ReadExchange | undefined
  #isClosing = false
  #isGathering = false
  /** Handed over, or closed. */
  #isOver = false
  /** Milliseconds of `performance.now()`. */
  #idleSince = performance.now()

  constructor(parts: ReadParts, early: EarlyConnection) {
    this.#parts = parts
    this.#early = early
    this.#socket = early.socket
    this.#socket.on('data', this.#onData).on('drain', this.#onDrain).on('end', this.#onEnd).on('close', this.#onClose)
    this.#socket.on('error', this.#onError)
    this.#take(early.first)
  }

  get connectionLines(): string {
    return this.#isClosing
      ? 'connection: close\r\n'
      : `connection: keep-alive\r\nkeep-alive: timeout=${Math.floor(this.#early.keepAliveMs / 1000)}\r\n`
  }

  get needsDrain(): boolean {
    return this.#socket.writableNeedDrain
  }

  write(bytes: Buffer): boolean {
    return this.#socket.write(bytes)
  }

  gather(): void {
    if (this.#isGathering) return
    this.#isGathering = true
    this.#socket.cork()
    setImmediate(() => {
      this.#isGathering = false
      this.#socket.uncork()
    })
  }

  refuse(error: BrokerError, attributes: RequestAttributes | null): void {
    if (this.#isOver) return
    const { status, headers, body } = refusalAnswer(error, attributes)
    const lines = headers.map((text, i) => (i % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join('')
    const common = `date: ${new Date().toUTCString()}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`
    const head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines}${common}${this.connectionLines}\r\n`
    this.#socket.write(this.#method === 'HEAD' ? head : head + body)
    this.done(!this.#isClosing)
  }

  done(isKept: boolean): void {
    this.#exchange = undefined
    if (this.#isOver) return
    this.#idleSince = performance.now()
    if (!isKept || this.#isClosing) this.#socket.destroySoon()
    else if (this.needsDrain) this.#isStalled = true
    else if (this.#end < this.#bytes.length || this.#waiting) setImmediate(() => this.#next())
    else {
      this.#isBusy = false
      this.#bytes = none
    }
  }

  finish(bytes: Buffer): void {
    this.#exchange = undefined
    this.#socket.end(bytes)
    setTimeout(() => this.#socket.destroy(), farewellMs).unref()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  checkTime(now: number): void {
    if (this.#exchange) this.#exchange.checkTime(now)
    else if (!this.#isOpening && now - this.#idleSince > this.#early.keepAliveMs) this.#socket.destroy()
  }

  close(): void {
    this.#isClosing = true
    if (!this.#isBusy) this.#socket.destroySoon()
  }

  readonly #onData = (chunk: Buffer): void => {
    if (!this.#isBusy) {
      this.#take(chunk)
      return
    }
    this.#waiting = chunk
    this.#socket.pause()
  }

  readonly #onDrain = (): void => {
    this.#exchange?.flow()
    if (!this.#isStalled) return
    this.#isStalled = false
    this.done(true)
  }

  /** As the server's own parser has it: who ends its side has left. */
  readonly #onEnd = (): void => {
    if (this.#isBusy) this.#socket.destroy()
    else this.#socket.destroySoon()
  }

  readonly #onClose = (): void => {
    this.#isOver = true
    this.#exchange?.leave()
  }

  readonly #onError = (): void => {} // followed by `close`

  #next(): void {
    if (this.#isOver) return
    const rest = this.#bytes.subarray(this.#end)
    const waiting = this.#waiting ?? none
    this.#waiting = undefined
    this.#take(rest.length === 0 ? waiting : Buffer.concat([rest, waiting]))
    // Requests ahead of their turn are not read further, so that what waits is a chunk and a half at most.
    if (!this.#isOver && this.#end >= this.#bytes.length) this.#socket.resume()
  }

  /** @param bytes from the start of a request on */
  #take(bytes: Buffer): void {
    this.#isBusy = true
    this.#bytes = bytes
    const asked = this.#isClosing ? null : this.#read(bytes)
    if (!asked) {
      this.#handOver()
      return
    }
    this.#method = asked.method
    const sender = this.#sender
    if (
      sender?.fields === asked.fields &&
      sender.resourceId === asked.resourceId &&
      !sender.session.isOver &&
      sender.expiresAt > this.#parts.now()
    )
      this.#run(asked, sender)
    else void this.#open(asked)
  }

  /** @returns null: it is for the server's own parser, also to say what is wrong with it */
  #read(bytes: Buffer): PlainRead | null {
    const request = readRequest(bytes)
    if (!request) return null
    this.#end = request.end
    try {
      const fields = this.#readFields(bytes, request)
      if (!fields) return null
      const { resourceId, rest } = readPlace(this.#parts.kind, request.url)
      const attributes = readAttributes(request.method, rest)
      return isPlainRead(attributes) ? { method: request.method, fields, resourceId, attributes } : null
    } catch (thrown) {
      if (thrown instanceof BrokerError || thrown instanceof WireError) return null
      throw thrown
    }
  }

  /** Clients send the same with each request. */
  #readFields(bytes: Buffer, { fieldsAt, end }: ReadRequest): ClientFields | null {
    const known = this.#fields
    if (known && known.bytes.length === end - fieldsAt && known.bytes.compare(bytes, fieldsAt, end) === 0) return known
    const fields = readClientFields(bytes.subarray(fieldsAt, end), this.#socket, this.#parts.originOf)
    if (fields) this.#fields = fields
    return fields
  }

  async #open(asked: PlainRead): Promise<void> {
    const { fields, resourceId } = asked
    this.#isOpening = true
    try {
      const { session, expiresAt } = await this.#parts.senderOf(fields.token, resourceId, fields.origin)
      this.#early.signedIn()
      const host = session.permit.engine?.serverName ?? ''
      const lines = `host: ${host}\r\nx-forwarded-for: ${fields.origin.address}\r\n${fields.passed}`
      this.#sender = { session, expiresAt, fields, resourceId, lines }
      this.#isOpening = false
      if (!this.#isOver) this.#run(asked, this.#sender)
    } catch (thrown) {
      this.#isOpening = false
      this.refuse(this.#parts.toRefusal(thrown, fields.origin), null)
    }
  }

  #run({ method, attributes, fields }: PlainRead, { session, lines }: KnownSender): void {
    const { userAgent, command, origin } = fields
    try {
      const verdict = judge(session.rules.rules, session.permit.level, attributes)
      const exchange = new ReadExchange(session, { attributes, method, fields: lines, userAgent, command }, this)
      this.#exchange = exchange
      exchange.run(verdict.isAllowed ? undefined : verdict.why)
    } catch (thrown) {
      this.#exchange = undefined
      this.refuse(this.#parts.toRefusal(thrown, origin), null)
    }
  }

  #handOver(): void {
    const socket = this.#socket
    this.#isOver = true
    socket.off('data', this.#onData).off('drain', this.#onDrain).off('end', this.#onEnd).off('close', this.#onClose)
    socket.off('error', this.#onError)
    this.#early.handOver(this.#bytes)
  }
}

/** It is answered once, by what objects are, and leaves HTTP nowhere. */
function isPlainRead(attributes: RequestAttributes): boolean {
  if (!attributes.isResource) return true
  return ['get', 'list', 'watch'].includes(attributes.verb) && !streamVerbs.includes(attributes.subresource)
}
