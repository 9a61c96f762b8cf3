import type { SqlMode } from '../../recording/sql-dialect.ts'
import { TextCapture } from '../../recording/text-capture.ts'
import { BodyReader } from '../../wire/postgres/body-reader.ts'
import { backendSizes, Framer } from '../../wire/postgres/framer.ts'
import { postgresDialect } from '../sql/find-secrets.ts'
import { parameterStatus } from './answers.ts'
import type { Names } from './names.ts'

/** The texts of one PostgreSQL session, read as its server reads them. */
export class SessionCapture extends TextCapture {
  #backslashes: boolean | 'unknown' = 'unknown'
  /** Nothing runs that could change how the next statement is read. */
  isSettled: () => boolean = () => true
  /** What is known of prepared statements then. */
  names: Names | undefined

  /** @param greeting what the server sent when it had let us in: its ParameterStatus messages tell how it reads literals */
  constructor(key: Uint8Array, greeting: Buffer = Buffer.alloc(0)) {
    super(key, postgresDialect)
    new Framer(backendSizes, {
      begin: () => 0,
      part: () => {},
      message: (type, bytes, start, end) => {
        if (type === parameterStatus) this.parameter(bytes.subarray(start, end))
        return true
      },
    }).scan(greeting)
  }

  protected override get mode(): SqlMode {
    return {
      backslashes: this.isSettled() ? this.#backslashes : 'unknown',
      secretParameters: (name) => (this.isSettled() ? this.names?.secretParameters(name) : undefined),
    }
  }

  /** @param body of a ParameterStatus. Layout: cstring name, cstring value */
  parameter(body: Buffer): void {
    const reader = new BodyReader(body)
    if (reader.text() !== 'standard_conforming_strings') return
    this.#backslashes = reader.text() !== 'on'
  }
}
