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
}

/**
 * A recording as an asciicast of version 2, which asciinema and other players show, one line at a time. Output is as it was recorded; players
 * decide what of it a screen may do.
 * @throws BrokerError INVALID_INPUT when it is not of a terminal
 * @see https://docs.asciinema.org/manual/asciicast/v2/
 */
export async function* toAsciicast(
  entries: AsyncIterable<{ readonly entry: unknown }>,
  session: { readonly id: string; readonly title: string },
): AsyncGenerator<string> {
  let beganAt: number | undefined
  const lines = new TerminalLines()
  for await (const { entry } of entries) {
    const read = entry as Entry
    if (beganAt === undefined) {
      if (read.type !== 'terminal') throw notOfTerminal(session.id)
      beganAt = read.at
      lines.begin(read)
      yield `${JSON.stringify(castHeader(read, session.title))}\n`
    }
    const [code, data] = eventOf(read, lines) ?? []
    if (code !== undefined) yield `${JSON.stringify([(read.at - beganAt) / 1000, code, data])}\n`
  }
  if (beganAt === undefined) throw notOfTerminal(session.id)
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
