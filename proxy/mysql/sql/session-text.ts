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
  readonly #version: string | undefined
  readonly #tellsQuotes: boolean
  #status: number | undefined
  /** Nothing runs that could change how the next statement is read. */
  isSettled: () => boolean = () => true

  /**
   * @param version of the target, as it greets
   * @param isProven no pooler stands between, which would greet with a version of its own
   */
  constructor(key: Uint8Array, version: string, isProven = true) {
    super(key, mysqlDialect)
    this.#version = isProven ? version : undefined
    this.#tellsQuotes = /mariadb/i.test(version)
  }

  /** @param flags of what the server answered last; undefined: it did not tell, as in an error */
  status(flags: number | undefined): void {
    this.#status = flags
  }

  protected override get mode(): MysqlMode {
    const status = this.isSettled() ? this.#status : undefined
    if (status === undefined) return { backslashes: 'unknown', version: this.#version }
    return {
      backslashes: (status & noBackslashEscapes) === 0,
      ansiQuotes: this.#tellsQuotes ? (status & ansiQuotes) !== 0 : 'unknown',
      version: this.#version,
    }
  }

  /** Of a whole text. */
  commands(text: Buffer): Commands {
    return mayHoldCommand.test(text.toString('latin1')) ? readCommands(text, this.mode) : nothing
  }

  /** For a text that is too long to keep. */
  longCommands(): CommandFinder {
    return new CommandFinder(this.mode)
  }
}
