import type { StatementError } from '../../recording/statement-entry.ts'
import { decodeErrorFields } from '../../wire/postgres/decode.ts'

/** Longest ErrorResponse that is read whole. */
export const longestError = 16_384

type Fields = Partial<Record<string, string>>

export function errorOf({ C: state = '', M: message = '', P: position }: Fields): StatementError {
  return { code: state, message: message.slice(0, 2000), ...(position ? { position } : {}) }
}

/** Severity in `S` is translated, in `V` (PostgreSQL 9.6 and later) it is not. */
export function isFatal({ S, V = S }: Fields): boolean {
  return V === 'FATAL' || V === 'PANIC'
}

/** Of longer errors, the fields that were kept. */
export function readError(body: Buffer): Fields {
  if (body.length < longestError) return decodeErrorFields(body)
  const fields = body.toString('utf8').split('\0')
  return Object.fromEntries(fields.map((field) => [field.charAt(0), field.slice(1)]))
}
