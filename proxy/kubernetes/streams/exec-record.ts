import { printable } from '../../printable.ts'
import { TerminalEntries } from '../../shell/entries.ts'
import type { TerminalSize } from '../../ssm/terminal.ts'
import { TarHeaders } from '../../wire/tar/headers.ts'
import type { UpgradeProtocol } from '../upgrade.ts'
import { ContentCapture } from './content-capture.ts'
import { openExecTap } from './open-tap.ts'
import type { RecordParts, StreamRecord } from './stream-record.ts'
import type { StreamWork } from './stream-work.ts'
import type { ExecEvents, ExecTap, RemarkStream } from './tap.ts'

type ExecWork = Extract<StreamWork, { readonly verb: 'exec' | 'attach' }>
/** Of one session, with a name each. */
const mostFiles = 1000

type ContentName = 'stdin' | 'stdout' | 'stderr'

/** Exec and attach, as a terminal's recording: with a terminal all that it shows, else the text of each stream, and the size of what is none. */
export class ExecRecord implements StreamRecord, ExecEvents {
  readonly #entries: TerminalEntries
  readonly #work: ExecWork
  readonly #recordsInput: boolean
  /** Without a terminal. */
  readonly #contents: Readonly<Record<ContentName, ContentCapture>> | null
  /** Where there is one. */
  readonly #remarks: RemarkStream | undefined
  /** Of what goes to a program and what comes, where that is an archive, as with `kubectl cp`. */
  readonly #archives: Readonly<Partial<Record<ContentName, TarHeaders>>>
  #files = 0
  #tap: ExecTap | undefined
  #size: TerminalSize | undefined
  /** Bytes that {@link traffic} has put on record. */
  #told = 0

  constructor({ writer, now, digests }: RecordParts, work: ExecWork, recordsInput: boolean) {
    this.#entries = new TerminalEntries(writer, now)
    this.#work = work
    this.#recordsInput = recordsInput
    const { tty, stderr } = work.options
    this.#remarks = tty ? 'stdout' : stderr ? 'stderr' : undefined
    const capture = (isKept: boolean) => new ContentCapture(digests, isKept)
    const archive = (direction: 'up' | 'down') =>
      new TarHeaders((file) => {
        if (file.isFile) this.#file(direction, file)
      })
    this.#archives = tty ? {} : { stdin: archive('up'), stdout: archive('down') }
    this.#contents = tty ? null : { stdin: capture(recordsInput), stdout: capture(true), stderr: capture(true) }
  }

  begin(detail: Readonly<Record<string, string>>): void {
    const { command: argv, tty } = this.#work.options
    this.#entries.begin({ argv, tty }, detail)
  }

  follow(upgrade: UpgradeProtocol, protocol: string): ExecTap {
    this.#tap = openExecTap(upgrade, protocol, this.#work.options, this)
    return this.#tap
  }

  input(bytes: Buffer): void {
    if (this.#isRecorded('stdin', bytes)) this.#entries.input(bytes)
  }

  inputEnded(): void {}

  output(bytes: Buffer, isError: boolean): void {
    if (this.#isRecorded(isError ? 'stderr' : 'stdout', bytes)) this.#entries.output(bytes, isError)
  }

  resize(size: TerminalSize): void {
    this.#size = size
    this.#entries.resize(size)
  }

  notice(text: string): void {
    this.#entries.notice(text)
  }

  traffic(): void {
    const counts = Object.entries(this.#contents ?? {}).map(([name, { unrecorded }]) => [name, unrecorded] as const)
    const passed = counts.filter(([, bytes]) => bytes > 0)
    const sum = passed.reduce((total, [, bytes]) => total + bytes, 0)
    if (sum === this.#told) return
    this.#told = sum
    this.#entries.traffic(Object.fromEntries(passed))
  }

  watched(): void {
    if (this.#size) this.#entries.resize(this.#size)
  }

  get hasScreen(): boolean {
    return this.#remarks !== undefined
  }

  remark(text: string): Buffer | null {
    const { tty } = this.#work.options
    if (this.#remarks === undefined) return null
    const line = `[${printable(text)}]`
    return this.#tap?.remark(tty ? `\r\n${line}\r\n` : `${line}\n`, this.#remarks) ?? null
  }

  end(): void {
    const status = this.#tap?.exitStatus()
    if (status?.message) this.#entries.notice(status.message)
    const streams = Object.entries(this.#contents ?? {}).flatMap(([name, content]) => {
      const size = content.end()
      return size ? [[name, size] as const] : []
    })
    this.#entries.end(status?.exitCode ?? null, streams.length > 0 ? { streams: Object.fromEntries(streams) } : {})
  }

  #file(direction: 'up' | 'down', file: { readonly path: string; readonly size: number }): void {
    this.#files += 1
    if (this.#files <= mostFiles) this.#entries.file(direction, file)
    else if (this.#files === mostFiles + 1)
      this.#entries.notice(`from here on, files are not named: there are more than ${mostFiles}`)
  }

  #isRecorded(name: ContentName, bytes: Buffer): boolean {
    this.#archives[name]?.scan(bytes)
    if (!this.#contents) return name !== 'stdin' || this.#recordsInput
    const taken = this.#contents[name].take(bytes)
    if (typeof taken === 'boolean') return taken
    this.#entries.notice(`from here on, ${name} is recorded by its size and digest: ${taken}`)
    return false
  }
}
