/** What a server answers to a login and to a short query of ours; a session's own results are read elsewhere. */
import { WireError } from '../wire-error.ts'
import { type ErrorReply, firstByte } from './encode.ts'
import { PayloadReader } from './payload-reader.ts'

export type LoginReply =
  | { readonly kind: 'ok'; readonly payload: Buffer }
  | { readonly kind: 'error'; readonly error: ErrorReply }
  | { readonly kind: 'switch'; readonly plugin: string }
  | { readonly kind: 'more' }
  | { readonly kind: 'next-factor' }

/** @throws WireError */
export function decodeLoginReply(payload: Buffer): LoginReply {
  switch (payload[0]) {
    case firstByte.ok:
      return { kind: 'ok', payload }
    case firstByte.error:
      return { kind: 'error', error: decodeError(payload) }
    case firstByte.eof:
      // Alone, it asks for the method of before 4.1.
      return { kind: 'switch', plugin: payload.length === 1 ? 'mysql_old_password' : readPlugin(payload) }
    case firstByte.authMore:
      return { kind: 'more' }
    case firstByte.authNextFactor:
      return { kind: 'next-factor' }
    default:
      throw new WireError('an unexpected packet during the sign-in')
  }
}

function readPlugin(payload: Buffer): string {
  return new PayloadReader(payload, 1).cstring().toString('latin1')
}

/** Before the sign-in has begun, servers leave out the SQLSTATE. @throws WireError */
export function decodeError(payload: Buffer): ErrorReply {
  const reader = new PayloadReader(payload, 1)
  const number = reader.uint16()
  const hasState = reader.left >= 6 && payload[3] === 0x23 // '#'
  const state = hasState ? reader.bytes(6).toString('latin1', 1) : 'HY000'
  return { number, state, message: reader.rest().toString('utf8') }
}

/** Values of a row in the text protocol. @param columns how many @throws WireError when there are more or fewer */
export function decodeTextRow(payload: Buffer, columns: number): (string | null)[] {
  const reader = new PayloadReader(payload)
  const values = Array.from({ length: columns }, () => reader.value()?.toString('utf8') ?? null)
  if (reader.left > 0) throw new WireError('bytes behind the last value of a row')
  return values
}
