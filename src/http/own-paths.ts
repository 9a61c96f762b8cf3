import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

/** Paths that are served ahead of the API: no body is parsed, no websocket accepted, no limit of the API applies. */
export interface OwnPath {
  /** First segment: `/k8s`. */
  readonly path: string
  http?(request: IncomingMessage, response: ServerResponse): Promise<void>
  upgrade?(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void>
}

/** @param onError what a handler rejected with; its client is cut off */
export function serveOwnPaths(server: Server, paths: readonly OwnPath[], onError: (error: unknown) => void): void {
  if (paths.length === 0) return
  const find = (url = '') => paths.find(({ path }) => url === path || url.startsWith(`${path}/`))
  const requests = server.listeners('request') as ((request: IncomingMessage, response: ServerResponse) => void)[]
  const upgrades = server.listeners('upgrade') as ((request: IncomingMessage, socket: Duplex, head: Buffer) => void)[]
  server.removeAllListeners('request').removeAllListeners('upgrade')
  server.on('request', (request, response) => {
    const own = find(request.url)?.http
    if (!own) for (const listener of requests) listener(request, response)
    else own(request, response).catch((error: unknown) => fail(response, error))
  })
  server.on('upgrade', (request, socket, head) => {
    const own = find(request.url)?.upgrade
    if (!own) for (const listener of upgrades) listener(request, socket, head)
    else own(request, socket, head).catch((error: unknown) => fail(socket, error))
  })
  const fail = (stream: ServerResponse | Duplex, error: unknown) => {
    stream.destroy()
    onError(error)
  }
}
