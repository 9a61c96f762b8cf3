import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { EarlyConnection, TakenConnection } from '../../proxy/ports/early-connection.ts'
import { routes } from '../contract/routes.ts'

/** Paths that are served ahead of the API: no body is parsed, no websocket accepted, no limit of the API applies. */
export interface OwnPath {
  /** First segment: `/k8s`. */
  readonly path: string
  /** Reads the requests of a connection that begins with one of its paths itself. */
  connection?(early: EarlyConnection): TakenConnection
  /** @param signedIn to be called once the client is known */
  http?(request: IncomingMessage, response: ServerResponse, signedIn: () => void): Promise<void>
  /** The same of a request that asks to leave HTTP. @param head what came behind it */
  upgrade?(request: IncomingMessage, socket: Duplex, head: Buffer, signedIn: () => void): Promise<void>
}

/** What the paths of websockets begin with. */
const websocketPaths = Object.entries(routes)
  .filter(([, { answer }]) => Object.values(answer).includes('websocket'))
  .map(([key]) => key.slice('GET '.length).replace(/:.*/, ''))

/**
 * Whether to leave HTTP for what a client offers. Any other offer, as `h2c` or a websocket where there is none, is ignored, which
 * RFC 9110 lets a server do.
 */
export function isUpgrade({ url = '', headers }: IncomingMessage, paths: readonly OwnPath[]): boolean {
  const isWebsocket = isWebsocketOffer(headers.upgrade) && websocketPaths.some((path) => url.startsWith(path))
  return isWebsocket || findOwnPath(paths, url)?.upgrade !== undefined
}

/** @param upgrade the header: names of protocols, perhaps with versions */
export function isWebsocketOffer(upgrade: string | undefined): boolean {
  return /(?:^|[\s,])websocket(?:$|[\s,/])/i.test(upgrade ?? '')
}

function findOwnPath(paths: readonly OwnPath[], url = ''): OwnPath | undefined {
  return paths.find(({ path }) => url === path || url.startsWith(`${path}/`))
}

/**
 * @param signedIn takes the socket of a client that is known
 * @param onError what a handler threw or rejected with; its client is cut off
 * @returns drops the connections that handlers took over, for which a closing server would wait
 */
export function serveOwnPaths(
  server: Server,
  paths: readonly OwnPath[],
  signedIn: (socket: Socket) => void,
  onError: (error: unknown) => void,
): () => void {
  const taken = new Set<Duplex>()
  const drop = () => {
    for (const socket of taken) socket.destroy()
  }
  if (paths.length === 0) return drop
  const find = (url?: string) => findOwnPath(paths, url)
  const run = async (handle: () => Promise<void>, stream: ServerResponse | Duplex) => {
    try {
      await handle()
    } catch (error) {
      stream.destroy()
      onError(error)
    }
  }
  const requests = server.listeners('request') as ((request: IncomingMessage, response: ServerResponse) => void)[]
  const upgrades = server.listeners('upgrade') as ((request: IncomingMessage, socket: Duplex, head: Buffer) => void)[]
  server.removeAllListeners('request').removeAllListeners('upgrade')
  server.on('request', (request, response) => {
    const own = find(request.url)
    const { http } = own ?? {}
    if (!http) for (const listener of requests) listener(request, response)
    else void run(() => http.call(own, request, response, () => signedIn(request.socket)), response)
  })
  server.on('upgrade', (request, socket, head) => {
    const own = find(request.url)
    const { upgrade } = own ?? {}
    if (!upgrade) {
      for (const listener of upgrades) listener(request, socket, head)
      return
    }
    socket.on('error', () => {}) // Node has removed its own listener
    taken.add(socket)
    socket.once('close', () => taken.delete(socket))
    void run(() => upgrade.call(own, request, socket, head, () => signedIn(request.socket)), socket)
  })
  return drop
}
