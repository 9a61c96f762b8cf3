import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isSameText } from '../../../proxy/constant-time.ts'
import { listen } from '../../../proxy/ports/listen.ts'

/**
 * An address of this machine that leads one visitor, once, to another that must not be seen in the list of processes, where a
 * browser's command line stands. Only the visitor's history holds the destination.
 */
export interface OneTimePage {
  readonly url: string
  /** True once a visitor was redirected; false when none came in time. */
  readonly visited: Promise<boolean>
  close(): void
}

export async function openOneTimePage(destination: string, withinMs: number): Promise<OneTimePage> {
  const path = `/${randomBytes(24).toString('base64url')}`
  const { promise: visited, resolve, reject } = Promise.withResolvers<boolean>()
  visited.catch(() => undefined) // the caller awaits it; closing early must not be an unhandled rejection
  let isUsed = false
  const server = createServer({ requestTimeout: 10_000 }, (request, response) => {
    const isRight = request.method === 'GET' && isSameText(request.url ?? '', path) && request.headers.host === host()
    const headers = { 'cache-control': 'no-store', 'referrer-policy': 'no-referrer', connection: 'close' }
    if (!isRight) return void response.writeHead(404, headers).end('Not found.\n')
    if (isUsed) return void response.writeHead(410, headers).end('This link was already used; run the command again.\n')
    isUsed = true
    response.writeHead(302, { ...headers, location: destination }).end(() => resolve(true))
  })
  await listen(server, { host: '127.0.0.1', port: 0 }, reject)
  const host = () => `127.0.0.1:${(server.address() as AddressInfo).port}`
  const timer = setTimeout(() => resolve(false), withinMs)
  return {
    url: `http://${host()}${path}`,
    visited,
    close: () => {
      clearTimeout(timer)
      server.close()
      server.closeIdleConnections()
    },
  }
}
