import { createServer, type Server } from 'node:http'
import type { Registry } from 'prom-client'
import { listen } from '../../proxy/ports/listen.ts'
import { defaultDeadlines } from './connection-guard.ts'

const mostScrapers = 64

/** `/metrics` on a listener of its own, so that scraping needs no sign-in and the public side shows nothing. */
export async function serveMetrics(
  registry: Registry,
  at: { readonly host: string; readonly port: number },
  onError: (error: Error) => void,
): Promise<Server> {
  const server = createServer({ ...defaultDeadlines }, (request, response) => {
    if (request.method !== 'GET' || request.url?.split('?')[0] !== '/metrics') {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('not found; try /metrics\n')
      return
    }
    registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      (error: Error) => response.writeHead(500, { 'content-type': 'text/plain' }).end(`${error.message}\n`),
    )
  })
  server.maxConnections = mostScrapers
  await listen(server, at, onError)
  return server
}
