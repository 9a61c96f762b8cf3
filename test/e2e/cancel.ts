import { once } from 'node:events'
import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type pg from 'pg'

/** CancelRequest inside TLS, as libpq sends it. @param isWrong with a key that is not that of the client's session */
export async function cancel(client: pg.Client, port: number, ca: string, isWrong = false): Promise<void> {
  const { processID, secretKey } = client as unknown as { processID: number; secretKey: number | Buffer }
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]))
  await once(socket, 'data')
  const secure = connectTls({ socket, ca, servername: 'localhost' })
  await once(secure, 'secureConnect')
  const message = Buffer.alloc(16)
  message.writeInt32BE(16, 0)
  message.writeInt32BE(80_877_102, 4)
  message.writeInt32BE(processID, 8)
  if (typeof secretKey === 'number') message.writeInt32BE(secretKey, 12)
  else secretKey.copy(message, 12)
  if (isWrong) message[15] = (message[15] ?? 0) ^ 1
  secure.end(message)
  secure.resume()
  await once(secure, 'close')
}
