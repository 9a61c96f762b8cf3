import { Value } from 'typebox/value'
import { BrokerError, toErrorFacts } from '../../proxy/session.ts'
import { type PeerAnswer, type PeerAsk, type PeerCall, peerCalls } from '../contract/peers.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import { type MessageHead, openBody, type PeerKeys, type SignedMessage, signMessage } from './peer-message.ts'
import { pathOf } from './peers.ts'

/** What this daemon does for others. A BrokerError reaches the one that asked. */
export type PeerHandlers = { readonly [C in PeerCall]: (ask: PeerAsk<C>) => Promise<PeerAnswer<C>> }

export interface PeerAnswersDeps {
  readonly keyring: PeerKeys
  readonly clock: Clock
  readonly logger: Pick<Logger, 'error'>
  readonly daemonId: string
  readonly handlers: PeerHandlers
}

/**
 * Answers a message whose head was let in.
 * @throws BrokerError PEER_REFUSED when its body is another one
 */
export async function answerPeer(
  { keyring, clock, logger, daemonId, handlers }: PeerAnswersDeps,
  what: PeerCall,
  head: MessageHead,
  body: Uint8Array,
): Promise<SignedMessage> {
  const ask = openBody(keyring, head, body)
  if (ask === undefined || !Value.Check(peerCalls[what].ask, ask)) throw new BrokerError('PEER_REFUSED')
  const handle = handlers[what] as (ask: unknown) => Promise<unknown>
  const content = await handle(ask).catch((error: unknown) => {
    const { code, detail = null } = toErrorFacts(error)
    if (code === 'INTERNAL') logger.error({ err: error, what }, 'a call by another daemon failed')
    return { code, detail }
  })
  return signMessage(keyring, { side: 'answer', from: daemonId, path: pathOf(what) }, content, clock.now(), head.nonce)
}
