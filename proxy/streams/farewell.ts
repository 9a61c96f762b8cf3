import type { Duplex } from 'node:stream'

/** How long a client may take to read the last bytes. */
const lingerMs = 2000

/**
 * Ends a stream, with some last bytes if there are any: writes and half-closes it, then reads and discards for a while, because
 * closing a socket with unread bytes makes the kernel send RST, and the client may lose the last bytes. Destroyed after 2 s, or as told.
 */
export function endWith(stream: Duplex, words?: Buffer, withinMs = lingerMs): void {
  if (stream.destroyed || stream.writableEnded) {
    stream.destroy()
    return
  }
  const timer = setTimeout(() => stream.destroy(), withinMs)
  stream.once('close', () => clearTimeout(timer))
  stream.end(words)
  stream.resume()
}
