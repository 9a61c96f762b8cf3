import type { Socket } from 'node:net'
import { Transform } from 'node:stream'
import type { Reader } from '../rds-startup.ts'
import type { Wrong } from './faults.ts'
import { encodeError, encodePacket, ok, readPacket } from './startup.ts'

const query = 0x03
const quit = 0x01

/** From here on it is the real server that talks. */
export function relay(socket: Socket, backend: Socket, of: { sessions: Set<Socket>; wrong: Wrong }): void {
  of.sessions.add(socket)
  const end = () => {
    of.sessions.delete(socket)
    backend.destroy()
    socket.destroy()
  }
  backend.on('error', end)
  socket.on('error', end).on('close', end)
  // What the server has said goes on as far as the knob lets it; then the connection is gone, as when an instance dies.
  const meter = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      const left = of.wrong.dieAfterBytes
      if (of.wrong.hangs === 'session') return
      if (left === null || chunk.length < left) {
        if (left !== null) of.wrong.dieAfterBytes = left - chunk.length
        done(null, chunk)
        return
      }
      socket.write(chunk.subarray(0, left), end)
    },
  })
  const judge = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      const { refusedText } = of.wrong
      if (refusedText === null || !chunk.includes(refusedText)) done(null, chunk)
      else {
        socket.write(encodePacket(1, encodeError(1227, '42000', 'Access denied; you need a privilege')))
        done()
      }
    },
  })
  backend.pipe(meter).pipe(socket) // ends the client's side once the server has said all
  socket.pipe(judge).pipe(backend)
  // After the pipes, which pause the client when they let go: its end must still be seen.
  backend.once('close', () => socket.resume())
}

/**
 * A hostile server: signs in whom it believed, and answers every query by asking for a file (LOCAL INFILE, 0xFB and a name), all
 * other commands with OK.
 */
export async function askForFile(
  client: { readonly socket: Socket; readonly reader: Reader; readonly sequence: number },
  name: string,
  got: Buffer[],
): Promise<void> {
  const { socket, reader } = client
  socket.write(encodePacket(client.sequence, ok))
  for (;;) {
    const { payload } = await readPacket(reader)
    if (payload[0] === quit) return void socket.end()
    if (payload[0] !== query) {
      socket.write(encodePacket(1, ok))
      continue
    }
    socket.write(encodePacket(1, Buffer.concat([Buffer.from([0xfb]), Buffer.from(name)])))
    let sequence = 2
    for (;;) {
      const piece = await readPacket(reader)
      if (piece.sequence !== sequence) throw new Error(`packet ${piece.sequence} where ${sequence} was due`)
      sequence += 1
      if (piece.payload.length === 0) break
      got.push(piece.payload)
    }
    socket.write(encodePacket(sequence, ok))
  }
}
