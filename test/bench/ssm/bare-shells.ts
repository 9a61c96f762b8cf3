/** `node bare-shells.ts`: a relay of websockets that does nothing else. A client names the port that its messages go on to in its path. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { WebSocket, WebSocketServer } from 'ws'

const mostUnsentBytes = 256 * 1024

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false })
server.on('connection', (client, { url = '' }) => {
  const upstream = new WebSocket(`ws://127.0.0.1:${url.slice(1)}/`, { perMessageDeflate: false })
  upstream.once('open', () => pass(client, upstream))
  pass(upstream, client)
})
await once(server, 'listening')
process.stdout.write(`${(server.address() as AddressInfo).port}\n`)

/** As fast as the other side takes it. */
function pass(from: WebSocket, to: WebSocket): void {
  from.on('message', (data, isBinary) => {
    to.send(data, { binary: isBinary }, () => {
      if (from.isPaused && to.bufferedAmount < mostUnsentBytes / 2) from.resume()
    })
    if (to.bufferedAmount > mostUnsentBytes) from.pause()
  })
  from.on('error', () => to.terminate()).once('close', () => to.close())
}
