import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { quietFor } from '../wait-until.ts'

/** The way to a server of 127.0.0.1, which a test makes worse. */
export interface TcpProxy {
  readonly port: number
  /** Everything passes. What was held back by {@link silence} comes now, as over a network that heals. */
  pass(): void
  /** Ends what is open and takes nothing new, as when the server has ended. */
  refuse(): void
  /** Takes bytes and connections, and lets nothing through in either direction: nobody hears even that a connection has ended. */
  silence(): void
  /** Each piece of an answer arrives so much later. */
  slow(ms: number): void
  /** New connections go there; what is open is ended. */
  to(port: number): void
  close(): Promise<void>
}

export async function startTcpProxy(target: number): Promise<TcpProxy> {
  const open = new Set<Socket>()
  let isRefusing = false
  let slowMs = 0
  let gate = Promise.withResolvers<void>()
  gate.resolve()
  /** In order, each no sooner than it may. */
  const carry = (from: Socket, to: Socket, delayMs: () => number) => {
    let turn: Promise<unknown> = Promise.resolve()
    const after = (work: () => unknown) => {
      const ms = delayMs()
      const wait = ms === 0 ? undefined : quietFor(ms, 'the way is slow')
      turn = Promise.all([turn, wait])
        .then(() => gate.promise)
        .then(work)
    }
    from.on('data', (chunk: Buffer) => after(() => to.write(chunk)))
    from.on('error', () => {}) // its end follows
    from.once('close', () => {
      open.delete(from)
      after(() => to.destroy())
    })
    open.add(from)
  }
  const drop = () => {
    for (const socket of open) socket.destroy()
  }
  const server = createServer({ noDelay: true }, (client) => {
    if (isRefusing) return client.destroy()
    const upstream = connect({ port: target, host: '127.0.0.1', noDelay: true })
    carry(client, upstream, () => 0)
    carry(upstream, client, () => slowMs)
    return client
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const pass = () => {
    isRefusing = false
    slowMs = 0
    gate.resolve()
  }
  return {
    port: (server.address() as AddressInfo).port,
    pass,
    refuse: () => {
      isRefusing = true
      drop()
    },
    silence: () => {
      gate = Promise.withResolvers()
    },
    slow: (ms) => {
      slowMs = ms
    },
    to: (port) => {
      target = port
      drop()
    },
    close: async () => {
      pass()
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      drop()
      await closed
    },
  }
}
