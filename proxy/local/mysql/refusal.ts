import { BrokerError, type ErrorCode, errors } from '../../session.ts'
import { firstByte } from '../../wire/mysql/encode.ts'
import { headerBytes, readHead } from '../../wire/mysql/packets.ts'
import { decodeError } from '../../wire/mysql/replies.ts'
import { WireError } from '../../wire/wire-error.ts'

/** Only errors of the broker itself end like this, never the database's. See proxy/mysql/errors.ts. */
const brokerCode = / \(Sallyport error ([A-Z_]+)\)$/

/** Longer ones are no refusal. */
const longestRefusal = 65_536

/**
 * Reads the broker's answer to a login.
 * @param chunk begins with a packet
 * @returns the refusal; `undefined` when the answer is another one; `'later'` when it is still to come
 */
export function readRefusal(chunk: Buffer): BrokerError | 'later' | undefined {
  let at = 0
  for (;;) {
    const payload = payloadAt(chunk, at)
    if (payload === 'later' || payload === undefined) return payload
    if (payload[0] !== firstByte.authMore) return toRefusal(payload)
    at += headerBytes + payload.length
  }
}

function payloadAt(chunk: Buffer, at: number): Buffer | 'later' | undefined {
  if (at === chunk.length) return 'later'
  if (chunk.length - at < headerBytes) return undefined
  const { length } = readHead(chunk.subarray(at, at + headerBytes), 0xff_ffff)
  const start = at + headerBytes
  return length > longestRefusal || start + length > chunk.length ? undefined : chunk.subarray(start, start + length)
}

/** @param payload of an ERR packet or another; undefined: it is no refusal of the broker's */
export function toRefusal(payload: Buffer): BrokerError | undefined {
  if (payload[0] !== firstByte.error) return undefined
  const message = readMessage(payload)
  const [suffix = '', code = ''] = brokerCode.exec(message) ?? []
  if (!Object.hasOwn(errors, code)) return undefined
  const error = new BrokerError(code as ErrorCode)
  error.message = message.slice(0, message.length - suffix.length)
  return error
}

/** Invalid packets are left to the client. */
function readMessage(payload: Buffer): string {
  try {
    return decodeError(payload).message
  } catch (error) {
    if (error instanceof WireError) return ''
    throw error
  }
}
