import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { type ApiClient, send, toError } from './api-client.ts'

/**
 * JSON lines of the API, one at a time, as they come.
 * @throws BrokerError with the code that the server sent
 */
export async function* streamLines(
  { server, token }: Pick<ApiClient, 'server' | 'token'>,
  path: string,
  signal?: AbortSignal,
): AsyncGenerator<string> {
  const response = await send(new URL(path, server), {
    redirect: 'error',
    headers: { accept: 'application/x-ndjson', ...(token ? { authorization: `Bearer ${token}` } : {}) },
    ...(signal ? { signal } : {}),
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
