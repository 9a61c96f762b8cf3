import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import type { StreamFaults } from './faults.ts'

export interface AcceptedWebSocket {
  readonly socket: WebSocket
  /** The connection below it. */
  readonly raw: Duplex
  /** The subprotocol that was picked. */
  readonly protocol: string
}

const longestMessage = 32 * 1024 * 1024

/** Answers with 101; as API servers, without any extension. */
export function acceptWebSocket(
  request: IncomingMessage,
  raw: Duplex,
  head: Buffer,
  protocol: string,
  faults: StreamFaults,
): Promise<AcceptedWebSocket> {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: longestMessage,
  })
  server.once('headers', (lines) => {
    if (faults.wrongAccept) {
      const at = lines.findIndex((line) => line.startsWith('Sec-WebSocket-Accept:'))
      lines[at] = `Sec-WebSocket-Accept: ${Buffer.alloc(20, 'wrong').toString('base64')}`
    }
    if (faults.extension !== null) lines.push(`Sec-WebSocket-Extensions: ${faults.extension}`)
    lines.push(`Sec-WebSocket-Protocol: ${faults.protocol ?? protocol}`)
  })
  // The library takes no slash in the name of a protocol.
  delete request.headers['sec-websocket-protocol']
  return new Promise((resolve) => {
    server.handleUpgrade(request, raw, head, (socket) => {
      socket.on('error', () => {}) // `close` follows
      resolve({ socket, raw, protocol })
    })
  })
}

/** @param fragmentBytes 0: in one frame */
export function sendMessage(
  socket: WebSocket,
  message: string | Buffer,
  fragmentBytes: number,
  done: (error?: Error | null) => void,
): void {
  if (fragmentBytes === 0) {
    socket.send(message, done)
    return
  }
  const bytes = Buffer.from(message)
  const binary = typeof message !== 'string'
  for (let at = 0; at < bytes.length; at += fragmentBytes) {
    const fin = at + fragmentBytes >= bytes.length
    socket.send(bytes.subarray(at, at + fragmentBytes), { binary, fin }, fin ? done : undefined)
  }
}
