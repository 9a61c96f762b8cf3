import { createHash, randomBytes } from 'node:crypto'
import { prefixOf, withoutMapping } from '../../../proxy/ports/source-address.ts'
import { BrokerError } from '../../../proxy/session.ts'
import type { Clock } from '../../telemetry/clock.ts'

export interface OneTimeSecretsOptions {
  readonly clock: Clock
  /** How long an entry waits, ms. */
  readonly ttlMs: number
  /** Entries in all, and from one address (IPv6: one /64). */
  readonly most: number
  readonly mostPerAddress: number
}

/**
 * Things that wait in memory for a secret to come back: few, short-lived, each taken at most once. Of the secret only the
 * SHA-256 is kept, so that looking it up tells nothing about it by its timing.
 */
export interface OneTimeSecrets<T> {
  /** @returns the secret, 43 characters of base64url. @throws BrokerError RATE_LIMITED when too many wait */
  put(value: T, address: string): string
  /** What waits for this secret, left where it is. */
  peek(secret: string): T | undefined
  take(secret: string): T | undefined
  readonly size: number
}

export function createOneTimeSecrets<T>(options: OneTimeSecretsOptions): OneTimeSecrets<T> {
  const { clock, ttlMs, most, mostPerAddress } = options
  // In order of insertion, which with one lifetime is the order of expiry.
  const waiting = new Map<string, { value: T; until: number; network: string }>()
  const perNetwork = new Map<string, number>()
  const remove = (key: string) => {
    const entry = waiting.get(key)
    if (!entry) return
    waiting.delete(key)
    const left = (perNetwork.get(entry.network) ?? 1) - 1
    if (left > 0) perNetwork.set(entry.network, left)
    else perNetwork.delete(entry.network)
  }
  const expire = () => {
    const now = clock.now()
    for (const [key, { until }] of waiting) {
      if (until > now) return
      remove(key)
    }
  }
  const peek = (secret: string) => {
    expire()
    return waiting.get(digest(secret))?.value
  }
  return {
    put: (value, address) => {
      expire()
      const network = prefixOf(withoutMapping(address))
      const ofNetwork = perNetwork.get(network) ?? 0
      if (waiting.size >= most || ofNetwork >= mostPerAddress)
        throw new BrokerError('RATE_LIMITED', 'too many sign-ins are waiting')
      const secret = randomBytes(32).toString('base64url')
      waiting.set(digest(secret), { value, until: clock.now() + ttlMs, network })
      perNetwork.set(network, ofNetwork + 1)
      return secret
    },
    peek,
    take: (secret) => {
      const value = peek(secret)
      remove(digest(secret))
      return value
    },
    get size() {
      expire()
      return waiting.size
    },
  }
}

function digest(secret: string): string {
  return createHash('sha256').update(secret).digest('base64')
}
