import type { Socket } from 'node:net'

/** Byte type, int32 length (itself included), body. */
export function message(type: string, body: Buffer): Buffer {
  const head = Buffer.from(`${type}\0\0\0\0`)
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

/** Calls back with the type of each message that has come in full. */
export function readMessages(socket: Socket, onMessage: (type: string, body: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    while (rest.length >= 5) {
      const end = 1 + rest.readInt32BE(1)
      if (rest.length < end) return
      const type = String.fromCharCode(rest[0] ?? 0)
      const body = rest.subarray(5, end)
      rest = rest.subarray(end)
      onMessage(type, body)
    }
  })
}
