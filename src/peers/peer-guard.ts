import { BrokerError } from '../../proxy/session.ts'
import type { Clock } from '../telemetry/clock.ts'
import { isSigned, type MessageHead, type PeerKeys, peerHeader, readHead } from './peer-message.ts'

/** How far the clocks of two daemons may differ, and how long a message is on its way. */
const skewMs = 5000
/** A nonce can be of a clock that is ahead: remembered until its time is over by any clock. */
const rememberMs = 2 * skewMs
const mostNonces = 100_000

/** What the guard sees of a request before its body is read. */
export interface PeerRequest {
  readonly url: string
  readonly headers: Readonly<Record<string, unknown>>
}

/** Lets in other daemons of the installation, each message once. */
export class PeerGuard {
  readonly #keys: PeerKeys
  readonly #clock: Clock
  /** Id of this daemon. */
  readonly #self: string
  /** When each arrived, oldest first. Only of messages that were signed. */
  readonly #nonces = new Map<string, number>()

  constructor(deps: { readonly keyring: PeerKeys; readonly clock: Clock; readonly daemonId: string }) {
    this.#keys = deps.keyring
    this.#clock = deps.clock
    this.#self = deps.daemonId
  }

  /** @throws BrokerError PEER_REFUSED, which does not say why */
  admit({ url, headers }: PeerRequest): MessageHead {
    const now = this.#clock.now()
    const head = readHead(headers[peerHeader])
    const isGood =
      head !== undefined &&
      isSigned(this.#keys, { side: 'ask', to: this.#self, path: url }, head) &&
      Math.abs(now - head.time) <= skewMs &&
      this.#isNew(head.nonce, now)
    if (!isGood) throw new BrokerError('PEER_REFUSED')
    return head
  }

  #isNew(nonce: string, now: number): boolean {
    for (const [old, at] of this.#nonces) {
      if (Math.abs(now - at) <= rememberMs) break
      this.#nonces.delete(old)
    }
    if (this.#nonces.has(nonce) || this.#nonces.size >= mostNonces) return false
    this.#nonces.set(nonce, now)
    return true
  }
}
