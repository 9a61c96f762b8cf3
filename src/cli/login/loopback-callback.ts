import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isSameText } from '../../../proxy/constant-time.ts'
import { listen } from '../../../proxy/ports/listen.ts'
import { BrokerError } from '../../../proxy/session.ts'

/** Where the browser brings the one-time code: a port of 127.0.0.1, open while one person signs in (RFC 8252, section 7.3). */
export interface LoopbackCallback {
  readonly port: number
  /** @throws BrokerError LOGIN_FAILED when it was denied, failed, or timed out */
  readonly code: Promise<string>
  close(): void
}

export async function listenForCode(state: string, withinMs: number): Promise<LoopbackCallback> {
  const { promise: code, resolve, reject } = Promise.withResolvers<string>()
  code.catch(() => undefined) // the caller awaits it; closing early must not be an unhandled rejection
  const server = createServer({ maxHeaderSize: 16 * 1024, requestTimeout: 10_000 }, (request, response) => {
    const answer = readAnswer(request, port, state)
    if (answer === null) return say(response, 404, 'Not found.')
    if (answer instanceof BrokerError) {
      say(response, 200, 'The sign-in did not complete. Go back to the terminal.')
      return reject(answer)
    }
    say(response, 200, 'You may close this page and go back to the terminal.')
    resolve(answer)
  })
  await listen(server, { host: '127.0.0.1', port: 0 }, reject)
  const { port } = server.address() as AddressInfo
  const minutes = Math.round(withinMs / 60_000)
  const timer = setTimeout(
    () => reject(new BrokerError('LOGIN_FAILED', `the sign-in timed out after ${minutes} minutes`)),
    withinMs,
  )
  const close = () => {
    clearTimeout(timer)
    server.close()
    server.closeIdleConnections()
  }
  return { port, code, close }
}

/** Null for any request that is not the answer to this sign-in: other pages may call a loopback port as well. */
function readAnswer(request: IncomingMessage, port: number, state: string): string | BrokerError | null {
  const url = URL.parse(request.url ?? '', `http://127.0.0.1:${port}`)
  if (request.method !== 'GET' || url?.pathname !== '/callback' || request.headers.host !== `127.0.0.1:${port}`)
    return null
  if (!isSameText(url.searchParams.get('state') ?? '', state)) return null
  const code = url.searchParams.get('code')
  if (code && /^[A-Za-z0-9_-]{43}$/.test(code)) return code
  const denied = url.searchParams.get('error') === 'denied'
  return new BrokerError('LOGIN_FAILED', denied ? 'it was cancelled in the browser' : 'see the error in the browser')
}

function say(response: ServerResponse, status: number, text: string): void {
  response
    .writeHead(status, {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'none'",
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
      connection: 'close',
    })
    .end(`<!doctype html><title>Sallyport</title><p>${text}</p>`)
}
