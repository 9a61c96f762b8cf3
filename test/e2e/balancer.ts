import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** In front of several daemons: TCP alone, and told where to by the test. */
export interface Balancer<Name extends string> {
  /** Its ports of 127.0.0.1, in the order in which they were asked for. */
  readonly ports: readonly number[]
  /** New connections go to these, in turn; what is open stays where it is. Nowhere: they are closed. */
  to(...names: Name[]): void
  /** Ends what is open, as a balancer does that is started again. */
  drop(): void
  close(): Promise<void>
}

/** @param count of ports @param target the port of a daemon that stands behind one of them */
export async function startBalancer<Name extends string>(
  count: number,
  target: (name: Name, index: number) => number,
): Promise<Balancer<Name>> {
  let names: readonly Name[] = []
  let turn = 0
  const open = new Set<Socket>()
  const keep = (socket: Socket) => {
    open.add(socket)
    socket.on('error', () => {}) // its end follows
    socket.once('close', () => open.delete(socket))
  }
  const serve = (client: Socket, index: number) => {
    keep(client)
    const name = names[turn++ % names.length]
    if (name === undefined) return client.destroy()
    const daemon = connect(target(name, index), '127.0.0.1')
    keep(daemon)
    client.once('close', () => daemon.destroy())
    daemon.once('close', () => client.destroy())
    return client.pipe(daemon).pipe(client)
  }
  const servers = await Promise.all(Array.from({ length: count }, (_, index) => listen((it) => serve(it, index))))
  const drop = () => {
    for (const socket of open) socket.destroy()
  }
  return {
    ports: servers.map((server) => (server.address() as AddressInfo).port),
    to: (...wanted) => {
      names = wanted
    },
    drop,
    close: async () => {
      const closed = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())))
      drop()
      await Promise.all(closed)
    },
  }
}

async function listen(onConnection: (socket: Socket) => void): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, onConnection).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}
