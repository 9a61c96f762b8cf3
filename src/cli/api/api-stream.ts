import { type Ask, toRequest } from '../../contract/ask.ts'
import type { LinesKey, RouteKey } from '../../contract/routes.ts'
import { splitLines } from '../../telemetry/lines.ts'
import { type ApiClient, send, toError } from './api-client.ts'

/**
 * JSON lines of the API, one at a time, as they come.
 * @throws BrokerError with the code that the server sent
 */
export async function* streamLines<K extends LinesKey>(api: Login, key: K, ...ask: Ask<K>): AsyncGenerator<string> {
  const { body } = await openStream(api, key, 'application/x-ndjson', ...ask)
  if (!body) return
  for await (const line of splitLines(body)) if (line !== '') yield line
}

type Login = Pick<ApiClient, 'server' | 'token'>

/**
 * An answer that is no JSON, or that goes on for long.
 * @throws BrokerError with the code that the server sent
 */
export async function openStream<K extends RouteKey>(
  { server, token }: Login,
  key: K,
  accept: string,
  ...[ask]: Ask<K>
): Promise<Response> {
  const { method, path, body } = toRequest(key, ask)
  const response = await send(new URL(path, server), {
    method,
    redirect: 'error',
    headers: {
      accept,
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body }),
  })
  if (!response.ok) throw toError(response.status, await response.json().catch(() => undefined))
  return response
}
