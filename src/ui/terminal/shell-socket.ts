/** The websocket of a shell (`GET /api/v1/connect/shell`): binary messages are bytes of the terminal, text messages JSON. */
import type { TerminalPosition } from '../../../proxy/local/terminal-position.ts'

/** Of a session that the broker cut; the same as proxy/session.ts. */
const cutCode = 4001
const normalCode = 1000
/** Says that the connection is given up, and not the session; the same as proxy/shell/client-socket.ts. */
const lostCode = 4000
/** Far below what the broker takes in one message. */
const mostTyped = 32 * 1024
const pingMs = 5000
/** Without a word in spite of a ping. */
const silentMs = 10_000
/** For the upgrade. */
const openMs = 8000

export interface TerminalSize {
  readonly cols: number
  readonly rows: number
}

export interface ShellAsk extends TerminalSize {
  readonly resource: string
  readonly level: string
  /** To go on with a session whose connection was lost. */
  readonly resumeKey: string | undefined
}

/** Why a shell is over. `text` is the broker's own, for people. */
export type ShellEnd =
  | { readonly how: 'exit'; readonly exitCode: number | null; readonly text: string | undefined }
  | { readonly how: 'cut'; readonly reason: string; readonly text: string | undefined }
  | { readonly how: 'refused'; readonly code: string; readonly text: string; readonly hint: string | undefined }
  /** `hasBegun`: there was a shell. */
  | { readonly how: 'lost'; readonly hasBegun: boolean }

export interface ShellListener {
  /** There is a shell, or the one that was lost goes on. */
  begun(): void
  /** It goes on behind so many bytes that are lost. @param isTypedLost what was typed last did not arrive */
  wentOn(skipped: number, isTypedLost: boolean): void
  /** The session waits so long for another connection with this key. */
  resumable(key: string, forMs: number): void
  /** There and back. */
  measured(roundTripMs: number): void
  /** `shown` is to be called when the bytes are on the screen. */
  output(bytes: Uint8Array, shown: () => void): void
  /** @param recordsInput of the notice that says what is recorded */
  notice(text: string, recordsInput: boolean | undefined): void
  /** Nothing more comes. */
  ended(end: ShellEnd): void
}

export class ShellSocket {
  readonly #socket: WebSocket
  readonly #listener: ShellListener
  readonly #position: TerminalPosition
  readonly #resumeKey: string | undefined
  #hasBegun = false
  #isOver = false
  #exitCode: number | null = null
  #refusal: Extract<ShellEnd, { how: 'refused' }> | undefined
  #endText: string | undefined
  #heardAt = performance.now()
  #pings = 0
  /** Of the last ping, while it is not answered. */
  #pingedAt: number | undefined
  #timer: ReturnType<typeof setTimeout>

  constructor(ask: ShellAsk, position: TerminalPosition, listener: ShellListener) {
    const url = new URL('/api/v1/connect/shell', location.href)
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
    url.search = new URLSearchParams({ ...toText(ask), tool: 'browser terminal' }).toString()
    this.#listener = listener
    this.#position = position
    this.#resumeKey = ask.resumeKey
    this.#socket = new WebSocket(url)
    this.#socket.binaryType = 'arraybuffer'
    this.#socket.addEventListener('open', () => this.#onOpen())
    this.#socket.addEventListener('message', ({ data }) => this.#receive(data))
    this.#socket.addEventListener('close', ({ code, reason }) => this.#end(this.#endOf(code, reason)))
    this.#timer = setTimeout(() => this.lose(), openMs)
  }

  type(bytes: Uint8Array<ArrayBuffer>): void {
    // What was typed before and did not arrive comes first.
    const isWaiting = this.#resumeKey !== undefined && !this.#hasBegun
    if (isWaiting || this.#socket.readyState !== WebSocket.OPEN) return
    this.#position.type(bytes)
    this.#typeOn(bytes)
  }

  resize({ cols, rows }: TerminalSize): void {
    this.#send(JSON.stringify({ resize: { cols, rows } }))
  }

  /** The network is gone, which the browser may take minutes to say. */
  lose(): void {
    this.#socket.close(lostCode)
    this.#end({ how: 'lost', hasBegun: this.#hasBegun })
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#socket.close(normalCode)
  }

  #typeOn(bytes: Uint8Array<ArrayBuffer>): void {
    for (let at = 0; at < bytes.length; at += mostTyped) this.#send(bytes.subarray(at, at + mostTyped))
  }

  #send(message: string | Uint8Array<ArrayBuffer>): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(message)
  }

  #onOpen(): void {
    clearTimeout(this.#timer)
    if (this.#resumeKey !== undefined)
      this.#send(JSON.stringify({ resume: { key: this.#resumeKey, received: this.#position.received } }))
    this.#heardAt = performance.now()
    this.#timer = setInterval(() => this.#watch(), pingMs)
  }

  /** Timers of a tab that is not looked at come late; what has arrived meanwhile is heard first. */
  #watch(): void {
    if (!this.#hasBegun) return
    const now = performance.now()
    if (this.#pingedAt !== undefined && now - Math.max(this.#heardAt, this.#pingedAt) >= silentMs) {
      this.lose()
      return
    }
    this.#acknowledge(this.#position.acknowledge())
    if (this.#pingedAt === undefined) this.#ping(now)
  }

  #ping(now: number): void {
    this.#pings += 1
    this.#pingedAt = now
    this.#send(JSON.stringify({ ping: this.#pings }))
  }

  #receive(data: unknown): void {
    if (this.#isOver) return
    this.#heardAt = performance.now()
    const message = typeof data === 'string' ? readMessage(data) : undefined
    if (message?.resumed !== undefined) this.#goOn(message.resumed)
    if (!this.#hasBegun && message?.error === undefined) {
      this.#hasBegun = true
      this.#listener.begun()
      this.#ping(this.#heardAt)
    }
    if (message) this.#hear(message)
    // After the end nothing on the screen changes: not what the broker shows to terminals that have no place beside it either.
    else if (data instanceof ArrayBuffer && this.#endText === undefined) this.#show(new Uint8Array(data))
  }

  #show(bytes: Uint8Array): void {
    this.#position.receive(bytes.length)
    this.#listener.output(bytes, () => this.#acknowledge(this.#position.show(bytes.length)))
  }

  #acknowledge(shown: number | undefined): void {
    if (shown !== undefined) this.#send(JSON.stringify({ ack: shown }))
  }

  #goOn(told: unknown): void {
    const { skipped, typed } = Object(told) as { skipped?: unknown; typed?: unknown }
    const lost = Number(skipped)
    const missing = this.#position.resume(lost, Number(typed))
    for (const bytes of missing ?? []) this.#typeOn(bytes)
    this.#listener.wentOn(lost, missing === undefined)
  }

  #hear({ notice, recordsInput, exit, error, end, resume, pong, typed }: ShellMessage): void {
    if (typeof notice === 'string')
      this.#listener.notice(notice, typeof recordsInput === 'boolean' ? recordsInput : undefined)
    if (typeof exit === 'number') this.#exitCode = exit
    if (typeof end === 'string') this.#endText = end
    if (error !== undefined) this.#refusal = toRefusal(error)
    if (resume !== undefined) {
      const { key, forMs } = Object(resume) as { key?: unknown; forMs?: unknown }
      this.#listener.resumable(String(key), Number(forMs))
    }
    if (pong === this.#pings && this.#pingedAt !== undefined) {
      this.#position.confirm(Number(typed))
      this.#listener.measured(this.#heardAt - this.#pingedAt)
      this.#pingedAt = undefined
    }
  }

  #end(end: ShellEnd): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#listener.ended(end)
  }

  #endOf(code: number, reason: string): ShellEnd {
    if (this.#refusal) return this.#refusal
    if (code === cutCode) return { how: 'cut', reason, text: this.#endText }
    if (code === normalCode) return { how: 'exit', exitCode: this.#exitCode, text: this.#endText }
    return { how: 'lost', hasBegun: this.#hasBegun }
  }
}

interface ShellMessage {
  readonly notice?: unknown
  readonly recordsInput?: unknown
  readonly exit?: unknown
  readonly end?: unknown
  readonly error?: unknown
  readonly resume?: unknown
  readonly resumed?: unknown
  readonly pong?: unknown
  readonly typed?: unknown
}

/** What is no message of a broker says nothing. */
function readMessage(text: string): ShellMessage {
  try {
    const message: unknown = JSON.parse(text)
    return typeof message === 'object' && message !== null ? message : {}
  } catch {
    return {}
  }
}

function toRefusal(told: unknown): Extract<ShellEnd, { how: 'refused' }> {
  const { code, message, hint } = (told ?? {}) as { code?: unknown; message?: unknown; hint?: unknown }
  return {
    how: 'refused',
    code: typeof code === 'string' ? code : 'INTERNAL',
    text: typeof message === 'string' ? message : '',
    hint: typeof hint === 'string' ? hint : undefined,
  }
}

function toText({ resource, level, cols, rows, resumeKey }: ShellAsk): Record<string, string> {
  const how: Record<string, string> = resumeKey === undefined ? { resumable: '1' } : { resumed: '1' }
  return { resource, level, cols: String(cols), rows: String(rows), ...how }
}
