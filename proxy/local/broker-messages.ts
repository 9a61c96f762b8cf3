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
  /** Of a terminal whose client may be lost, and come back. */
  readonly resume?: unknown
  readonly resumed?: unknown
  readonly pong?: unknown
  readonly typed?: unknown
}

/** What is no message of a broker says nothing. */
export function readBrokerMessage(data: Buffer): BrokerMessage {
  return parseObject(data.toString())
}

/** The object that a JSON text is; an empty one for anything else. */
export function parseObject(json: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

/** A code of this version; undefined for anything else. */
export function knownCode(code: unknown): ErrorCode | undefined {
  return typeof code === 'string' && Object.hasOwn(errors, code) ? (code as ErrorCode) : undefined
}

export function toRefusal(told: unknown): BrokerError {
  const { code, message, hint } = Object(told) as { code?: unknown; message?: unknown; hint?: unknown }
  const error = new BrokerError(knownCode(code) ?? 'INTERNAL', undefined, typeof hint === 'string' ? { hint } : {})
  if (typeof message === 'string') error.message = message
  return error
}

/** Its websocket closed without a reason. */
export function lostBroker(): BrokerError {
  const error = new BrokerError('STORE_UNAVAILABLE', undefined, { hint: 'the broker ends the session at the instance' })
  error.message = 'the connection to the broker was lost'
  return error
}
