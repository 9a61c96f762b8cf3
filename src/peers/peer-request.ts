import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { checkServerIdentity } from 'node:tls'

/** The longest answer: 512 KiB of a recording in base64, and what is around it. */
const mostBytes = 1024 * 1024

/** Straight to the peer, whatever proxy the environment names. */
const agents = { http: new HttpAgent({ keepAlive: true }), https: new HttpsAgent({ keepAlive: true }) }

export interface PeerResponse {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

/**
 * One POST; a redirect is an answer like any other. The signal ends it at any point.
 * @param publicHost the certificate may be for this name instead, by which people know every daemon
 * @throws Error when there is no answer, or one that is too long
 */
export async function postToPeer(
  url: URL,
  message: { readonly headers: Readonly<Record<string, string>>; readonly body: Buffer },
  { publicHost, signal }: { readonly publicHost: string; readonly signal: AbortSignal },
): Promise<PeerResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const options = { method: 'POST', headers: { ...message.headers, 'content-length': message.body.length }, signal }
  const sent: ClientRequest =
    url.protocol === 'https:'
      ? requestHttps(url, {
          ...options,
          agent: agents.https,
          checkServerIdentity: (host, certificate) =>
            checkServerIdentity(host, certificate) && checkServerIdentity(publicHost, certificate),
        })
      : requestHttp(url, { ...options, agent: agents.http })
  sent.once('response', resolve).on('error', reject).end(message.body)
  sent.once('close', () => reject(new Error('it gave no answer'))) // one that switches protocols makes no other event
  const response = await promise
  return { status: response.statusCode ?? 0, headers: response.headers, body: await readBounded(response) }
}

async function readBounded(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > mostBytes) throw new Error(`the answer is longer than ${mostBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
