import { createServer, type IncomingMessage, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Socket } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Connections } from '../../../proxy/ports/connections.ts'
import { listen } from '../../../proxy/ports/listen.ts'
import type { ProxyHeaders } from '../../../proxy/ports/proxy-header.ts'
import type { Logger } from '../../telemetry/logger.ts'
import { clientOrigins } from '../client-origin.ts'
import { defaultDeadlines, guardConnections } from '../connection-guard.ts'
import { serveEarly } from '../early-connections.ts'
import { isUpgrade, isWebsocketOffer, type OwnPath, serveOwnPaths } from '../own-paths.ts'
import { type AcceptedWebsocket, type ConnectCarriers, serveAccepted } from '../routes/connect.ts'
import type { WatchedCertificate } from '../tls-files.ts'
import { type AskedWebsocket, createPassOn } from './pass-on.ts'

export interface FrontServerDeps {
  /** Of the socket that it listens on. */
  readonly fd: number
  readonly certificate: WatchedCertificate | null
  readonly connections: Connections
  readonly headers: ProxyHeaders
  readonly trustedProxies: readonly string[]
  /** The process that decides. */
  readonly control: { readonly path: string; readonly secret: string }
  readonly carriers: ConnectCarriers & { readonly own: readonly OwnPath[] }
  readonly logger: Logger
}

export interface FrontServer {
  /** Accepts no more; open websockets are closed with "service restart". Resolves when what is under way has been answered. */
  close(): Promise<void>
}

/** Websockets that a front opens itself; the others have their other end in the process that decides. */
const carried = '/api/v1/connect/'
const restartCode = 1012
const maxPayload = 1024 * 1024
const keepAlive = { keepAlive: true, keepAliveInitialDelay: 60_000 } as const

/** The HTTP side of a front: carries sessions, and passes on every other request. */
export async function startFrontServer(deps: FrontServerDeps): Promise<FrontServer> {
  const { carriers, certificate, connections, control, fd, headers, logger, trustedProxies } = deps
  const { own } = carriers
  const shouldUpgradeCallback = (request: IncomingMessage) => isUpgrade(request, own)
  const served = { ...keepAlive, ...defaultDeadlines, shouldUpgradeCallback }
  const server = (certificate
    ? createTlsServer({ ...certificate.pem, minVersion: 'TLSv1.2', ...served })
    : createServer(served)) as unknown as Server
  if (certificate)
    certificate.onRenewed((pem) =>
      (server as unknown as { setSecureContext(of: typeof pem): void }).setSecureContext(pem),
    )
  const originOf = clientOrigins(trustedProxies)
  const signedIn = ({ socket }: IncomingMessage) => guarded.signedIn(socket)
  const passOn = createPassOn({
    ...control,
    addressOf: (incoming) => originOf(incoming).address,
    onSignedIn: signedIn,
    isTls: certificate !== null,
  })
  const websockets = new WebSocketServer({ noServer: true, maxPayload, perMessageDeflate: false })
  server.on('request', (incoming, response) => passOn.request(incoming, response))
  server.on('upgrade', (incoming, socket, head) => {
    socket.on('error', () => {}) // Node has removed its own listener
    if (!incoming.url?.startsWith(carried) || !isWebsocketOffer(incoming.headers.upgrade)) {
      passOn.upgrade(incoming, socket, head)
      return
    }
    void open(incoming, socket as Socket, head)
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy(error)
    else socket.end(refusalOf(error))
  })
  const open = async (incoming: IncomingMessage, socket: Socket, head: Buffer) => {
    const asked: AskedWebsocket = await passOn.ask(incoming)
    if (socket.destroyed) return
    if (!asked.isAccepted) {
      socket.end(asked.answer)
      return
    }
    websockets.handleUpgrade(incoming, socket, head, (websocket: WebSocket) => {
      websocket.on('error', () => {}) // a close follows
      serveAccepted(carriers, websocket, asked.body as AcceptedWebsocket).catch((error: unknown) => {
        logger.error({ err: error }, 'a websocket could not be served')
        websocket.terminate()
      })
    })
  }
  const closeEarly = serveEarly(server, own, defaultDeadlines, (socket) => guarded.signedIn(socket))
  const guarded = guardConnections(server, connections, headers)
  const dropTaken = serveOwnPaths(server, own, guarded.signedIn, (error) =>
    logger.error({ err: error }, 'a handler of a kind failed'),
  )
  await listen(server, { fd, exclusive: true }, (error) =>
    logger.error({ err: error }, 'a connection could not be accepted'),
  )
  return {
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeIdleConnections()
      closeEarly()
      dropTaken()
      for (const websocket of websockets.clients) websocket.close(restartCode)
      await closed
    },
  }
}

/** As Fastify answers what is no HTTP, or comes too late. */
function refusalOf({ code }: NodeJS.ErrnoException): string {
  const [status, error] =
    code === 'HPE_HEADER_OVERFLOW'
      ? [431, 'Request Header Fields Too Large']
      : code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? [408, 'Request Timeout']
        : [400, 'Bad Request']
  const body = JSON.stringify({ error, message: 'Client Error', statusCode: status })
  return `HTTP/1.1 ${status} ${error}\r\nContent-Length: ${body.length}\r\nContent-Type: application/json\r\n\r\n${body}`
}
