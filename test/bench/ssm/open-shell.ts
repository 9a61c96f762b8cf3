import { type ClientOptions, WebSocket } from 'ws'

const ackEvery = 64 * 1024

export interface BenchShell {
  /** Bytes so far. */
  readonly received: () => number
  /** Resolves when the next bytes are there. */
  readonly shown: () => Promise<void>
  type(text: string): void
  close(): void
}

/** A client of the websocket of shells that shows all it gets. */
export async function openShell(url: URL, options: ClientOptions): Promise<BenchShell> {
  const socket = new WebSocket(url, { ...options, perMessageDeflate: false })
  let received = 0
  let acknowledged = 0
  let next = Promise.withResolvers<void>()
  const first = next.promise
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    if (!isBinary) {
      if (data.includes('"error"')) next.reject(new Error(data.toString()))
      return
    }
    received += data.length
    next.resolve()
    next = Promise.withResolvers()
    next.promise.catch(() => {}) // where nobody waits for more
    if (received - acknowledged < ackEvery || socket.readyState !== socket.OPEN) return
    acknowledged = received
    socket.send(JSON.stringify({ ack: received }))
  })
  socket.on('error', (error) => next.reject(error))
  await first
  return {
    received: () => received,
    shown: () => next.promise,
    type: (text) => socket.send(Buffer.from(text)),
    close: () => socket.close(),
  }
}
