import { type ShellEnd, ShellSocket, type TerminalSize } from './shell-socket.ts'
import { Screen } from './terminal.ts'

/** `waiting`: the broker did not answer, and is asked again. */
export type Phase = 'connecting' | 'live' | 'waiting' | 'over'

export interface ShellState {
  readonly phase: Phase
  readonly size: TerminalSize
  /** As the program calls its window. */
  readonly title: string
  /** The newest that has not been put away. */
  readonly notice: string | undefined
  readonly recordsInput: boolean
  readonly end: ShellEnd | undefined
  /** Epoch milliseconds, of this machine's clock. */
  readonly retryAt: number | undefined
  /** Lines; null: the browser refused. */
  readonly copied: number | null | undefined
  readonly pasteAsked: string | undefined
  readonly linkAsked: string | undefined
}

export interface ShellParts {
  readonly resource: string
  readonly level: string
  readonly fontSize: number
  /** The person leaves the terminal by keyboard. */
  left(): void
}

const firstWaitMs = 1000
const longestWaitMs = 30_000

const atFirst: ShellState = {
  phase: 'connecting',
  size: { cols: 0, rows: 0 },
  title: '',
  notice: undefined,
  recordsInput: false,
  end: undefined,
  retryAt: undefined,
  copied: undefined,
  pasteAsked: undefined,
  linkAsked: undefined,
}

/** A screen and the shell that is on it, one after the other. A shell that was lost is not opened again by itself: it is another one. */
export class Shell {
  readonly screen: Screen
  readonly #parts: ShellParts
  readonly #watchers = new Set<() => void>()
  #state = atFirst
  #socket: ShellSocket | undefined
  #retry: ReturnType<typeof setTimeout> | undefined
  #failures = 0

  constructor(container: HTMLElement, parts: ShellParts) {
    this.#parts = parts
    this.screen = new Screen(container, parts.fontSize, {
      typed: (bytes) => this.#socket?.type(bytes),
      resized: (size) => {
        this.#socket?.resize(size)
        this.#change({ size })
      },
      titled: (title) => this.#change({ title }),
      copied: (copied) => this.#change({ copied }),
      pasteAsks: (pasteAsked) => this.#change({ pasteAsked }),
      linkAsks: (linkAsked) => this.#change({ linkAsked }),
      left: () => parts.left(),
    })
    this.#state = { ...atFirst, size: this.screen.size }
    this.#connect()
  }

  /** For React: the same object until something has changed. */
  readonly read = (): ShellState => this.#state

  readonly watch = (onChange: () => void): (() => void) => {
    this.#watchers.add(onChange)
    return () => this.#watchers.delete(onChange)
  }

  /** Keys that the person's device does not have. */
  type(text: string): void {
    this.#socket?.type(new TextEncoder().encode(text))
  }

  /** Another shell on the same screen, once the last one is over. */
  readonly openAgain = (): void => {
    if (this.#state.phase !== 'over' && this.#state.phase !== 'waiting') return
    if (this.#state.phase === 'over') this.screen.thaw()
    this.#change({ title: '', notice: undefined, recordsInput: false })
    this.#connect()
  }

  readonly answerPaste = (isAgreed: boolean): void => {
    const { pasteAsked = '' } = this.#state
    this.#change({ pasteAsked: undefined })
    if (isAgreed) this.screen.paste(pasteAsked, true)
  }

  readonly answerLink = (isAgreed: boolean): void => {
    const { linkAsked } = this.#state
    this.#change({ linkAsked: undefined })
    if (isAgreed && linkAsked !== undefined) window.open(linkAsked, '_blank', 'noopener,noreferrer')
  }

  readonly putNoticeAway = (): void => this.#change({ notice: undefined })

  /** Ends the shell, too. */
  close(): void {
    clearTimeout(this.#retry)
    this.#watchers.clear()
    this.#socket?.close()
    this.#socket = undefined
    this.screen.close()
  }

  #connect(): void {
    clearTimeout(this.#retry)
    this.#change({ phase: 'connecting', end: undefined, retryAt: undefined })
    const { resource, level } = this.#parts
    const isOurs = () => this.#socket === socket
    const socket: ShellSocket = new ShellSocket(
      { resource, level, ...this.screen.size },
      {
        begun: () => {
          if (!isOurs()) return
          this.#failures = 0
          this.#change({ phase: 'live' })
          socket.resize(this.screen.size) // it may have changed while the shell was being opened
        },
        output: (bytes, shown) => {
          if (isOurs()) this.screen.write(bytes, shown)
        },
        notice: (notice, recordsInput) => {
          if (isOurs()) this.#change(recordsInput === undefined ? { notice } : { recordsInput })
        },
        ended: (end) => {
          if (isOurs()) this.#onEnd(end)
        },
      },
    )
    this.#socket = socket
  }

  #onEnd(end: ShellEnd): void {
    this.#socket = undefined
    if (end.how === 'lost' && !end.hasBegun) this.#wait(end)
    else {
      this.screen.freeze()
      this.#change({ phase: 'over', end, pasteAsked: undefined })
    }
  }

  #wait(end: ShellEnd): void {
    const longestMs = Math.min(longestWaitMs, firstWaitMs * 2 ** this.#failures)
    const waitMs = longestMs * (0.5 + Math.random() / 2)
    this.#failures += 1
    this.#retry = setTimeout(() => this.#connect(), waitMs)
    this.#change({ phase: 'waiting', end, retryAt: Date.now() + waitMs })
  }

  #change(what: Partial<ShellState>): void {
    this.#state = { ...this.#state, ...what }
    for (const watcher of this.#watchers) watcher()
  }
}
