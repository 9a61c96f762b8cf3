import type { Duplex } from 'node:stream'
import { firstByte, initDatabase } from '../../wire/mysql/encode.ts'
import type { Greeting } from '../../wire/mysql/handshake.ts'
import { askPlain, askRow } from './ask-row.ts'
import { charsetFor } from './login.ts'
import { type ResetParts, resetSession } from './reset-session.ts'

export interface RenewParts extends ResetParts {
  readonly greeting: Greeting
}

/** What a client asks for its session when it signs in, and again when it changes its user. */
export interface Wanted {
  /** Empty: as it is. */
  readonly database: string
  /** Id of the collation; 0: the server's own. */
  readonly charset: number
}

export interface Renewal {
  /** Of the target's answer: an OK, or an error. */
  readonly payload: Buffer
  /** Payload of the OK to the reset; undefined: the session is as it was. */
  readonly reset?: Buffer
}

const renewMs = 10_000

/**
 * Makes a session new without another sign-in: what COM_CHANGE_USER to the same user comes to. The IAM token that it would take is
 * refused there by MariaDB and by RDS Proxy.
 * @throws what {@link resetSession} throws
 */
export async function renewSession(stream: Duplex, parts: RenewParts, { database, charset }: Wanted): Promise<Renewal> {
  const payload = await resetSession(stream, parts)
  if (payload[0] === firstByte.error) return { payload }
  const signal = AbortSignal.timeout(renewMs)
  const { capabilities, greeting } = parts
  await setCharset({ stream, capabilities }, charsetFor(charset, greeting), signal)
  if (database === '') return { payload, reset: payload }
  const chosen = await askPlain(stream, initDatabase(database), signal)
  return { payload: chosen[0] === firstByte.error ? chosen : payload, reset: payload }
}

/** A reset leaves that of the sign-in, or the server's. A collation that the server does not know changes nothing, as at a sign-in. */
async function setCharset(target: Parameters<typeof askRow>[0], charset: number, signal: AbortSignal): Promise<void> {
  if (charset === 0) return
  const sql = `SELECT CHARACTER_SET_NAME, COLLATION_NAME FROM information_schema.COLLATIONS WHERE ID = ${charset}`
  const { row } = await askRow(target, sql, signal)
  const [name, collation] = row ?? []
  if (isName(name) && isName(collation)) await askRow(target, `SET NAMES ${name} COLLATE ${collation}`, signal)
}

function isName(name: string | null | undefined): name is string {
  return typeof name === 'string' && /^\w{1,64}$/.test(name)
}
