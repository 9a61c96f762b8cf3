/** `node bare-websockets.ts PORT UPSTREAM_PORT CERT KEY CA`: passes each message of one websocket on to another, with TLS on both legs. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { WebSocket, WebSocketServer } from 'ws'

const [port, upstreamPort, cert = '', key = '', caFile = ''] = process.argv.slice(2)
const ca = readFileSync(caFile)
const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) })
const sockets = new WebSocketServer({ server, perMessageDeflate: false })
sockets.on('connection', (client) => {
  const upstream = new WebSocket(`wss://127.0.0.1:${upstreamPort}/`, { ca, perMessageDeflate: false })
  upstream.once('open', () => client.on('message', (data) => upstream.send(data)))
  upstream.on('message', (data) => client.send(data))
  for (const [one, other] of [
    [client, upstream],
    [upstream, client],
  ] as const)
    one.on('error', () => other.terminate()).once('close', () => other.close())
})
server.listen(Number(port), '127.0.0.1', () => process.stdout.write('ready\n'))
