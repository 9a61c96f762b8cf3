/**
 * COM_CHANGE_USER (MySQL documentation, "COM_CHANGE_USER"). Left out: the attributes at its end, since those of the session's
 * sign-in stay.
 */
import { PayloadReader } from './payload-reader.ts'

export interface ChangeUser {
  readonly user: string
  /** To the scramble of the greeting, or a password. */
  readonly answer: Buffer
  /** Empty: none is chosen. */
  readonly database: string
  /** Id of the collation; 0: none is named. */
  readonly charset: number
  /** Empty: none is named. */
  readonly plugin: string
}

/**
 * 0x11, string<NUL> user, int<1> length and the answer, string<NUL> database, int<2> collation, string<NUL> plugin. Clients leave out
 * what is at the end. Copies what it returns.
 * @throws WireError
 */
export function decodeChangeUser(payload: Buffer): ChangeUser {
  const reader = new PayloadReader(payload, 1)
  const user = reader.cstring().toString('utf8')
  const answer = Buffer.from(reader.bytes(reader.byte()))
  const database = reader.left > 0 ? reader.cstring().toString('utf8') : ''
  const charset = reader.left > 0 ? reader.uint16() : 0
  const plugin = reader.left > 0 ? reader.cstring().toString('latin1') : ''
  return { user, answer, database, charset, plugin }
}
