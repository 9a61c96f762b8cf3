/** The websocket of a shell (`GET /api/v1/connect/shell`): binary messages are bytes of the terminal, text messages JSON. */

/** Of a session that the broker cut; the same as proxy/session.ts. */
const cutCode = 4001
const normalCode = 1000
/** The broker sends four times as much before it waits for us. */
const ackEveryBytes = 64 * 1024
/** Far below what the broker takes in one message. */
const mostTyped = 32 * 1024

export interface TerminalSize {
  readonly cols: number
  readonly rows: number
}

export interface ShellAsk extends TerminalSize {
  readonly resource: string
  readonly level: string
}

/** Why a shell is over. `text` is the broker's own, for people. */
export type ShellEnd =
  | { readonly how: 'exit'; readonly exitCode: number | null; readonly text: string | undefined }
  | { readonly how: 'cut'; readonly reason: string; readonly text: string | undefined }
  | { readonly how: 'refused'; readonly code: string; readonly text: string; readonly hint: string | undefined }
  /** `hasBegun`: there was a shell, which the broker ends now. */
  | { readonly how: 'lost'; readonly hasBegun: boolean }

export interface ShellListener {
  /** There is a shell. */
  begun(): void
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
  #shown = 0
  #acknowledged = 0
  #hasBegun = false
  #exitCode: number | null = null
  #refusal: Extract<ShellEnd, { how: 'refused' }> | undefined
  #endText: string | undefined

  constructor(ask: ShellAsk, listener: ShellListener) {
    const url = new URL('/api/v1/connect/shell', location.href)
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
    url.search = new URLSearchParams({ ...toText(ask), tool: 'browser terminal' }).toString()
    this.#listener = listener
    this.#socket = new WebSocket(url)
    this.#socket.binaryType = 'arraybuffer'
    this.#socket.addEventListener('message', ({ data }) => this.#receive(data))
    this.#socket.addEventListener('close', ({ code, reason }) => listener.ended(this.#endOf(code, reason)), {
      once: true,
    })
  }

  type(bytes: Uint8Array<ArrayBuffer>): void {
    for (let at = 0; at < bytes.length; at += mostTyped) this.#send(bytes.subarray(at, at + mostTyped))
  }

  resize({ cols, rows }: TerminalSize): void {
    this.#send(JSON.stringify({ resize: { cols, rows } }))
  }

  close(): void {
    this.#socket.close(normalCode)
  }

  #send(message: string | Uint8Array<ArrayBuffer>): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(message)
  }

  #receive(data: unknown): void {
    if (!this.#hasBegun && !this.#refusesBy(data)) {
      this.#hasBegun = true
      this.#listener.begun()
    }
    if (typeof data === 'string') this.#hear(data)
    // After the end nothing on the screen changes: not what the broker shows to terminals that have no place beside it either.
    else if (data instanceof ArrayBuffer && this.#endText === undefined) this.#show(new Uint8Array(data))
  }

  /** A session that did not open says so, and nothing else. */
  #refusesBy(data: unknown): boolean {
    return typeof data === 'string' && readMessage(data).error !== undefined
  }

  #show(bytes: Uint8Array): void {
    this.#listener.output(bytes, () => {
      this.#shown += bytes.length
      if (this.#shown - this.#acknowledged < ackEveryBytes) return
      this.#acknowledged = this.#shown
      this.#send(JSON.stringify({ ack: this.#shown }))
    })
  }

  #hear(text: string): void {
    const { notice, recordsInput, exit, error, end } = readMessage(text)
    if (typeof notice === 'string')
      this.#listener.notice(notice, typeof recordsInput === 'boolean' ? recordsInput : undefined)
    if (typeof exit === 'number') this.#exitCode = exit
    if (typeof end === 'string') this.#endText = end
    if (error !== undefined) this.#refusal = toRefusal(error)
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

function toText({ resource, level, cols, rows }: ShellAsk): Record<string, string> {
  return { resource, level, cols: String(cols), rows: String(rows) }
}
