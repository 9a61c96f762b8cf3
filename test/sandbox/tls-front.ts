import { type AddressInfo, connect, type Socket } from 'node:net'
import { createServer } from 'node:tls'
import type { Authority } from './certificates.ts'

/** TLS before a daemon that speaks HTTP, as a balancer has it: kubectl sends tokens over nothing else. */
export interface TlsFront {
  /** `https://localhost:PORT` */
  readonly url: string
  close(): Promise<void>
}

export async function startTlsFront(behind: string, authority: Pick<Authority, 'issue'>): Promise<TlsFront> {
  const { cert, key } = authority.issue(['localhost'])
  const sockets = new Set<Socket>()
  const server = createServer({ cert, key }, (socket) => {
    const daemon = connect(Number(new URL(behind).port), '127.0.0.1')
    for (const one of [socket, daemon]) {
      sockets.add(one)
      one.on('error', () => {})
      one.once('close', () => sockets.delete(one))
    }
    socket.pipe(daemon).pipe(socket)
    socket.on('close', () => daemon.destroy())
    daemon.on('close', () => socket.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    close: async () => {
      for (const one of sockets) one.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
