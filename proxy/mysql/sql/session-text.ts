import { TextCapture } from '../../recording/text-capture.ts'
import { CommandFinder, type Commands, mayHoldCommand, readCommands } from './commands.ts'
import { mysqlDialect } from './find-secrets.ts'
import type { MysqlMode } from './reading.ts'

/** Status flags of OK and EOF packets that tell how the next text is read (mysql_com.h of both servers). */
const noBackslashEscapes = 0x200
/** MariaDB only. */
const ansiQuotes = 0x8000

const nothing: Commands = { all: [] }

/** The texts of one MySQL session, read as its server reads them. */
export class SessionText extends TextCapture {
  readonly #version: string
  readonly #tellsQuotes: boolean
  #status: number | undefined
  #charset: string | undefined
  /** Nothing runs that could change how the next statement is read. */
  isSettled: () => boolean = () => true

  /** @param version of the target, as it greets */
  constructor(key: Uint8Array, version: string) {
    super(key, mysqlDialect)
    this.#version = version
    this.#tellsQuotes = /mariadb/i.test(version)
  }

  /** @param flags of the OK that ended the sign-in, and of whatever ends a result */
  status(flags: number): void {
    this.#status = flags
  }

  /** @param name that `character_set_client` has now; undefined: unknown */
  charset(name: string | undefined): void {
    this.#charset = name
  }

  protected override get mode(): MysqlMode {
    const status = this.isSettled() ? this.#status : undefined
    if (status === undefined) return { backslashes: 'unknown', version: this.#version }
    return {
      backslashes: (status & noBackslashEscapes) === 0,
      ansiQuotes: this.#tellsQuotes ? (status & ansiQuotes) !== 0 : 'unknown',
      charset: this.#charset,
      version: this.#version,
    }
  }

  /** Of a whole text, read in every way: it may change by its first statement how the next ones are read. */
  commands(text: Buffer): Commands {
    return mayHoldCommand.test(text.toString('latin1')) ? readCommands(text, { backslashes: 'unknown' }) : nothing
  }

  /** For a text that is too long to keep. */
  longCommands(): CommandFinder {
    return new CommandFinder(this.mode)
  }
}
