import { createHmac, createSecretKey, type Hmac, type KeyObject } from 'node:crypto'

/**
 * Digests of what a recording does not show, by HMAC-SHA-256 under a key of that session: with the key a guess can be checked,
 * without it a short secret cannot be found by guessing.
 */
export class Digests {
  readonly #key: KeyObject

  constructor(key: Uint8Array) {
    this.#key = createSecretKey(key) // Node is slow to take bytes as the key of each HMAC
  }

  begin(): Hmac {
    return createHmac('sha256', this.#key)
  }

  of(bytes: Uint8Array): string {
    return this.begin().update(bytes).digest('hex')
  }
}
