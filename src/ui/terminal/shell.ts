import { TerminalPosition } from '../../../proxy/local/terminal-position.ts'
import { type ShellEnd, ShellSocket, type TerminalSize } from './shell-socket.ts'
import { Screen } from './terminal.ts'

/** `away`: the connection was lost, and the session waits for another one. `waiting`: the broker did not answer, and is asked again. */
export type Phase = 'connecting' | 'live' | 'away' | 'waiting' | 'over'

export interface ShellState {
  readonly phase: Phase
  readonly size: TerminalSize
  /** As the program calls its window. */
  readonly title: string
  /** The newest that has not been put away. */
  readonly notice: string | undefined
  /** Of the page itself, about a connection that was lost. */
  readonly gap: Gap | undefined
  readonly recordsInput: boolean
  /** Of the last ping, ms. */
  readonly roundTripMs: number | undefined
  readonly end: ShellEnd | undefined
  /** Epoch milliseconds, of this machine's clock: the session is given up, when away. */
  readonly awayUntil: number | undefined
  /** Epoch milliseconds, of this machine's clock. */
  readonly retryAt: number | undefined
  /** Lines; null: the browser refused. */
  readonly copied: number | null | undefined
  readonly pasteAsked: string | undefined
  readonly linkAsked: string | undefined
}

/** What came of a connection that was lost. */
export interface Gap {
  readonly seconds: number
  /** Bytes of output that were not kept. */
  readonly skipped: number
  readonly isTypedLost: boolean
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
/** Between two attempts to go on. */
const resumeWaitMs = 1000

const atFirst: ShellState = {
  phase: 'connecting',
  size: { cols: 0, rows: 0 },
  title: '',
  notice: undefined,
  gap: undefined,
  recordsInput: false,
  roundTripMs: undefined,
  end: undefined,
  awayUntil: undefined,
  retryAt: undefined,
  copied: undefined,
  pasteAsked: undefined,
  linkAsked: undefined,
}

/**
 * A screen and the shell that is on it, one after the other. A shell whose connection is lost goes on on the next one; if that cannot be, no
 * other is opened by itself, since it would be another one under the same text.
 */
export class Shell {
  readonly screen: Screen
  readonly #parts: ShellParts
  readonly #watchers = new Set<() => void>()
  #state = atFirst
  #socket: ShellSocket | undefined
  #retry: ReturnType<typeof setTimeout> | undefined
  #failures = 0
  #position = new TerminalPosition()
  /** How to go on when the connection is lost; in memory alone. */
  #resume: { readonly key: string; readonly forMs: number } | undefined
  #lostAt = 0
  readonly #closing = new AbortController()

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
    const { signal } = this.#closing
    addEventListener('offline', () => this.#socket?.lose(), { signal })
    addEventListener('online', () => this.#tryNow(), { signal })
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
    if (this.#state.phase !== 'over') {
      this.#tryNow()
      return
    }
    this.screen.thaw()
    this.#change({ title: '', notice: undefined, gap: undefined, recordsInput: false })
    this.#connect()
  }

  readonly putGapAway = (): void => this.#change({ gap: undefined })

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
    this.#closing.abort()
    clearTimeout(this.#retry)
    this.#watchers.clear()
    this.#socket?.close()
    this.#socket = undefined
    this.screen.close()
  }

  #tryNow(): void {
    const { phase } = this.#state
    if (phase === 'waiting') this.#connect()
    else if (phase === 'away' && !this.#socket) this.#goOn()
  }

  /** Another session. */
  #connect(): void {
    this.#position = new TerminalPosition()
    this.#resume = undefined
    this.#change({
      phase: 'connecting',
      end: undefined,
      retryAt: undefined,
      awayUntil: undefined,
      roundTripMs: undefined,
    })
    this.#open(undefined)
  }

  /** The same session. */
  #goOn(): void {
    this.#open(this.#resume?.key)
  }

  #open(resumeKey: string | undefined): void {
    clearTimeout(this.#retry)
    const { resource, level } = this.#parts
    const isOurs = () => this.#socket === socket
    const socket: ShellSocket = new ShellSocket({ resource, level, resumeKey, ...this.screen.size }, this.#position, {
      begun: () => {
        if (!isOurs()) return
        this.#failures = 0
        this.screen.unlock()
        this.#change({ phase: 'live', awayUntil: undefined })
        socket.resize(this.screen.size) // it may have changed while the shell was being opened
      },
      wentOn: (skipped, isTypedLost) => {
        const seconds = Math.round((Date.now() - this.#lostAt) / 1000)
        if (isOurs()) this.#change({ gap: { seconds, skipped, isTypedLost } })
      },
      resumable: (key, forMs) => {
        if (isOurs()) this.#resume = { key, forMs }
      },
      measured: (roundTripMs) => {
        if (isOurs()) this.#change({ roundTripMs })
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
    })
    this.#socket = socket
  }

  #onEnd(end: ShellEnd): void {
    this.#socket = undefined
    const { phase, awayUntil } = this.#state
    const isElsewhere = end.how === 'refused' && end.code === 'SESSION_ELSEWHERE'
    if (phase === 'live' && end.how === 'lost' && this.#resume) this.#goAway(this.#resume.forMs)
    else if (awayUntil !== undefined && (end.how === 'lost' || isElsewhere)) this.#tryAgain(awayUntil)
    else if (end.how === 'lost' && !end.hasBegun) this.#wait(end)
    else this.#finish(end)
  }

  #finish(end: ShellEnd): void {
    this.screen.freeze()
    this.#change({ phase: 'over', end, pasteAsked: undefined, awayUntil: undefined, roundTripMs: undefined })
  }

  #goAway(forMs: number): void {
    this.#lostAt = Date.now()
    const awayUntil = this.#lostAt + forMs
    this.screen.lock()
    this.#change({
      phase: 'away',
      awayUntil,
      gap: undefined,
      copied: undefined,
      roundTripMs: undefined,
      pasteAsked: undefined,
    })
    this.#goOn()
  }

  #tryAgain(awayUntil: number): void {
    if (Date.now() >= awayUntil) this.#finish({ how: 'lost', hasBegun: true })
    else this.#retry = setTimeout(() => this.#goOn(), resumeWaitMs * (0.5 + Math.random()))
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
