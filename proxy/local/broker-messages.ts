import { BrokerError, type ErrorCode, errors } from '../session.ts'

/** A text message of the broker beside a session's bytes. */
export interface BrokerMessage {
  readonly ready?: unknown
  readonly notice?: unknown
  /** Of shells and commands. */
  readonly stream?: unknown
  readonly exit?: unknown
  /** For who watches. */
  readonly resize?: unknown
  readonly skipped?: unknown
  readonly error?: unknown
}

/** What is no message of a broker says nothing. */
export function readBrokerMessage(data: Buffer): BrokerMessage {
  try {
    const message: unknown = JSON.parse(data.toString())
    return typeof message === 'object' && message !== null ? message : {}
  } catch {
    return {}
  }
}

export function toRefusal(told: unknown): BrokerError {
  const { code, message, hint } = Object(told) as { code?: unknown; message?: unknown; hint?: unknown }
  const known = typeof code === 'string' && Object.hasOwn(errors, code) ? (code as ErrorCode) : 'INTERNAL'
  const error = new BrokerError(known, undefined, typeof hint === 'string' ? { hint } : {})
  if (typeof message === 'string') error.message = message
  return error
}

/** Its websocket closed without a reason. */
export function lostBroker(): BrokerError {
  const error = new BrokerError('STORE_UNAVAILABLE', undefined, { hint: 'the broker ends the session at the instance' })
  error.message = 'the connection to the broker was lost'
  return error
}
