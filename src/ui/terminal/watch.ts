/**
 * A terminal of another person while it runs (`GET /api/v1/sessions/ID/watch`): binary messages are its bytes, text messages JSON. Nothing goes back
 * but how much has been shown.
 */
import type { Terminal } from '@xterm/xterm'
import { openViewer } from './viewer.ts'

/** Why it is over. `refused`: by the broker, or it took the right away meanwhile; `lost`: the connection. */
export type WatchEnd =
  | { readonly how: 'ended'; readonly exitCode: number | null }
  | { readonly how: 'refused'; readonly code: string; readonly text: string }
  | { readonly how: 'lost' }

export interface WatchState {
  readonly phase: 'connecting' | 'live' | 'over'
  /** What the broker says besides, the newest last. */
  readonly notices: readonly string[]
  /** Bytes that were left out, since this page was too slow. */
  readonly skipped: number
  readonly end?: WatchEnd
}

/** The broker sends four times as much before it waits for us. */
const ackEveryBytes = 64 * 1024
const normalCode = 1000
const mostNotices = 5
const largest = 1000

export class Watch {
  readonly #terminal: Terminal
  readonly #socket: WebSocket
  readonly #watchers = new Set<() => void>()
  #state: WatchState = { phase: 'connecting', notices: [], skipped: 0 }
  #shown = 0
  #acknowledged = 0
  #exitCode: number | null = null
  #refusal: Extract<WatchEnd, { how: 'refused' }> | undefined

  constructor(container: HTMLElement, sessionId: string) {
    this.#terminal = openViewer(container)
    const url = new URL(`/api/v1/sessions/${encodeURIComponent(sessionId)}/watch`, location.href)
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
    this.#socket = new WebSocket(url)
    this.#socket.binaryType = 'arraybuffer'
    this.#socket.addEventListener('message', ({ data }) => this.#receive(data))
    this.#socket.addEventListener('close', ({ code }) => this.#onClose(code))
  }

  /** For React: the same object until something has changed. */
  readonly read = (): WatchState => this.#state

  readonly subscribe = (onChange: () => void): (() => void) => {
    this.#watchers.add(onChange)
    return () => this.#watchers.delete(onChange)
  }

  /** The person who is watched is told that it has ended. */
  close(): void {
    this.#watchers.clear()
    this.#socket.close(normalCode)
    this.#terminal.dispose()
  }

  #receive(data: unknown): void {
    if (data instanceof ArrayBuffer) this.#show(new Uint8Array(data))
    else if (typeof data === 'string') this.#hear(readObject(data))
    if (this.#state.phase === 'connecting' && !this.#refusal) this.#change({ phase: 'live' })
  }

  #show(bytes: Uint8Array): void {
    this.#terminal.write(bytes, () => {
      this.#shown += bytes.length
      if (this.#shown - this.#acknowledged < ackEveryBytes || this.#socket.readyState !== WebSocket.OPEN) return
      this.#acknowledged = this.#shown
      this.#socket.send(JSON.stringify({ ack: this.#shown }))
    })
  }

  #hear({ notice, exit, error, skipped, resize }: Readonly<Record<string, unknown>>): void {
    if (typeof notice === 'string') this.#change({ notices: [...this.#state.notices, notice].slice(-mostNotices) })
    if (typeof exit === 'number') this.#exitCode = exit
    if (typeof skipped === 'number') this.#change({ skipped: this.#state.skipped + skipped })
    if (resize !== undefined) this.#resize(Object(resize))
    if (error !== undefined) {
      const { code, message } = Object(error) as { code?: unknown; message?: unknown }
      this.#refusal = { how: 'refused', code: String(code ?? 'INTERNAL'), text: String(message ?? '') }
    }
  }

  #resize({ cols, rows }: Readonly<Record<string, unknown>>): void {
    if (isSize(cols) && isSize(rows)) this.#terminal.resize(cols, rows)
  }

  #onClose(code: number): void {
    const ended = { how: 'ended', exitCode: this.#exitCode } as const
    this.#change({ phase: 'over', end: this.#refusal ?? (code === normalCode ? ended : { how: 'lost' }) })
  }

  #change(changes: Partial<WatchState>): void {
    this.#state = { ...this.#state, ...changes }
    for (const watcher of this.#watchers) watcher()
  }
}

function isSize(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) > 0 && Number(value) <= largest
}

/** What is no message of a broker says nothing. */
function readObject(text: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(text))
  } catch {
    return {}
  }
}
