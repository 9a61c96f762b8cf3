import { BrokerError, type ErrorCode, errors } from '../../../proxy/session.ts'
import { type Ask, toRequest } from '../../contract/ask.ts'
import type { Answer, JsonKey } from '../../contract/routes.ts'

/** The broker's API, as the signed-in person. */
export interface ApiClient {
  readonly server: string
  /** Bearer for websockets. */
  readonly token: string | null
  /**
   * One call of a route of the contract.
   * @throws BrokerError with the code that the server sent; STORE_UNAVAILABLE (exit code 5) when it can't be reached
   */
  call<K extends JsonKey>(key: K, ...ask: Ask<K>): Promise<Answer<K>>
}

export function createApiClient(server: string, token: string | null): ApiClient {
  return {
    server,
    token,
    call: async <K extends JsonKey>(key: K, ...[ask]: Ask<K>) => {
      const { method, path, body } = toRequest(key, ask)
      const response = await send(new URL(path, server), {
        method,
        redirect: 'error', // a redirect must not carry the token elsewhere
        signal: AbortSignal.timeout(30_000),
        headers: {
          accept: 'application/json',
          ...(token ? { authorization: `Bearer ${token}` } : {}),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body }),
      })
      const answer: unknown = response.status === 204 ? undefined : await response.json().catch(() => undefined)
      if (!response.ok) throw toError(response.status, answer)
      return answer as Answer<K>
    },
  }
}

/** One request. @throws BrokerError, exit code 5, when the broker can't be reached */
export async function send(url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init)
  } catch (cause) {
    throw unreachable(url, cause as Error)
  }
}

export function unreachable({ origin }: URL, cause: Error): BrokerError {
  const { code, message } = (cause.cause ?? cause) as Error & { code?: string }
  return new UnreachableError(`cannot reach ${origin}: ${code ?? message}`, { cause })
}

/** The broker itself did not answer: exit code 5. */
class UnreachableError extends BrokerError {
  constructor(message: string, options: ErrorOptions) {
    super('STORE_UNAVAILABLE', undefined, { ...options, hint: 'check the address, and that the daemon is running' })
    this.message = message
  }
}

/** What an answer of 400 and above means. */
export function toError(status: number, answer: unknown): BrokerError {
  const { code, detail, hint } = (answer ?? {}) as { code?: string; detail?: string; hint?: string }
  const known: ErrorCode = code && code in errors ? (code as ErrorCode) : status === 401 ? 'LOGIN_REQUIRED' : 'INTERNAL'
  const advice = hint ?? (known === 'LOGIN_TOO_OLD' ? 'run: sallyport login --fresh' : undefined)
  const error = new BrokerError(known, undefined, advice ? { hint: advice } : {})
  if (detail) error.message = detail
  return error
}
