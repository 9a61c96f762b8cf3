import { commandLine } from '../../../proxy/local/shell-quote.ts'
import { printable } from '../../../proxy/printable.ts'
import { TerminalLines } from '../../telemetry/terminal-lines.ts'
import type { Moment } from './moment.ts'
import { SafeTerminalText } from './safe-terminal-text.ts'

/** An entry of a terminal's recording. */
export interface TerminalEntry {
  /** Epoch milliseconds. */
  readonly at: number
  readonly type: 'terminal' | 'output' | 'resize' | 'notice' | 'input' | 'file' | 'end'
  readonly text?: string
  /** Of a file in an archive that passed without a terminal. */
  readonly direction?: string
  readonly path?: string
  readonly size?: number
  readonly cols?: number
  readonly rows?: number
  readonly exitCode?: number
  /** Of the first entry: what was run, without a terminal. */
  readonly command?: string
  /** Likewise of a program in a container: its words, and whether it had a terminal. */
  readonly argv?: readonly string[]
  readonly tty?: boolean
  /** Of the last one: sizes of what passed without a terminal; what is not all on record has an HMAC. */
  readonly streams?: Readonly<Record<string, { readonly bytes: number; readonly hmac?: string }>>
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
  /** What comes before is shown at once; by default the beginning. */
  readonly from?: Moment
  /** What the viewer should know of the size of the terminal. */
  sizeNotice?(size: unknown): string | undefined
}

/** Shows a recorded terminal on this one, as it was shown then. */
export class TerminalPlayer {
  readonly #playback: Playback
  readonly #safe = new SafeTerminalText()
  readonly #lines = new TerminalLines()
  #at: number | undefined
  /** Where the playback begins, epoch milliseconds. */
  #from: number | undefined
  /** Not told yet. */
  #size: unknown

  constructor(playback: Playback) {
    this.#playback = playback
  }

  async play(entry: TerminalEntry): Promise<void> {
    const { at, type, text = '', cols, rows, command, argv } = entry
    this.#from ??= this.#fromOf(at)
    if (type === 'terminal' || type === 'resize') this.#size = { cols, rows }
    if (at >= this.#from) {
      await this.#pause(at)
      await this.#noteSize()
    }
    const { write } = this.#playback
    this.#lines.begin(entry)
    const run = command ?? (argv && argv.length > 0 ? commandLine(argv) : undefined)
    if (run !== undefined) await write(`[${printable(run)}]\r\n`)
    if (type === 'output') await write(this.#safe.push(this.#lines.push(text)))
    else if (type === 'notice') await write(`\r\n[${printable(text)}]\r\n`)
    else if (type === 'file') await write(`\r\n[${printable(fileText(entry))}]\r\n`)
    else if (type === 'end') await write(endText(entry))
  }

  #fromOf(beganAt: number): number {
    const { from } = this.#playback
    if (from === undefined) return beganAt
    return 'at' in from ? from.at : beganAt + from.afterMs
  }

  async #pause(at: number): Promise<void> {
    const { wait, speed, idleMs } = this.#playback
    const before = this.#at ?? this.#from ?? at
    this.#at = at
    const pause = Math.min(at - before, idleMs) / speed
    if (pause > 0) await wait?.(pause)
  }

  async #noteSize(): Promise<void> {
    const note = this.#size === undefined ? undefined : this.#playback.sizeNotice?.(this.#size)
    this.#size = undefined
    if (note !== undefined) await this.#playback.write(`\r\n[${note}]\r\n`)
  }

  /** The screen is the viewer's again. */
  end(): void {
    if (this.#playback.wait) void this.#playback.write(resetScreen)
  }
}

function fileText({ direction, path = '', size = 0 }: TerminalEntry): string {
  return `${direction === 'up' ? 'to' : 'from'} the container: ${path}, ${size} bytes`
}

function endText({ exitCode, streams = {} }: TerminalEntry): string {
  const sizes = Object.entries(streams).flatMap(([name, { bytes, hmac }]) =>
    hmac === undefined ? [] : [`${printable(name)}: ${bytes} bytes, not all of them on record`],
  )
  const said = exitCode === undefined ? sizes : [...sizes, `exit code ${exitCode}`]
  return said.map((text) => `\r\n[${text}]\r\n`).join('')
}
