/** What agents of the sandbox do, without their protocol: websockets that repeat what they are sent, or flood at the same pace. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import { quietFor } from '../../wait-until.ts'
import { floodKey, floodLine } from './echo-shell.ts'

const mostUnsentBytes = 512 * 1024

/** @returns its port */
export async function startBareAgent(closing: AsyncDisposableStack): Promise<number> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false })
  closing.defer(() => void server.close())
  server.on('connection', (socket) => {
    let isFlooding = false
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (!isBinary) return // what a client has shown
      if (!data.includes(floodKey)) socket.send(data)
      else {
        isFlooding = !isFlooding
        if (isFlooding) void flood(socket, () => isFlooding)
      }
    })
    socket.on('error', () => {})
    socket.send('$ ', { binary: true })
  })
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

async function flood(socket: WebSocket, goesOn: () => boolean): Promise<void> {
  while (goesOn() && socket.readyState === socket.OPEN) {
    if (socket.bufferedAmount < mostUnsentBytes) socket.send(floodLine)
    await quietFor(1, 'agents pause after each message')
  }
}
