import { printable } from '../../../proxy/printable.ts'
import { BrokerError } from '../../../proxy/session.ts'
import type { RecordingHeader } from '../../contract/recordings.ts'
import { SafeTerminalText } from './safe-terminal-text.ts'

/** An entry of a terminal's recording. */
export interface TerminalEntry {
  /** Epoch milliseconds. */
  readonly at: number
  readonly type: 'terminal' | 'output' | 'resize' | 'notice' | 'input' | 'end'
  readonly text?: string
  readonly cols?: number
  readonly rows?: number
  readonly exitCode?: number
  /** Of the first entry: what was run, without a terminal. */
  readonly command?: string
}

/** Colours, alternate screen, wrapping and cursor as they were; the scrolling region, too. */
export const resetScreen = '\u001b[0m\u001b[?1049l\u001b[?7h\u001b[?25h\u001b[r'

export interface Playback {
  /** Waited for, so that a slow reader holds the playback up. */
  write(text: string): unknown
  /** Left out: everything is shown at once. */
  wait?(ms: number): Promise<void>
  /** Times as fast. */
  readonly speed: number
  /** No pause is longer. */
  readonly idleMs: number
}

/** Shows a recorded terminal on this one, as it was shown then. */
export class TerminalPlayer {
  readonly #playback: Playback
  readonly #safe = new SafeTerminalText()
  readonly #lines = new TerminalLines()
  #at: number | undefined

  constructor(playback: Playback) {
    this.#playback = playback
  }

  async play(entry: TerminalEntry): Promise<void> {
    const { at, type, text = '', exitCode, command } = entry
    const { write, wait, speed, idleMs } = this.#playback
    const pause = Math.min(at - (this.#at ?? at), idleMs) / speed
    this.#at = at
    if (pause > 0) await wait?.(pause)
    this.#lines.begin(entry)
    if (command !== undefined) await write(`[${printable(command)}]\r\n`)
    if (type === 'output') await write(this.#safe.push(this.#lines.push(text)))
    else if (type === 'notice') await write(`\r\n[${printable(text)}]\r\n`)
    else if (type === 'end' && exitCode !== undefined) await write(`\r\n[exit code ${exitCode}]\r\n`)
  }

  /** The screen is the viewer's again. */
  end(): void {
    if (this.#playback.wait) void this.#playback.write(resetScreen)
  }
}

/** What a command wrote has line feeds alone, which a terminal would show as a staircase. */
class TerminalLines {
  #isCommand = false
  #endsWithReturn = false

  begin({ type, command }: TerminalEntry): void {
    if (type === 'terminal') this.#isCommand = command !== undefined
  }

  push(text: string): string {
    if (!this.#isCommand) return text
    const whole = this.#endsWithReturn ? `\r${text}` : text
    this.#endsWithReturn = text.endsWith('\r')
    const lines = whole.replaceAll(/\r?\n/g, '\r\n')
    return whole === text ? lines : lines.slice(1)
  }
}

/**
 * A recording as an asciicast of version 2, which asciinema and other players show. Output is as it was recorded; players decide what
 * of it a screen may do.
 * @param lines of `GET /api/v1/recordings/:sessionId`
 * @param onHeader gets what was found when the recording was verified
 * @throws BrokerError INVALID_INPUT when it is not of a terminal
 * @see https://docs.asciinema.org/manual/asciicast/v2/
 */
export async function* toAsciicast(
  lines: AsyncIterable<string>,
  onHeader: (header: RecordingHeader) => void,
): AsyncGenerator<string> {
  let header: RecordingHeader | undefined
  let beganAt: number | undefined
  const shown = new TerminalLines()
  for await (const line of lines) {
    if (!header) {
      header = JSON.parse(line) as RecordingHeader
      onHeader(header)
      continue
    }
    const entry = JSON.parse(line) as TerminalEntry
    if (beganAt === undefined) {
      beganAt = requireTerminal(entry, header).at
      shown.begin(entry)
      yield `${JSON.stringify(castHeader(entry, header))}\n`
    }
    const [code, data] = eventOf(entry, shown) ?? []
    if (code !== undefined) yield `${JSON.stringify([(entry.at - beganAt) / 1000, code, data])}\n`
  }
  if (beganAt === undefined) throw notOfTerminal(header)
}

function requireTerminal(entry: TerminalEntry, header: RecordingHeader): TerminalEntry {
  if (entry.type !== 'terminal') throw notOfTerminal(header)
  return entry
}

function notOfTerminal(header: RecordingHeader | undefined): BrokerError {
  const hint = 'sallyport recordings play --json prints any recording'
  return new BrokerError('INVALID_INPUT', `${header?.session.id ?? 'this'} is not the recording of a terminal`, {
    hint,
  })
}

function castHeader({ at, cols: width = 80, rows: height = 24 }: TerminalEntry, { session }: RecordingHeader) {
  const title = printable(`${session.principal} on ${session.resourceId}`)
  return { version: 2, width, height, timestamp: Math.floor(at / 1000), title }
}

function eventOf(
  { type, text = '', cols, rows }: TerminalEntry,
  shown: TerminalLines,
): [code: 'o' | 'i' | 'r' | 'm', data: string] | undefined {
  if (type === 'output' && text !== '') return ['o', shown.push(text)]
  if (type === 'input' && text !== '') return ['i', text]
  if (type === 'resize') return ['r', `${cols}x${rows}`]
  if (type === 'notice') return ['m', printable(text)]
  return undefined
}
