import { type Ask, toRequest } from '../../contract/ask.ts'
import type { Answer, JsonKey } from '../../contract/routes.ts'
import { toError, unreachable } from './api-client.ts'

const answerWithinMs = 30_000
const longestAnswer = 1_000_000

/** Imported, these modules would be asked for all that they export, which loads `fetch` and the rest of it after all. */
const requestOf = (url: URL) => process.getBuiltinModule(url.protocol === 'https:' ? 'node:https' : 'node:http').request

/**
 * One call of the API, for a program that lives for one answer: without `fetch`, which takes longer to load than the call takes.
 * Redirects are not followed.
 * @throws BrokerError with the code that the server sent; exit code 5 when it can't be reached
 */
export async function quickCall<K extends JsonKey & `${'GET' | 'POST'} ${string}`>(
  { server, token }: { readonly server: string; readonly token: string },
  key: K,
  ...[ask]: Ask<K>
): Promise<Answer<K>> {
  const { method, path, body } = toRequest(key, ask)
  const { status, text } = await exchange(new URL(path, server), { method, token, body })
  const answer = parse(text)
  if (status !== 200 && status !== 201) throw toError(status, answer)
  return answer as Answer<K>
}

interface Call {
  readonly method: string
  readonly token: string
  /** JSON; undefined: none. */
  readonly body: string | undefined
}

async function exchange(url: URL, { method, token, body }: Call): Promise<{ status: number; text: string }> {
  const request = requestOf(url)
  const headers = {
    accept: 'application/json',
    authorization: `Bearer ${token}`,
    ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
  }
  return await new Promise((resolve, reject) => {
    const fail = (cause: Error) => reject(unreachable(url, cause))
    const sent = request(url, { method, headers, timeout: answerWithinMs }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
        if (text.length > longestAnswer) sent.destroy(new Error('the response is too long'))
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
      response.on('error', fail)
    })
    sent.on('error', fail)
    sent.on('close', () => fail(new Error('it gave no answer'))) // one that switches protocols makes no other event
    sent.on('timeout', () => sent.destroy(new Error('timed out')))
    sent.end(body)
  })
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // a page of some proxy's: the status says enough
  }
}
