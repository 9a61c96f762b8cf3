import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'

const none = Buffer.alloc(0)

/**
 * Calls `take` with each chunk, as a listener of `data` would be. While a TLS socket flows and has nothing buffered, its chunks go
 * straight there: the bookkeeping of Readable costs more than relaying them.
 * @returns stops it
 */
export function readChunks(stream: Duplex, take: (chunk: Buffer) => void): () => void {
  stream.on('data', take)
  if (!(stream instanceof TLSSocket)) return () => void stream.off('data', take)
  const { push } = stream
  stream.push = (chunk: Buffer | null, encoding?: BufferEncoding) => {
    if (chunk === null || !stream.readableFlowing || stream.readableLength > 0 || stream.destroyed)
      return push.call(stream, chunk, encoding)
    take(chunk)
    // Readable believes that a read is under way until something is pushed; otherwise it would not go on after the pause.
    return stream.readableFlowing || push.call(stream, none)
  }
  return () => {
    stream.push = push
    stream.off('data', take)
  }
}
