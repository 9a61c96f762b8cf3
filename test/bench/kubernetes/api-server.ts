/** `node api-server.ts PORT CERT KEY`: what an API server says, without being one: a pod of 1 KB, a list of 5 MB, watches that stay silent, execs that say a word. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'

const [port, cert = '', key = ''] = process.argv.slice(2)
const pod = Buffer.from(JSON.stringify({ kind: 'Pod', padding: 'x'.repeat(995) }))
const list = Buffer.from(JSON.stringify({ kind: 'PodList', padding: 'x'.repeat(5 * 1024 * 1024) }))
const common = { 'content-type': 'application/json', 'audit-id': '00000000-0000-4000-8000-000000000000' }

const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, ({ url = '' }, response) => {
  if (url.includes('watch=true')) {
    response.writeHead(200, common)
    response.write('{"type":"BOOKMARK","object":{}}\n')
    return
  }
  const body = url.endsWith('/pods') ? list : pod
  response.writeHead(200, { ...common, 'content-length': body.length })
  response.end(body)
})
/** By websocket: a word of output, success, and the end. */
const exec = Buffer.concat([
  Buffer.from([0x82, 4, 1]),
  Buffer.from('hi\n'),
  Buffer.from([0x82, 21, 3]),
  Buffer.from('{"status":"Success"}'),
  Buffer.from([0x88, 2, 0x03, 0xe8]),
])
const websocketId = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

server.on('upgrade', ({ headers }, socket) => {
  const accept = createHash('sha1').update(`${headers['sec-websocket-key']}${websocketId}`).digest('base64')
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket']
  lines.push(`Sec-WebSocket-Accept: ${accept}`, 'Sec-WebSocket-Protocol: v5.channel.k8s.io', '', '')
  socket.on('error', () => {})
  socket.write(Buffer.concat([Buffer.from(lines.join('\r\n')), exec]))
  socket.on('data', () => {}).on('end', () => socket.end())
})
server.listen(Number(port), '127.0.0.1', () => process.stdout.write('ready\n'))
