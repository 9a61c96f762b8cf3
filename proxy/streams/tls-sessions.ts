import type { SecureContext, TLSSocket } from 'node:tls'

/** A certificate that expires, or a server that is taken out of service, is noticed after this at the latest. */
const longestMs = 10 * 60_000
const mostNames = 1000

interface Kept {
  readonly session: Buffer
  /** Of the handshake in which the certificate was verified, epoch milliseconds. */
  readonly verifiedAt: number
}

/**
 * TLS sessions of servers that have been verified, so that the next connection to the same server is opened without its certificate
 * (RFC 8446, 2.2): that halves the work of both. Each is for one set of roots and one name; a server that does not know it any more
 * does a whole handshake, which is verified as the first was. They identify the broker, and no person.
 */
export class TlsSessions {
  readonly #byContext = new WeakMap<SecureContext, Map<string, Kept>>()
  readonly #now: () => number

  /** @param now epoch milliseconds */
  constructor(now: () => number) {
    this.#now = now
  }

  /** For the next connection; undefined: it needs a whole handshake. */
  find(context: SecureContext, serverName: string): Buffer | undefined {
    const kept = this.#byContext.get(context)?.get(serverName)
    return kept && this.#isFresh(kept) ? kept.session : undefined
  }

  /** Keeps what the server gives on this connection. Call it before the handshake: only what comes after the verification is kept. */
  follow(tls: TLSSocket, context: SecureContext, serverName: string): void {
    let verifiedAt: number | undefined
    tls.once('secureConnect', () => {
      // One that is resumed goes on with the time of the verification, however often it is renewed.
      const before = this.#byContext.get(context)?.get(serverName)?.verifiedAt
      verifiedAt = tls.isSessionReused() ? before : this.#now()
      // Before TLS 1.3 it came within the handshake.
      const session = tls.getProtocol() === 'TLSv1.2' ? tls.getSession() : undefined
      if (session && verifiedAt !== undefined) this.#keep(context, serverName, { session, verifiedAt })
    })
    tls.on('session', (session: Buffer) => {
      if (verifiedAt !== undefined) this.#keep(context, serverName, { session, verifiedAt })
    })
  }

  #keep(context: SecureContext, serverName: string, kept: Kept): void {
    const names = this.#byContext.get(context) ?? new Map<string, Kept>()
    this.#byContext.set(context, names)
    const known = names.get(serverName)
    if (!this.#isFresh(kept) || (known && this.#isFresh(known) && known.verifiedAt > kept.verifiedAt)) return
    if (names.size >= mostNames) names.clear()
    names.set(serverName, kept)
  }

  #isFresh({ verifiedAt }: Kept): boolean {
    const age = this.#now() - verifiedAt
    return age >= 0 && age < longestMs
  }
}
