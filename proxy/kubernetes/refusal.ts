import type { RequestAttributes } from '../wire/kubernetes/attributes.ts'
import { encodeFailure, type StatusCode } from '../wire/kubernetes/status.ts'

const printed: readonly StatusCode[] = [403, 500, 502, 504]

export interface Refusal {
  readonly contentType: 'application/json' | 'text/plain'
  readonly body: string
}

/**
 * The answer to a request that the broker does not pass on.
 * @param request null: it could not be read
 * @param why one line
 * @param retryAfterSeconds clients try again by themselves; left out: they do not
 */
export function encodeRefusal(
  request: RequestAttributes | null,
  code: StatusCode,
  why: string,
  retryAfterSeconds?: number,
): Refusal {
  // kubectl does not decode what discovery answers: of a Status it prints "unknown", of a text with these codes the text.
  if (request && !request.isResource && printed.includes(code)) return { contentType: 'text/plain', body: why }
  const object = request?.isResource ? { name: request.name, group: request.group, kind: request.resource } : {}
  const retry = retryAfterSeconds === undefined ? {} : { retryAfterSeconds }
  return { contentType: 'application/json', body: encodeFailure(code, why, { ...object, ...retry }) }
}
