import { printable } from '../../proxy/printable.ts'
import { BrokerError } from '../../proxy/session.ts'
import { TerminalLines } from '../telemetry/terminal-lines.ts'

interface Entry {
  /** Epoch milliseconds. */
  readonly at: number
  readonly type: string
  readonly text?: string
  readonly cols?: number
  readonly rows?: number
  readonly command?: string
  readonly tty?: boolean
}

/** Seconds since the beginning of the recording; `to` itself is left out. */
export interface CastRange {
  readonly from?: number | undefined
  readonly to?: number | undefined
}

/**
 * A recording as an asciicast of version 2, which asciinema and other players show, one line at a time. Output is as it was recorded; players
 * decide what of it a screen may do.
 * @param range the part that is wanted. Its header has the size of the terminal at `from`; its times are those of the whole, so that parts
 * which follow one another have the events of the whole, each once
 * @throws BrokerError INVALID_INPUT when it is not of a terminal
 * @see https://docs.asciinema.org/manual/asciicast/v2/
 */
export async function* toAsciicast(
  entries: AsyncIterable<{ readonly entry: unknown }>,
  session: { readonly id: string; readonly title: string },
  { from = 0, to = Number.POSITIVE_INFINITY }: CastRange = {},
): AsyncGenerator<string> {
  let terminal: Entry | undefined
  let isInside = false
  const lines = new TerminalLines()
  const header = (of: Entry) => `${JSON.stringify(castHeader(of, session.title))}\n`
  for await (const { entry } of entries) {
    const read = entry as Entry
    if (!terminal) {
      if (read.type !== 'terminal') throw notOfTerminal(session.id)
      lines.begin(read)
      terminal = read
    }
    // By order, not by time: a clock that was set back moves no event into another part.
    const seconds = (read.at - terminal.at) / 1000
    if (seconds >= to) break
    const event = eventOf(read, lines)
    if (!isInside && seconds >= from) {
      isInside = true
      yield header(terminal)
    }
    if (isInside && event) yield `${JSON.stringify([seconds, ...event])}\n`
    else if (read.type === 'resize') terminal = { ...read, at: terminal.at }
  }
  if (!terminal) throw notOfTerminal(session.id)
  if (!isInside) yield header(terminal)
}

function notOfTerminal(id: string): BrokerError {
  return new BrokerError('INVALID_INPUT', `${id} is not the recording of a terminal`, {
    hint: 'sallyport recordings play --json prints any recording',
  })
}

function castHeader({ at, cols: width = 80, rows: height = 24 }: Entry, title: string) {
  return { version: 2, width, height, timestamp: Math.floor(at / 1000), title: printable(title) }
}

function eventOf(
  { type, text = '', cols, rows }: Entry,
  lines: TerminalLines,
): [code: 'o' | 'i' | 'r' | 'm', data: string] | undefined {
  if (type === 'output' && text !== '') return ['o', lines.push(text)]
  if (type === 'input' && text !== '') return ['i', text]
  if (type === 'resize') return ['r', `${cols}x${rows}`]
  if (type === 'notice') return ['m', printable(text)]
  return undefined
}
