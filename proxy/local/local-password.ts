import { randomBytes } from 'node:crypto'

const passwordBytes = 32

/**
 * What the clients of a local port must know, so that other users of this machine can't connect as its owner. A fresh one for each
 * run: 43 characters that no shell, URL or file needs to quote.
 */
export function makeLocalPassword(): string {
  return randomBytes(passwordBytes).toString('base64url')
}
