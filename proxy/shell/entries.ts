import { isUtf8 } from 'node:buffer'
import { StringDecoder } from 'node:string_decoder'
import type { EntryWriter } from '../recording/entry-writer.ts'
import type { TerminalSize } from '../ssm/terminal.ts'
import { LineText } from './line-text.ts'
import type { ShellWork } from './rules.ts'

/** For players: a command has no terminal. */
const usualSize: TerminalSize = { cols: 80, rows: 24 }
/** Besides the text of an entry, which JSON may double. */
const entryBytes = 128

/** A program in a container, with a terminal or without. */
export interface ProgramWork {
  /** Empty: one that runs already. */
  readonly argv: readonly string[]
  readonly tty: boolean
}

/**
 * The entries of a terminal, or of a command, whose text is in the first one. `output` and `input` have the text; bytes that are no UTF-8 are there too, as `base64`. `lines` are the
 * lines that an output completes, where they do not stand in its text as they are shown: what was echoed one character at a time.
 */
export class TerminalEntries {
  readonly #entries: EntryWriter
  readonly #now: () => number
  readonly #output = new StringDecoder()
  readonly #errors = new StringDecoder()
  readonly #input = new StringDecoder()
  readonly #lines = new LineText()

  constructor(entries: EntryWriter, now: () => number) {
    this.#entries = entries
    this.#now = now
  }

  begin(work: ShellWork | ProgramWork, detail: Readonly<Record<string, string>>): void {
    const { size = usualSize, ...more } = { size: undefined, ...work }
    const members = { ...size, ...detail, ...more }
    this.#write('terminal', members, Buffer.byteLength(JSON.stringify(members)))
  }

  /** @throws BrokerError RECORDING_FAILED, LIMIT_REACHED: it must not be shown */
  output(bytes: Buffer, isError = false): void {
    const text = (isError ? this.#errors : this.#output).write(bytes)
    const lines = this.#lines.push(text)
    const more = { ...(isError ? { stream: 'stderr' } : {}), ...(lines.length > 0 ? { lines } : {}) }
    this.#write('output', { text, ...more, ...asBytes(bytes) }, bytes.length)
  }

  /** @throws BrokerError RECORDING_FAILED, LIMIT_REACHED: it must not be passed on */
  input(bytes: Buffer): void {
    this.#write('input', { text: this.#input.write(bytes), ...asBytes(bytes) }, bytes.length)
  }

  resize(size: TerminalSize): void {
    this.#write('resize', size)
  }

  /** @param bytes by the name of a stream that is not recorded as text */
  traffic(bytes: Readonly<Record<string, number>>): void {
    this.#write('traffic', { bytes })
  }

  /** A file in an archive that passes, by the word of who packed it. @param direction up: to the program */
  file(direction: 'up' | 'down', { path, size }: { readonly path: string; readonly size: number }): void {
    this.#write('file', { direction, path, size }, 3 * Buffer.byteLength(path))
  }

  /** What the broker or the account told the person. */
  notice(text: string): void {
    this.#write('notice', { text })
  }

  /** @param exitCode null: not known @param more members of the entry */
  end(exitCode: number | null, more: object = {}): void {
    const lines = this.#lines.end()
    const members = {
      ...(exitCode === null ? {} : { exitCode }),
      ...(lines.length > 0 ? { lines } : {}),
      ...more,
    }
    if (Object.keys(members).length > 0) this.#write('end', members, Buffer.byteLength(JSON.stringify(more)))
  }

  #write(type: string, members: object, bytes = 0): void {
    this.#entries.add({ at: this.#now(), type, ...members }, entryBytes + 2 * bytes)
  }
}

function asBytes(bytes: Buffer): { base64?: string } {
  return isUtf8(bytes) ? {} : { base64: bytes.toString('base64') }
}
