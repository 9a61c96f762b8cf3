import type { LinesKey } from '../../contract/routes.ts'
import { splitLines } from '../../telemetry/lines.ts'
import { type ApiClient, send, toError } from './api-client.ts'
import { type Ask, toRequest } from './ask.ts'

/**
 * JSON lines of the API, one at a time, as they come.
 * @throws BrokerError with the code that the server sent
 */
export async function* streamLines<K extends LinesKey>(
  { server, token }: Pick<ApiClient, 'server' | 'token'>,
  key: K,
  ...[ask]: Ask<K>
): AsyncGenerator<string> {
  const { method, path, body } = toRequest(key, ask)
  const response = await send(new URL(path, server), {
    method,
    redirect: 'error',
    headers: {
      accept: 'application/x-ndjson',
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body }),
  })
  if (!response.ok) throw toError(response.status, await response.json().catch(() => undefined))
  if (!response.body) return
  for await (const line of splitLines(response.body)) if (line !== '') yield line
}
