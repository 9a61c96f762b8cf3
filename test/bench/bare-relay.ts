/**
 * `node bare-relay.ts PORT UPSTREAM_PORT CERT KEY CA NAME`: what a relay with the same TLS legs costs in Node when it neither
 * looks at the bytes nor keeps them. It answers SSLRequest on both sides, and pumps.
 */
import { readFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { createSecureContext, connect as secure, TLSSocket } from 'node:tls'

const [port, upstreamPort, cert = '', key = '', ca = '', name = ''] = process.argv.slice(2)
const context = createSecureContext({ cert: readFileSync(cert), key: readFileSync(key) })
const roots = createSecureContext({ ca: readFileSync(ca) })
const sslRequest = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])

createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy())
  socket.once('data', () => {
    socket.write('S')
    const client = new TLSSocket(socket, { isServer: true, secureContext: context })
    const upstream = connect({ port: Number(upstreamPort), host: '127.0.0.1', noDelay: true })
    upstream.write(sslRequest)
    upstream.once('data', () => {
      const server = secure({ socket: upstream, secureContext: roots, servername: name })
      pump(client, server)
      pump(server, client)
    })
    upstream.on('error', () => client.destroy())
  })
}).listen(Number(port), '127.0.0.1', () => process.stdout.write('ready\n'))

function pump(from: Socket, to: Socket): void {
  from.on('data', (chunk: Buffer) => {
    if (!to.write(chunk)) from.pause()
  })
  to.on('drain', () => from.resume())
  from.on('end', () => to.end())
  from.on('error', () => to.destroy())
  from.on('close', () => to.destroy())
}
