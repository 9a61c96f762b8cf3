import { type ClientRequest, type IncomingMessage, type ServerResponse, request as send } from 'node:http'
import { performance } from 'node:perf_hooks'
import { BrokerError } from '../session.ts'
import type { RequestAttributes } from '../wire/kubernetes/attributes.ts'
import { encodeWatchError } from '../wire/kubernetes/status.ts'
import { refusalText, refuse, toRefusal } from './answer-refusal.ts'
import type { ApiSession } from './api-session.ts'
import { senderOf } from './entries.ts'
import { requestHeaders } from './headers.ts'
import { BodyCapture } from './recorded-body.ts'
import { responseHeaders } from './response.ts'

/** Within it the API server answers what it does not stream. */
const answerMs = 70_000
/** Of a part of an answer, as TLS has them at most. */
const largeBytes = 8192
/** Verbs of requests that change nothing. */
const reads = ['get', 'list', 'watch', 'head']

/** One request and its answer, passed on as they come. */
export class Exchange {
  readonly #session: ApiSession
  readonly #attributes: RequestAttributes
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #id: number
  readonly #since = performance.now()
  readonly #clientAddress: string
  /** For the cluster, without its token. */
  #headers: string[] = []
  /** Token of the last attempt. */
  #secret = ''
  #sent: ClientRequest | undefined
  /** On a new connection, since a kept one was dead. */
  #isSentAgain = false
  /** With another token, since the cluster did not take the first. */
  #isSignedAgain = false
  #answer: IncomingMessage | undefined
  #timer: NodeJS.Timeout | undefined
  #bytesUp = 0
  #bytesDown = 0
  /** What went to the client ends with a line. */
  #isWholeLine = true
  #isGathering = false
  #isOver = false

  constructor(
    session: ApiSession,
    attributes: RequestAttributes,
    { request, response, address }: { request: IncomingMessage; response: ServerResponse; address: string },
  ) {
    this.#session = session
    this.#attributes = attributes
    this.#request = request
    this.#response = response
    this.#clientAddress = address
    this.#id = session.nextId()
  }

  /** @param refused why it is not forwarded, when it is not */
  async run(refused: string | undefined): Promise<void> {
    const { entries } = this.#session
    entries.request({ id: this.#id, attributes: this.#attributes, ...senderOf(this.#request) }, refused)
    if (refused !== undefined) {
      refuse(this.#response, new BrokerError('GRANT_DENIED', refused), this.#attributes)
      return
    }
    try {
      this.#session.checkRoom()
      this.#session.add(this)
      this.#response.once('close', () => this.#leave())
      this.#headers = this.#readHeaders()
      if (this.#session.permit.engine?.isRecordingStrict) await this.#onFile()
      this.#secret = (await this.#session.lease()).secret
      this.#forward()
    } catch (thrown) {
      this.#fail(toRefusal(thrown))
    }
  }

  /** Each side is read while the other, and the recording, can take more. */
  flow(): void {
    const { isBehind } = this.#session
    if (isBehind || this.#response.writableNeedDrain) this.#answer?.pause()
    else this.#answer?.resume()
    if (isBehind || this.#sent?.writableNeedDrain) this.#request.pause()
    else this.#request.resume()
  }

  /** @param text for the client, which is told as far as it can be: an end without an error would look complete */
  cut(text: string): void {
    if (this.#isOver) return
    const response = this.#response
    if (!response.headersSent)
      refuse(response, new BrokerError('GRANT_DENIED', text, this.#mayBeDone), this.#attributes)
    else if (this.#isJsonWatch && this.#isWholeLine) {
      response.end(encodeWatchError(403, `Sallyport: ${text}`))
      setTimeout(() => response.destroy(), 500).unref() // one that does not read
    } else response.destroy()
    this.#finish(text)
  }

  get #isJsonWatch(): boolean {
    const { headers = {} } = this.#answer ?? {}
    const isJson = headers['content-type']?.startsWith('application/json') ?? false
    return this.#attributes.verb === 'watch' && isJson && headers['content-encoding'] === undefined
  }

  #onFile(): Promise<void> {
    return new Promise((resolve) => this.#session.permit.recorder.whenWritten(resolve))
  }

  /** @throws BrokerError */
  #readHeaders(): string[] {
    if (this.#hasBody && this.#isRead && !this.#isProxied)
      throw new BrokerError('PROTOCOL_ERROR', 'a request that reads has no body')
    const { engine } = this.#session.permit
    const ours = { host: engine?.serverName ?? '', forwardedFor: this.#clientAddress }
    return requestHeaders(this.#request.rawHeaders, ours)
  }

  get #hasBody(): boolean {
    const { 'content-length': length = '0', 'transfer-encoding': coding } = this.#request.headers
    return coding !== undefined || length !== '0'
  }

  /** By its method, so that it may be sent twice. */
  get #isRead(): boolean {
    const { method } = this.#request
    return method === 'GET' || method === 'HEAD'
  }

  get #isProxied(): boolean {
    const attributes = this.#attributes
    return attributes.isResource && (attributes.verb === 'proxy' || attributes.subresource === 'proxy')
  }

  #forward(): void {
    if (this.#isOver) return
    const sent = this.#send()
    if (!this.#hasBody) {
      this.#request.resume()
      sent.end()
      return
    }
    const body = this.#capture()
    this.#request.on('data', (chunk: Buffer) => {
      body?.push(chunk)
      this.#bytesUp += chunk.length
      this.#session.count(chunk.length, 0)
      if (!this.#isOver && !sent.write(chunk)) this.#request.pause()
    })
    this.#request.on('end', () => {
      if (this.#record(body)) sent.end()
    })
    this.#request.on('error', () => this.#leave())
  }

  #send(): ClientRequest {
    const { path, query } = this.#attributes
    const sent = send({
      agent: this.#session.agent,
      method: this.#request.method ?? 'GET',
      path: query === '' ? path : `${path}?${query}`,
      headers: [...this.#headers, 'authorization', `Bearer ${this.#secret}`],
      setHost: false,
      setDefaultHeaders: false,
    })
    this.#sent = sent
    sent.on('response', (answer) => this.#onAnswer(answer))
    sent.on('upgrade', (_, socket) => {
      socket.destroy()
      this.#fail(new BrokerError('TARGET_REFUSED', 'it left HTTP, which was not asked for'))
    })
    sent.on('error', (error) => this.#onLost(sent, error))
    sent.on('drain', () => this.flow())
    clearTimeout(this.#timer)
    if (!this.#isLongRunning)
      this.#timer = setTimeout(() => this.#fail(new BrokerError('TARGET_UNREACHABLE', 'no answer came')), answerMs)
    return sent
  }

  /** A kept connection may have been closed by the cluster while the request was on its way. */
  #onLost(sent: ClientRequest, error: Error): void {
    if (this.#isOver || sent !== this.#sent) return
    if (sent.reusedSocket && this.#isRead && !this.#hasBody && !this.#answer && !this.#isSentAgain) {
      this.#isSentAgain = true
      this.#session.agent.closeUnused()
      this.#forward()
    } else if (error instanceof BrokerError) this.#fail(error)
    else {
      const isHttp = 'code' in error && String(error.code).startsWith('HPE_')
      const detail = isHttp ? 'its answer is not HTTP' : 'the cluster had not answered'
      this.#fail(new BrokerError('TARGET_LOST', detail, { cause: error, ...this.#mayBeDone }))
    }
  }

  /** What the client of a change should know that was sent and not answered. */
  get #mayBeDone(): { hint?: string } {
    const isChange = !this.#isRead && this.#sent !== undefined
    return isChange ? { hint: 'The change may have been made.' } : {}
  }

  /** A token may have expired on its way, or be of a role that was made anew. What has a body cannot be sent twice. */
  async #signAgain(): Promise<void> {
    try {
      const { secret } = await this.#session.lease({ secret: this.#secret })
      if (this.#isSignedAgain || secret === this.#secret) throw notTaken()
      if (this.#hasBody)
        throw new BrokerError('TARGET_REFUSED', 'the cluster no longer took the token, which has been renewed', {
          hint: 'Try again.',
        })
      this.#isSignedAgain = true
      this.#secret = secret
      this.#forward()
    } catch (thrown) {
      this.#fail(toRefusal(thrown))
    }
  }

  #capture(): BodyCapture | undefined {
    const attributes = this.#attributes
    if (!attributes.isResource || reads.includes(attributes.verb)) return undefined
    const { digests } = this.#session
    return new BodyCapture(this.#request.headers['content-type'] ?? '', attributes, digests)
  }

  /** What the cluster is to do, before it has all of it. @returns false: it could not be recorded */
  #record(body: BodyCapture | undefined): boolean {
    const recorded = this.#isOver ? null : body?.end()
    if (!recorded) return !this.#isOver
    try {
      this.#session.entries.body(this.#id, recorded)
      return true
    } catch (thrown) {
      this.#fail(toRefusal(thrown))
      return false
    }
  }

  /** Streams for as long as it likes. */
  get #isLongRunning(): boolean {
    const attributes = this.#attributes
    return attributes.isResource && (attributes.verb === 'watch' || attributes.subresource === 'log' || this.#isProxied)
  }

  #onAnswer(answer: IncomingMessage): void {
    clearTimeout(this.#timer)
    const { statusCode: status = 502 } = answer
    if (this.#isOver || status === 401) {
      this.#sent = undefined // nothing was done
      answer.on('error', () => {}).destroy()
      if (!this.#isOver) void this.#signAgain()
      return
    }
    this.#answer = answer
    try {
      this.#response.writeHead(status, answer.statusMessage ?? '', responseHeaders(status, answer.rawHeaders))
    } catch (thrown) {
      this.#fail(toRefusal(thrown))
      return
    }
    // Those of any other answer go with its first bytes, by one write.
    if (this.#isLongRunning) this.#response.flushHeaders()
    this.#response.on('drain', () => this.flow())
    answer.on('data', (chunk: Buffer) => this.#onChunk(chunk))
    answer.on('end', () => {
      if (answer.complete) this.#complete(answer)
      else this.#lose()
    })
    answer.on('error', () => this.#lose())
  }

  #onChunk(chunk: Buffer): void {
    if (this.#isOver) return
    this.#bytesDown += chunk.length
    if (chunk.length >= largeBytes && !this.#isLongRunning) this.#gather()
    this.#isWholeLine = chunk.at(-1) === 0x0a
    if (!this.#response.write(chunk) || this.#session.isBehind) this.#answer?.pause()
    this.#session.count(0, chunk.length)
  }

  /** Parts of a large answer that are read in one turn of the event loop leave by one write. */
  #gather(): void {
    const { socket } = this.#response
    if (this.#isGathering || !socket) return
    this.#isGathering = true
    socket.cork()
    setImmediate(() => {
      this.#isGathering = false
      socket.uncork()
    })
  }

  #complete(answer: IncomingMessage): void {
    if (this.#isOver) return
    if (answer.rawTrailers.length > 0) this.#response.addTrailers(pairsOf(answer.rawTrailers))
    this.#response.end()
    this.#finish()
  }

  /** The client must not take what it has for the whole. */
  #lose(): void {
    this.#response.destroy()
    this.#finish('the connection to the cluster was lost')
  }

  #leave(): void {
    if (this.#isOver || this.#response.writableFinished) return
    this.#finish('the client left')
  }

  #fail(error: BrokerError): void {
    if (this.#isOver) return
    refuse(this.#response, error, this.#attributes)
    this.#finish(refusalText(error))
  }

  #finish(cut?: string): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#timer)
    // An answer may come before all of the request has gone: its rest does not, and the connection is of no more use.
    if (cut !== undefined || !this.#sent?.writableEnded) this.#sent?.destroy()
    const { entries, counts } = this.#session
    const seconds = (performance.now() - this.#since) / 1000
    const auditId = this.#answer?.headers['audit-id']
    counts.statement(seconds)
    try {
      entries.response({
        id: this.#id,
        status: this.#answer?.statusCode ?? null,
        ms: Math.round(seconds * 1000),
        bytesUp: this.#bytesUp,
        bytesDown: this.#bytesDown,
        ...(typeof auditId === 'string' ? { auditId: auditId.slice(0, 64) } : {}),
        ...(cut === undefined ? {} : { cut }),
      })
    } catch (thrown) {
      const error = toRefusal(thrown)
      this.#session.end('recording-failed', error.message, error)
    }
    this.#session.remove(this)
  }
}

/** Not 401: clients would take it for their token of the broker. */
export function notTaken(): BrokerError {
  return new BrokerError('TARGET_REFUSED', 'the cluster does not take the role of this access level', {
    hint: 'Check that the cluster has an access entry for it, and that the role was not made anew since.',
  })
}

function pairsOf(raw: readonly string[]): [string, string][] {
  return raw.flatMap((name, i) => (i % 2 === 0 ? [[name, raw[i + 1] ?? '']] : []))
}
