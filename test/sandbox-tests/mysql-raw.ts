import { once } from 'node:events'
import { connect as connectPlain } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'

/** SSLRequest: capabilities with SSL, PROTOCOL_41, SECURE_CONNECTION and PLUGIN_AUTH; 16 MB, charset 45, filler. */
export const sslRequest = Buffer.concat([
  Buffer.from([32, 0, 0, 1, 0x00, 0x8a, 0x08, 0x00, 0, 0, 0, 1, 45]),
  Buffer.alloc(23),
])

/** HandshakeResponse41 with the same capabilities: user, one byte of length and the password, plugin. */
export function responsePacket(sequence: number, user: string, password: string, plugin: string): Buffer {
  const payload = Buffer.concat([
    sslRequest.subarray(4),
    Buffer.from(`${user}\0`),
    Buffer.from([password.length]),
    Buffer.from(`${password}${plugin}\0`),
  ])
  return Buffer.concat([Buffer.from([payload.length, 0, 0, sequence]), payload])
}

/** Greeted, and in TLS; packet 2 is due. */
export async function rawTls(port: number, own: { ca: string; servername: string }): Promise<TLSSocket> {
  const socket = connectPlain(port, '127.0.0.1')
  await once(socket, 'readable')
  socket.read()
  socket.write(sslRequest)
  const secure = connectTls({ socket, ...own })
  await once(secure, 'secureConnect')
  return secure
}
