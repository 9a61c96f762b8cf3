import type { TLSSocket } from 'node:tls'

/**
 * Closes a connection at once, so that the other side gets nothing of what is queued: an orderly end of TLS would deliver it. One
 * that has been ended is only closed: it can be reset no longer, and the attempt would leave its descriptor open for good.
 * @param reset of what TLS runs over
 */
export function dropTls(tls: TLSSocket, reset: () => void): void {
  if (!tls.writableEnded) reset()
  tls.destroy()
}
