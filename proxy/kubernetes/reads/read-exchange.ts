import { performance } from 'node:perf_hooks'
import { BrokerError } from '../../session.ts'
import type { AnswerHead } from '../../wire/http1/answer-head.ts'
import type { RequestAttributes } from '../../wire/kubernetes/attributes.ts'
import { encodeWatchError } from '../../wire/kubernetes/status.ts'
import type { WireError } from '../../wire/wire-error.ts'
import { refusalText, toRefusal } from '../answer-refusal.ts'
import type { ApiSession } from '../api-session.ts'
import { notTaken } from '../exchange.ts'
import type { OpenRequest } from '../parts.ts'
import { responseLines } from '../response.ts'
import type { Asker, TargetConnection } from './target-connection.ts'

/** Within it the API server answers what it does not stream. */
const answerMs = 70_000
/** Of a body: from here on its parts that are read in one turn of the event loop leave by one write. */
const largeBytes = 32 * 1024
/** Of a part that is copied behind the head, so that both leave by one write. */
const copiedBytes = 16 * 1024

/** The client of a request, which gets the answer. */
export interface ReadingClient {
  /** @returns false: it takes no more for now */
  write(bytes: Buffer): boolean
  /** Writes of this turn of the event loop leave together. */
  gather(): void
  /** It has been told why there is no answer. @param error that it is told */
  refuse(error: BrokerError, attributes: RequestAttributes): void
  /** Lines of a head that say what becomes of the connection. */
  readonly connectionLines: string
  readonly needsDrain: boolean
  /** The answer is complete. @param isKept it may ask again */
  done(isKept: boolean): void
  /** The same, whether it reads it or not. @param bytes the last of it */
  finish(bytes: Buffer): void
  destroy(): void
}

export interface ReadAsk {
  readonly attributes: RequestAttributes
  readonly method: 'GET' | 'HEAD'
  /** Fields for the cluster, each with its line end, without the token. */
  readonly fields: string
  readonly userAgent: string
  readonly command: string
}

/** One request that reads, and its answer, of which only the head is looked at. */
export class ReadExchange implements OpenRequest, Asker {
  readonly #session: ApiSession
  readonly #ask: ReadAsk
  readonly #client: ReadingClient
  readonly #id: number
  readonly #since = performance.now()
  #secret = ''
  #target: TargetConnection | undefined
  /** On a new connection, since a kept one was dead. */
  #isSentAgain = false
  /** With another token, since the cluster did not take the first. */
  #isSignedAgain = false
  #answer: AnswerHead | undefined
  /** Of the answer, not written yet. */
  #head = ''
  #isLarge = false
  #bytesDown = 0
  #isOver = false

  constructor(session: ApiSession, ask: ReadAsk, client: ReadingClient) {
    this.#session = session
    this.#ask = ask
    this.#client = client
    this.#id = session.nextId()
  }

  /** @param refused why it is not forwarded, when it is not */
  run(refused: string | undefined): void {
    const { attributes, userAgent, command } = this.#ask
    this.#session.entries.request({ id: this.#id, attributes, userAgent, command }, refused)
    if (refused !== undefined) {
      this.#client.refuse(new BrokerError('GRANT_DENIED', refused), attributes)
      return
    }
    try {
      this.#session.checkRoom()
      this.#session.add(this)
      const { permit, leaseAtHand } = this.#session
      if (permit.engine?.isRecordingStrict) permit.recorder.whenWritten(() => void this.#sign())
      else if (leaseAtHand) this.#forward(leaseAtHand.secret)
      else void this.#sign()
    } catch (thrown) {
      this.#fail(toRefusal(thrown))
    }
  }

  async #sign(): Promise<void> {
    if (this.#isOver) return
    try {
      this.#forward((await this.#session.lease()).secret)
    } catch (thrown) {
      this.#fail(toRefusal(thrown))
    }
  }

  #forward(secret: string): void {
    if (this.#isOver) return
    this.#secret = secret
    const target = this.#session.pool.take()
    if (target) this.#send(target)
    else void this.#connect()
  }

  async #connect(): Promise<void> {
    const { pool } = this.#session
    try {
      const target = await pool.connect()
      if (this.#isOver) pool.give(target)
      else this.#send(target)
    } catch (thrown) {
      this.#fail(toRefusal(thrown))
    }
  }

  #send(target: TargetConnection): void {
    const { method, attributes, fields } = this.#ask
    const { path, query } = attributes
    this.#target = target
    const place = query === '' ? path : `${path}?${query}`
    const head = `${method} ${place} HTTP/1.1\r\n${fields}authorization: Bearer ${this.#secret}\r\n\r\n`
    target.ask(this, head, method === 'HEAD')
  }

  /** Each side is read while the other, and the recording, can take more. */
  flow(): void {
    if (this.#session.isBehind || this.#client.needsDrain) this.#target?.pause()
    else this.#target?.resume()
  }

  /** @param now milliseconds of `performance.now()` */
  checkTime(now: number): void {
    if (this.#answer || this.#isLongRunning || now - this.#since < answerMs) return
    this.#fail(new BrokerError('TARGET_UNREACHABLE', 'no answer came'))
  }

  /** The client has left. */
  leave(): void {
    this.#finish('the client left')
  }

  /** @param text for the client, which is told as far as it can be: an end without an error would look complete */
  cut(text: string): void {
    if (this.#isOver) return
    if (!this.#answer) this.#client.refuse(new BrokerError('GRANT_DENIED', text), this.#ask.attributes)
    else if (this.#isJsonWatch && this.#head === '' && this.#target?.isAfterLine) {
      const event = Buffer.from(encodeWatchError(403, `Sallyport: ${text}`))
      this.#client.finish(Buffer.from(`${event.length.toString(16)}\r\n${event}\r\n0\r\n\r\n`))
    } else this.#client.destroy()
    this.#finish(text)
  }

  get #isJsonWatch(): boolean {
    const type = this.#field('content-type')?.startsWith('application/json') ?? false
    return this.#ask.attributes.verb === 'watch' && type && this.#field('content-encoding') === undefined
  }

  #field(name: string): string | undefined {
    const { fields = [] } = this.#answer ?? {}
    const at = fields.findIndex(
      (field, i) => i % 2 === 0 && field.length === name.length && field.toLowerCase() === name,
    )
    return at < 0 ? undefined : fields[at + 1]
  }

  /** Streams for as long as it likes. */
  get #isLongRunning(): boolean {
    const { attributes } = this.#ask
    return attributes.isResource && (attributes.verb === 'watch' || attributes.subresource === 'log')
  }

  head(answer: AnswerHead): boolean {
    if (answer.status === 401) {
      this.#dropTarget()
      void this.#signAgain()
      return false
    }
    try {
      if (answer.status === 101) throw new BrokerError('TARGET_REFUSED', 'it left HTTP, which was not asked for')
      const passed = responseLines(answer.status, answer.fields)
      const chunked = answer.length === 'chunked' ? 'transfer-encoding: chunked\r\n' : ''
      const end = answer.length === 'until-close' ? 'connection: close\r\n' : this.#client.connectionLines
      this.#head = `HTTP/1.1 ${answer.status} ${answer.reason}\r\n${passed}${chunked}${end}\r\n`
      this.#answer = answer
    } catch (thrown) {
      this.#fail(toRefusal(thrown))
      return false
    }
    // Those of any other answer go with its first bytes, by one write.
    if (this.#isLongRunning) this.#writeHead()
    return true
  }

  body(bytes: Buffer, length: number): void {
    this.#bytesDown += length
    if (!this.#isLarge && !this.#isLongRunning && (this.#target?.left ?? 0) + bytes.length > largeBytes)
      this.#isLarge = true
    if (this.#isLarge) this.#client.gather()
    const isTaken = this.#client.write(this.#withHead(bytes))
    if (!isTaken || this.#session.isBehind) this.#target?.pause()
    this.#session.count(0, length)
  }

  #withHead(bytes: Buffer): Buffer {
    const head = this.#head
    if (head === '') return bytes
    if (bytes.length > copiedBytes) {
      this.#writeHead()
      return bytes
    }
    this.#head = ''
    const both = Buffer.allocUnsafe(head.length + bytes.length)
    both.write(head, 0, 'latin1')
    bytes.copy(both, head.length)
    return both
  }

  #writeHead(): void {
    const head = this.#head
    this.#head = ''
    if (head !== '') this.#client.write(Buffer.from(head, 'latin1'))
  }

  end(isClean: boolean): void {
    const target = this.#target
    this.#target = undefined
    if (!target) return
    if (isClean) {
      target.resume()
      this.#session.pool.give(target)
    } else target.destroy()
    this.#writeHead()
    this.#finish()
    this.#client.done(this.#answer?.length !== 'until-close')
  }

  /** A kept connection may have been closed by the cluster while the request was on its way. */
  lost(error?: WireError): void {
    const target = this.#target
    this.#target = undefined
    if (this.#isOver) return
    if (this.#answer) {
      this.#client.destroy() // it must not take what it has for the whole
      this.#finish('the connection to the cluster was lost')
    } else if (!error && target?.isReused && !this.#isSentAgain) {
      this.#isSentAgain = true
      this.#session.pool.closeUnused()
      this.#forward(this.#secret)
    } else {
      const detail = error ? 'its answer is not HTTP' : 'the cluster had not answered'
      this.#fail(new BrokerError('TARGET_LOST', detail, error ? { cause: error } : {}))
    }
  }

  /** A token may have expired on its way, or be of a role that was made anew. */
  async #signAgain(): Promise<void> {
    try {
      const { secret } = await this.#session.lease({ secret: this.#secret })
      if (this.#isSignedAgain || secret === this.#secret) throw notTaken()
      this.#isSignedAgain = true
      this.#forward(secret)
    } catch (thrown) {
      this.#fail(toRefusal(thrown))
    }
  }

  #fail(error: BrokerError): void {
    if (this.#isOver) return
    if (this.#answer) this.#client.destroy()
    else this.#client.refuse(error, this.#ask.attributes)
    this.#finish(refusalText(error))
  }

  #dropTarget(): void {
    this.#target?.destroy()
    this.#target = undefined
  }

  #finish(cut?: string): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#dropTarget()
    const { entries, counts } = this.#session
    const seconds = (performance.now() - this.#since) / 1000
    const auditId = this.#field('audit-id')
    counts.statement(seconds)
    try {
      entries.response({
        id: this.#id,
        status: this.#answer?.status ?? null,
        ms: Math.round(seconds * 1000),
        bytesUp: 0,
        bytesDown: this.#bytesDown,
        ...(auditId === undefined ? {} : { auditId: auditId.slice(0, 64) }),
        ...(cut === undefined ? {} : { cut }),
      })
    } catch (thrown) {
      const error = toRefusal(thrown)
      this.#session.end('recording-failed', error.message, error)
    }
    this.#session.remove(this)
  }
}
