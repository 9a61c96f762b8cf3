import { BrokerError, type ErrorCode, errors } from '../../session.ts'
import { decodeErrorFields } from '../../wire/postgres/decode.ts'
import type { ErrorFields } from '../../wire/postgres/messages.ts'
import { WireError } from '../../wire/wire-error.ts'

const errorType = 0x45 // 'E'
const versionType = 0x76 // 'v', NegotiateProtocolVersion: may come before the answer proper

/** Only errors of the broker itself have this detail, never the database's. See proxy/postgres/errors.ts. */
const brokerDetail = /^Sallyport error ([A-Z_]+)\.$/

/**
 * Reads the broker's answer to a startup message.
 * @param chunk begins with a message
 * @returns the refusal, with its reason and hint; `undefined` when the answer is another one; `'later'` when it is still to come
 */
export function readRefusal(chunk: Buffer): BrokerError | 'later' | undefined {
  let at = 0
  while (chunk[at] === versionType && chunk.length - at >= 5) at += 1 + chunk.readUInt32BE(at + 1)
  if (at >= chunk.length) return 'later'
  if (chunk[at] !== errorType || chunk.length - at < 5) return undefined
  const end = at + 1 + chunk.readUInt32BE(at + 1)
  if (end > chunk.length) return undefined
  return toRefusal(chunk.subarray(at + 5, end))
}

function toRefusal(body: Buffer): BrokerError | undefined {
  const { M: message, D: detail = '', H: hint } = readFields(body)
  const [, code = ''] = brokerDetail.exec(detail) ?? []
  if (!Object.hasOwn(errors, code)) return undefined
  const error = new BrokerError(code as ErrorCode, undefined, hint === undefined ? {} : { hint })
  if (message !== undefined) error.message = message
  return error
}

/** Invalid messages are left to the client. */
function readFields(body: Buffer): ErrorFields {
  try {
    return decodeErrorFields(body)
  } catch (error) {
    if (error instanceof WireError) return {}
    throw error
  }
}
