/**
 * `node bare-relay.ts PROTOCOL PORT UPSTREAM_PORT CERT KEY CA NAME`: what a relay with the same TLS legs costs in Node when it neither
 * looks at the bytes nor keeps them. It lets both sides agree on TLS, and pumps.
 */
import { readFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { createSecureContext, connect as secure, TLSSocket } from 'node:tls'

const [protocol, port, upstreamPort, cert = '', key = '', ca = '', name = ''] = process.argv.slice(2)
const context = createSecureContext({ cert: readFileSync(cert), key: readFileSync(key) })
const roots = createSecureContext({ ca: readFileSync(ca) })
const postgresRequest = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])
const mysqlRequestBytes = 4 + 32

const start = protocol === 'mysql' ? startMysql : protocol === 'tls' ? startTls : startPostgres
createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy())
  start(socket)
}).listen(Number(port), '127.0.0.1', () => process.stdout.write('ready\n'))

/** The client asks first: SSLRequest, answered by one byte, on either side. */
function startPostgres(socket: Socket): void {
  socket.once('data', () => {
    socket.write('S')
    const client = encrypt(socket)
    const upstream = dial(socket)
    upstream.write(postgresRequest)
    upstream.once('data', () => join(client, upstream))
  })
}

/** The server greets first. The handshake may follow the request for TLS at once: what the socket holds behind it is TLS's. */
function startMysql(socket: Socket): void {
  const upstream = dial(socket)
  upstream.once('data', (greeting: Buffer) => socket.write(greeting))
  socket.on('readable', function read() {
    const asked: Buffer | null = socket.read(mysqlRequestBytes)
    if (asked === null) return
    socket.off('readable', read)
    upstream.write(asked)
    join(encrypt(socket), upstream)
  })
}

/** TLS from the first byte on. */
function startTls(socket: Socket): void {
  join(encrypt(socket), dial(socket))
}

function dial(socket: Socket): Socket {
  const upstream = connect({ port: Number(upstreamPort), host: '127.0.0.1', noDelay: true })
  upstream.on('error', () => socket.destroy())
  return upstream
}

function encrypt(socket: Socket): TLSSocket {
  return new TLSSocket(socket, { isServer: true, secureContext: context })
}

function join(client: TLSSocket, upstream: Socket): void {
  const server = secure({ socket: upstream, secureContext: roots, servername: name })
  pump(client, server)
  pump(server, client)
}

function pump(from: Socket, to: Socket): void {
  from.on('data', (chunk: Buffer) => {
    if (!to.write(chunk)) from.pause()
  })
  to.on('drain', () => from.resume())
  from.on('end', () => to.end())
  from.on('error', () => to.destroy())
  from.on('close', () => to.destroy())
}
