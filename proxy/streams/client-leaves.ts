import type { Duplex } from 'node:stream'

/**
 * Notices that a client disconnects while nothing reads its bytes: those stay in the stream. One that leaves unread bytes
 * behind is noticed only once they are read.
 * @returns stops watching; must be called before the stream is read again
 */
export function whenClientLeaves(stream: Duplex, onLeft: () => void): () => void {
  const look = () => {
    if (stream.readableLength === 0) stream.read() // at the end of the stream, this emits `end`
  }
  stream.on('readable', look).on('end', onLeft).on('close', onLeft)
  if (stream.destroyed || stream.readableEnded) onLeft()
  return () => stream.off('readable', look).off('end', onLeft).off('close', onLeft)
}
