/**
 * What a PostgreSQL client says first, on the local port (PostgreSQL documentation, "Message Flow", "Start-up").
 * There is no TLS here: the port is on loopback, and the way to the broker is the websocket's.
 */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { BrokerError } from '../session.ts'

export interface FirstMessage {
  readonly kind: 'startup' | 'cancel'
  /** The message as it came, length included. */
  readonly bytes: Buffer
}

/** PostgreSQL's own cap on a startup packet. */
const maxStartupBytes = 10_000
const sslRequest = 80877103
const gssEncRequest = 80877104
const cancelRequest = 80877102
const refuse = Buffer.from('N')

/**
 * Answers SSLRequest and GSSENCRequest (each at most once) with N, and returns the message that follows.
 * @throws BrokerError PROTOCOL_ERROR; a stranger's bytes are never allocated by the length they declare
 */
export async function readFirstMessage(socket: Socket, signal: AbortSignal): Promise<FirstMessage> {
  const seen = new Set<number>()
  for (;;) {
    const head = await readExactly(socket, 8, signal)
    const length = head.readUInt32BE(0)
    const code = head.readUInt32BE(4)
    if (length < 8 || length > maxStartupBytes)
      throw new BrokerError('PROTOCOL_ERROR', 'invalid length of startup packet')
    if (code === sslRequest || code === gssEncRequest) {
      if (length !== 8 || seen.has(code)) throw new BrokerError('PROTOCOL_ERROR', 'invalid encryption request')
      // A client waits for the answer, so bytes that are here already were stuffed in (CVE-2021-23214).
      if (socket.readableLength > 0)
        throw new BrokerError('PROTOCOL_ERROR', 'unexpected bytes after encryption request')
      seen.add(code)
      socket.write(refuse)
      continue
    }
    const bytes = Buffer.concat([head, length > 8 ? await readExactly(socket, length - 8, signal) : Buffer.alloc(0)])
    return { kind: code === cancelRequest ? 'cancel' : 'startup', bytes }
  }
}

/** @throws BrokerError PROTOCOL_ERROR when the stream ends first; the signal's reason when that fires */
export async function readExactly(stream: Readable, length: number, signal: AbortSignal): Promise<Buffer> {
  for (;;) {
    signal.throwIfAborted()
    const chunk: Buffer | null = stream.read(length)
    if (chunk?.length === length) return chunk
    if (chunk || stream.readableEnded || stream.destroyed)
      throw new BrokerError('PROTOCOL_ERROR', 'the client left early')
    await once(stream, 'readable', { signal })
  }
}
