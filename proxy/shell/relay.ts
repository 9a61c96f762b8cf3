import { EntryWriter } from '../recording/entry-writer.ts'
import { Budget } from '../relay/budget.ts'
import { EndNotices } from '../relay/end-notices.ts'
import { thrownBy, toFailure } from '../relay/failure.ts'
import { IdleTimer, shorterLimit } from '../relay/idle-timer.ts'
import type { KindCounts } from '../relay/reports.ts'
import { type EndNotice, type EndReason, isCut, type SessionOutcome, type SessionPermit } from '../session.ts'
import type { ChannelEnd } from '../ssm/channel.ts'
import type { Terminal, TerminalSize } from '../ssm/terminal.ts'
import type { ShellClient } from './client.ts'
import { TerminalEntries } from './entries.ts'
import type { ShellRules, ShellWork } from './rules.ts'
import { awayNotice, backNotice, endingNotice, errorText, noExitCode, noInput, recordingNotice } from './words.ts'

export interface ShellRelayOptions {
  readonly client: ShellClient
  readonly terminal: Terminal
  readonly work: ShellWork
  readonly permit: SessionPermit
  readonly rules: ShellRules
  readonly counts: KindCounts
  /** Epoch milliseconds. */
  readonly now: () => number
  /** Follows the end of the session. @returns it as it is now, epoch milliseconds */
  watchEnd(onMoved: (endsAt: number) => void): number
}

/**
 * Relays a terminal both ways. What is shown is recorded first; a client that shows nothing holds the terminal back, and a recorder
 * that is behind holds both.
 */
export class ShellRelay {
  readonly #options: ShellRelayOptions
  readonly #writer: EntryWriter
  readonly #entries: TerminalEntries
  readonly #budget: Budget
  readonly #idle: IdleTimer
  readonly #notices: EndNotices
  readonly #isStrict: boolean
  readonly #ended = Promise.withResolvers<SessionOutcome>()
  #bytesUp = 0
  #bytesDown = 0
  #lastActive = performance.now()
  /** Shown once they are on file. */
  #unwritten = 0
  /** Of the service, once the session at the instance is over. */
  #lastWords: string | undefined
  /** Of the terminal, if there is one. */
  #size: TerminalSize | undefined
  /** The agent has not taken what was typed. */
  #isInputFull = false
  #isOver = false

  constructor(options: ShellRelayOptions) {
    this.#options = options
    const { permit, now, rules, work, watchEnd } = options
    this.#size = work.size
    this.#writer = new EntryWriter(permit.recorder, () => this.#flow())
    this.#entries = new TerminalEntries(this.#writer, now)
    this.#budget = new Budget(permit.engine?.budget)
    this.#isStrict = permit.engine?.isRecordingStrict ?? false
    this.#notices = new EndNotices({ permit, now, watchEnd, onDue: () => this.#sayEnding() })
    this.#idle = new IdleTimer(shorterLimit(permit.limits.idleTimeoutMs, rules.idleTimeoutMs), {
      activeAt: () => this.#lastActive,
      onIdle: (text) => this.#finish('idle', text),
    })
  }

  /** Relays until the session ends. The client has been told then; the terminal is for the caller to end. */
  run(): Promise<SessionOutcome> {
    const { client, terminal, permit, rules, work } = this.#options
    const { stream, stderr } = terminal
    if (work.size) this.#guard(() => this.#entries.begin(work, rules.detail))
    const recordsInput = rules.recordsInput && work.command === undefined
    this.tell(recordingNotice(recordsInput), recordsInput)
    stream.on('data', (bytes: Buffer) => this.#show(bytes, false))
    stderr.on('data', (bytes: Buffer) => this.#show(bytes, true))
    stream.on('drain', this.#onDrain)
    for (const one of [stream, stderr]) one.once('end', () => this.#finishWhenShown())
    void terminal.ended.then((end) => this.#onEnded(end))
    void client.left.then(() => this.#finish('client-closed'))
    permit.signal.addEventListener('abort', this.#onCut)
    this.#idle.start()
    this.#notices.start()
    this.#budget.start((error) => this.#finish('budget-used', errorText(error)))
    if (permit.signal.aborted) this.#onCut()
    // Last: what it has sent before may end the session at once.
    client.attach({
      input: (bytes) => this.#type(bytes),
      resize: (to) => this.#resize(to),
      room: () => this.#flow(),
      violated: (error) => this.#fail(error, 'protocol-error'),
      away: (forMs) => this.#note(awayNotice(forMs)),
      back: (awayMs, skipped) => this.#note(backNotice(awayMs, skipped)),
    })
    return this.#ended.promise
  }

  /** Shown beside the terminal's own text, and recorded. @param recordsInput of the notice that says what is recorded */
  tell(text: string, recordsInput?: boolean): void {
    if (this.#isOver) return
    this.#guard(() => {
      this.#entries.notice(text)
      this.#options.client.tell({ notice: text, ...(recordsInput === undefined ? {} : { recordsInput }) })
    })
  }

  /** The time without a client is on record. */
  #note(text: string): void {
    if (this.#isOver) return
    this.#guard(() => this.#entries.notice(text))
    this.#flow()
  }

  /** For who begins to watch the recording now, its size is on record behind it. @returns false: the session is over */
  announce(text: string): boolean {
    this.tell(text)
    const size = this.#size
    if (size && !this.#isOver) this.#guard(() => this.#entries.resize(size))
    return !this.#isOver
  }

  #show(bytes: Buffer, isError: boolean): void {
    if (this.#isOver) return
    this.#lastActive = performance.now()
    this.#guard(() => {
      this.#entries.output(bytes, isError)
      if (this.#isOverBudget(0, bytes.length)) return
      if (!this.#isStrict) this.#options.client.send(bytes, isError)
      else {
        this.#unwritten += 1
        this.#options.permit.recorder.whenWritten(() => this.#written(bytes, isError))
      }
    })
    this.#flow()
  }

  #written(bytes: Buffer, isError: boolean): void {
    this.#unwritten -= 1
    if (this.#isOver) return
    this.#options.client.send(bytes, isError)
    this.#flow()
    this.#finishWhenShown()
  }

  #type(bytes: Buffer): void {
    if (this.#isOver) return
    this.#lastActive = performance.now()
    const { rules, terminal, permit, work } = this.#options
    if (work.command !== undefined && !isSignal(bytes)) {
      this.#refuseInput()
      return
    }
    this.#guard(() => {
      if (rules.recordsInput) this.#entries.input(bytes)
      if (this.#isOverBudget(bytes.length, 0)) return
      if (rules.recordsInput && this.#isStrict) permit.recorder.whenWritten(() => this.#pass(bytes))
      else this.#pass(bytes)
    })
    if (terminal.stream.writableNeedDrain) this.#isInputFull = true
    this.#flowIfBehind()
  }

  /** Agents drop it, so that a command would run without what it was meant to read. */
  #refuseInput(): void {
    this.#options.client.refuse(noInput)
    this.#finish('client-closed', errorText(noInput))
  }

  #pass(bytes: Buffer): void {
    if (!this.#isOver) this.#options.terminal.stream.write(bytes)
  }

  #resize(size: TerminalSize): void {
    if (this.#isOver) return
    this.#size = size
    this.#guard(() => {
      this.#entries.resize(size)
      this.#options.terminal.resize(size)
    })
    this.#flowIfBehind()
  }

  /** Who types, or resizes, need not be shown anything. */
  #flowIfBehind(): void {
    if (this.#isInputFull || this.#writer.isFull) this.#flow()
  }

  readonly #onDrain = (): void => {
    this.#isInputFull = false
    this.#flow()
  }

  #isOverBudget(up: number, down: number): boolean {
    this.#bytesUp += up
    this.#bytesDown += down
    this.#options.counts.bytesUp += up
    this.#options.counts.bytesDown += down
    if (this.#bytesUp + this.#bytesDown <= this.#budget.mostBytes) return false
    this.#finish('budget-used', errorText(this.#budget.bytesUsed))
    return true
  }

  /** Each side is read while the other can take it, and the recorder both. */
  #flow(): void {
    if (this.#isOver) return
    const { client, terminal } = this.#options
    const isBehind = this.#writer.isFull
    const outputs = [terminal.stream, terminal.stderr]
    if (isBehind || client.isFull || this.#unwritten > 0) for (const one of outputs) one.pause()
    else for (const one of outputs) one.resume()
    if (isBehind || this.#isInputFull) client.pause()
    else client.resume()
  }

  #sayEnding(): void {
    const ending = this.#notices.take()
    if (ending) this.tell(endingNotice(ending))
  }

  #onEnded(end: ChannelEnd): void {
    if (end.reason === 'failed') this.#fail(end.error, 'upstream-failed')
    else {
      this.#lastWords = end.reason === 'closed' ? end.text : ''
      this.#finishWhenShown()
    }
  }

  /** The session at the instance is over, and all that it sent has been shown. */
  #finishWhenShown(): void {
    const { stream, stderr } = this.#options.terminal
    if (this.#lastWords === undefined || this.#unwritten > 0 || !stream.readableEnded || !stderr.readableEnded) return
    const { terminal, work } = this.#options
    if (this.#lastWords !== '') this.tell(this.#lastWords)
    else if (work.command !== undefined && terminal.exitCode === null) this.tell(noExitCode)
    this.#finish('upstream-closed')
  }

  readonly #onCut = (): void => {
    const { reason, text } = this.#options.permit.signal.reason as EndNotice
    this.#finish(reason, text)
  }

  #guard(run: () => void): void {
    try {
      run()
    } catch (thrown) {
      this.#fail(thrown, 'upstream-failed')
    }
  }

  #fail(thrown: unknown, side: 'protocol-error' | 'upstream-failed'): void {
    const { reason, error } = toFailure(thrown, side)
    this.#finish(reason, errorText(error), error)
  }

  /** @param text for the screen */
  #finish(reason: EndReason, text?: string, error?: Error): void {
    if (this.#isOver) return
    const { client, terminal, permit, now } = this.#options
    this.#isOver = true
    const stoppedAt = now()
    const failure = thrownBy(() => {
      if (text !== undefined) this.#entries.notice(text)
      this.#entries.end(terminal.exitCode)
    })
    permit.signal.removeEventListener('abort', this.#onCut)
    this.#idle.stop()
    this.#notices.stop()
    this.#budget.stop()
    if (text !== undefined) client.sayEnd(text)
    if (isCut(reason)) client.cut(reason)
    else {
      client.tell({ exit: terminal.exitCode })
      client.end()
    }
    const known = error ?? failure
    this.#ended.resolve({
      reason,
      bytesUp: this.#bytesUp,
      bytesDown: this.#bytesDown,
      ...(isCut(reason) ? { stoppedAt } : {}),
      ...(known === undefined ? {} : { error: known }),
    })
  }
}

/** Ctrl-C or Ctrl-\, which agents turn into signals. */
function isSignal(bytes: Buffer): boolean {
  return bytes.length === 1 && (bytes[0] === 0x03 || bytes[0] === 0x1c)
}
