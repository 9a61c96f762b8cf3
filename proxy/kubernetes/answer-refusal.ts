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

/** What the broker answers instead of the cluster. */
export interface RefusalAnswer {
  readonly status: StatusCode
  /** Names and values by turns, without lengths. */
  readonly headers: readonly string[]
  readonly body: string
}

/**
 * Answers for the broker. What it decides is 403: 401 alone makes clients fetch another token, and they try again by themselves after 429
 * and 503.
 * @param attributes null: the request could not be read, or nobody has said who sends it
 */
export function refusalAnswer(error: BrokerError, attributes: RequestAttributes | null = null): RefusalAnswer {
  const known = errors[error.code].status
  const status = (codes.has(known) ? known : 500) as StatusCode
  const isLater = status === 429 || status === 503
  const { contentType, body } = encodeRefusal(
    attributes,
    status,
    refusalText(error),
    isLater ? retryAfterSeconds : undefined,
  )
  const later = isLater ? ['retry-after', String(retryAfterSeconds)] : []
  return { status, headers: ['content-type', contentType, 'cache-control', 'no-store', ...later], body }
}

/** Sends it, unless an answer is under way, which must not look complete then. */
export function refuse(
  response: ServerResponse,
  error: BrokerError,
  attributes: RequestAttributes | null = null,
): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const { status, headers, body } = refusalAnswer(error, attributes)
  response.writeHead(status, [...headers, 'content-length', String(Buffer.byteLength(body))])
  response.end(body)
}
