import type { ServerResponse } from 'node:http'
import { BrokerError, errors } from '../session.ts'
import type { RequestAttributes } from '../wire/kubernetes/attributes.ts'
import type { StatusCode } from '../wire/kubernetes/status.ts'
import { WireError } from '../wire/wire-error.ts'
import { encodeRefusal } from './refusal.ts'

/** Clients try again after it, by themselves. */
const retryAfterSeconds = 2

const codes: ReadonlySet<number> = new Set([400, 401, 403, 404, 405, 408, 409, 410, 413, 415, 429, 500, 502, 503, 504])

/** One line for people: what happened, and what to do. */
export function refusalText({ message, hint }: BrokerError): string {
  return `Sallyport: ${message}${hint === undefined ? '' : `. ${hint}`}`
}

/** What is wrong with a request that cannot be read is its sender's to know; anything else is not. */
export function toRefusal(thrown: unknown): BrokerError {
  if (thrown instanceof BrokerError) return thrown
  if (thrown instanceof WireError) return new BrokerError('PROTOCOL_ERROR', thrown.message, { cause: thrown })
  return new BrokerError('INTERNAL', undefined, { cause: thrown })
}

/**
 * Answers for the broker. What it decides is 403: 401 alone makes clients fetch another token, and they try again by themselves after 429
 * and 503.
 * @param attributes null: the request could not be read, or nobody has said who sends it
 */
export function refuse(
  response: ServerResponse,
  error: BrokerError,
  attributes: RequestAttributes | null = null,
): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const { status } = errors[error.code]
  const code = (codes.has(status) ? status : 500) as StatusCode
  const isLater = code === 429 || code === 503
  const later = isLater ? retryAfterSeconds : undefined
  const { contentType, body } = encodeRefusal(attributes, code, refusalText(error), later)
  response.writeHead(code, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    ...(isLater ? { 'retry-after': String(retryAfterSeconds) } : {}),
  })
  response.end(body)
}
