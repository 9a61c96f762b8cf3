import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import type { LinesKey } from '../../contract/routes.ts'
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
  const response = await send(new URL(toRequest(key, ask).path, server), {
    redirect: 'error',
    headers: { accept: 'application/x-ndjson', ...(token ? { authorization: `Bearer ${token}` } : {}) },
  })
  if (!response.ok) throw toError(response.status, await response.json().catch(() => undefined))
  if (!response.body) return
  const input = Readable.fromWeb(response.body as ReadableStream)
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })
  const failed = new Promise<never>((_, reject) => input.once('error', reject))
  failed.catch(() => {}) // a reader that stops early doesn't care
  const iterator = lines[Symbol.asyncIterator]()
  try {
    for (;;) {
      const { value, done } = await Promise.race([iterator.next(), failed])
      if (done) return
      if (value !== '') yield value
    }
  } finally {
    lines.close()
    input.destroy()
  }
}
