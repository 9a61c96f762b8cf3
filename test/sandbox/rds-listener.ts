import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { freePort } from './ports.ts'

/** Where a database endpoint of the sandbox listens, and whether it does. */
export interface RdsListener {
  /** Of 127.0.0.1; it stays the same while it is down. */
  readonly port: number
  /** TCP connections so far, whatever became of them. */
  readonly connections: number
  /** Nobody listens, and open connections are lost. */
  down(on: boolean): Promise<void>
  close(): Promise<void>
}

/** @param serve a client that violates the protocol makes it throw, and is left, as databases do */
export async function startRdsListener(serve: (socket: Socket) => Promise<void>): Promise<RdsListener> {
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer((socket) => {
    connections += 1
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => {})
    serve(socket).catch(() => socket.destroy())
  })
  const port = await freePort()
  const listen = () => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const hangUp = async () => {
    const closed = server.listening ? once(server.close(), 'close') : null
    for (const socket of sockets) socket.destroy()
    await closed
  }
  await listen()
  return {
    port,
    get connections() {
      return connections
    },
    down: async (on) => {
      if (on) await hangUp()
      else if (!server.listening) await listen()
    },
    close: hangUp,
  }
}
