import type { Terminal } from '@xterm/xterm'
import { openViewer } from './viewer.ts'

/** What a recorded terminal did at one moment. */
export interface ReplayEvent {
  /** Milliseconds since its beginning. */
  readonly at: number
  readonly text?: string
  readonly size?: { readonly cols: number; readonly rows: number }
}

/** Shows a recorded terminal. Nothing that it says goes anywhere: there is no way back. */
export class Replay {
  readonly #terminal: Terminal
  readonly #events: readonly ReplayEvent[]
  #next = 0

  constructor(container: HTMLElement, events: readonly ReplayEvent[]) {
    this.#events = events
    this.#terminal = openViewer(container)
  }

  /** How long it lasted, ms. */
  get lengthMs(): number {
    return this.#events.at(-1)?.at ?? 0
  }

  /** When something happens next; undefined: nothing does. */
  get nextAt(): number | undefined {
    return this.#events[this.#next]?.at
  }

  /** Shows it as it was then. Backwards from its beginning on. */
  seek(ms: number): void {
    if (this.#next > 0 && (this.#events[this.#next - 1]?.at ?? 0) > ms) {
      this.#terminal.reset()
      this.#next = 0
    }
    for (let event = this.#events[this.#next]; event && event.at <= ms; event = this.#events[this.#next]) {
      if (event.size) this.#terminal.resize(event.size.cols, event.size.rows)
      if (event.text !== undefined) this.#terminal.write(event.text)
      this.#next += 1
    }
  }

  close(): void {
    this.#terminal.dispose()
  }
}
