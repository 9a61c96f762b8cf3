import type { Ending } from '../ending.ts'
import { BrokerError, type EndNotice } from '../session.ts'
import { WireError } from '../wire/wire-error.ts'

/** How the client's own protocol reports why a connection ends. */
export interface Words {
  /** `cause` never leaves the broker. */
  error(error: BrokerError): Buffer
  cut(notice: EndNotice): Buffer
  /** That the session is about to end, between two messages. Left out: the protocol has no way to say so. */
  ending?(ending: Ending): Buffer
}

/** What a client is told; said once nothing more is forwarded, since it may depend on what was. */
export type Say = (words: Words) => Buffer

/** The error to report to a client for anything thrown: what it must not see becomes INTERNAL, with the cause kept for the log. */
export function toBrokerError(error: unknown): BrokerError {
  if (error instanceof BrokerError) return error
  if (error instanceof WireError) return new BrokerError('PROTOCOL_ERROR', error.message, { cause: error })
  return new BrokerError('INTERNAL', undefined, { cause: error })
}
