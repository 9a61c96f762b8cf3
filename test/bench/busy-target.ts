/**
 * `node busy-target.ts PORT CERT KEY`: a PostgreSQL that is never the limit. It takes any password, and answers each query with one row
 * at once, so that what is measured is the broker.
 */
import { readFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { createSecureContext, TLSSocket } from 'node:tls'
import { message, readMessages } from './busy-wire.ts'

const [port, cert = '', key = ''] = process.argv.slice(2)
const secureContext = createSecureContext({ cert: readFileSync(cert), key: readFileSync(key) })
const askPassword = message('R', Buffer.from([0, 0, 0, 3]))
const ready = message('Z', Buffer.from('I'))
const welcome = Buffer.concat([
  message('R', Buffer.alloc(4)),
  message('S', Buffer.from('server_version\0' + '17.0\0')),
  message('K', Buffer.alloc(8, 1)),
  ready,
])
const row = Buffer.concat([
  message(
    'T',
    Buffer.concat([Buffer.from([0, 1, 97, 0]), Buffer.alloc(6), Buffer.from([0, 0, 0, 25, 255, 255]), Buffer.alloc(6)]),
  ),
  message('D', Buffer.concat([Buffer.from([0, 1, 0, 0, 0, 64]), Buffer.alloc(64, 'x')])),
  message('C', Buffer.from('SELECT 1\0')),
  ready,
])

createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => {})
  socket.once('data', () => {
    socket.write('S')
    serve(new TLSSocket(socket, { isServer: true, secureContext }))
  })
}).listen(Number(port), '127.0.0.1', () => process.stdout.write('ready\n'))

function serve(client: Socket): void {
  client.on('error', () => client.destroy())
  client.once('data', () => {
    client.write(askPassword)
    readMessages(client, (type) => {
      if (type === 'p') client.write(welcome)
      else if (type === 'Q') client.write(row)
      else if (type === 'X') client.end()
    })
  })
}
