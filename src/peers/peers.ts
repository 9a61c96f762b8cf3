import { Value } from 'typebox/value'
import { BrokerError, type ErrorCode, errors } from '../../proxy/session.ts'
import { type PeerAnswer, type PeerAsk, type PeerCall, PeerProblem, peerCalls } from '../contract/peers.ts'
import type { Clock } from '../telemetry/clock.ts'
import { isSigned, openBody, type PeerKeys, peerHeader, readHead, signMessage } from './peer-message.ts'
import { postToPeer } from './peer-request.ts'

/** Another daemon of the installation. */
export interface Peer {
  readonly id: string
  /** For people. */
  readonly name: string
  /** `server.peer_url`; null: it has none. */
  readonly url: string | null
}

export interface PeersDeps {
  readonly keyring: PeerKeys
  readonly clock: Clock
  /** `server.public_url` */
  readonly publicUrl: string
  /** For one call, from the connection to the last byte of its answer; 2 s by default. */
  readonly timeoutMs?: number
}

export const pathOf = (what: PeerCall) => `/internal/peer/${what}`

/** Asks other daemons. */
export class Peers {
  readonly #deps: PeersDeps

  constructor(deps: PeersDeps) {
    this.#deps = deps
  }

  /**
   * @throws BrokerError PEER_UNREACHABLE when there is no answer that the daemon itself gave; else what it refuses with, e.g.
   *   NOT_FOUND
   */
  async call<C extends PeerCall>(peer: Peer, what: C, ask: PeerAsk<C>): Promise<PeerAnswer<C>> {
    try {
      const answer = await this.#exchange(peer, what, ask)
      if (Value.Check(peerCalls[what].answer, answer)) return answer as PeerAnswer<C>
      if (Value.Check(PeerProblem, answer) && answer.code in errors)
        throw new BrokerError(answer.code as ErrorCode, answer.detail ?? undefined)
      throw new Error('its answer has another form')
    } catch (cause) {
      throw cause instanceof BrokerError ? cause : unreachable(peer, (cause as Error).message, cause)
    }
  }

  async #exchange(peer: Peer, what: PeerCall, ask: unknown): Promise<unknown> {
    const { keyring, clock, publicUrl, timeoutMs = 2000 } = this.#deps
    if (peer.url === null) throw new Error('it has no server.peer_url')
    const path = pathOf(what)
    const { header, nonce, body } = signMessage(keyring, { side: 'ask', to: peer.id, path }, ask, clock.now())
    const headers = { 'content-type': 'application/octet-stream', [peerHeader]: header }
    const response = await postToPeer(
      new URL(path, peer.url),
      { headers, body },
      { publicHost: new URL(publicUrl).hostname, signal: AbortSignal.timeout(timeoutMs) },
    )
    const head = readHead(response.headers[peerHeader])
    if (!head || head.nonce !== nonce || !isSigned(keyring, { side: 'answer', from: peer.id, path }, head))
      throw new Error(`its answer, of status ${response.status}, is not signed`)
    const content = openBody(keyring, head, response.body)
    if (content === undefined) throw new Error('its answer was changed on its way')
    return content
  }
}

function unreachable({ name, url }: Peer, why: string, cause: unknown): BrokerError {
  const where = url === null ? name : `${name} at ${url}`
  return new BrokerError('PEER_UNREACHABLE', `${where}: ${why}`, { cause })
}
