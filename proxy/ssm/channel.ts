import type { BrokerError, ChannelKey, ChannelKeyAsk, ChannelTicket } from '../session.ts'

/** What the agent said of the session when it began. */
export interface SessionStart {
  /** Null: it began without a handshake, as shells do. */
  readonly sessionType: string | null
  /** Of the document, with its parameters in place. */
  readonly properties: Readonly<Record<string, unknown>> | null
  /** Null: unknown. */
  readonly agentVersion: string | null
  /** Of the account's, for the person; empty: none. */
  readonly message: string
}

/**
 * `closed`: the service ended the session, with its words for the person, which may be empty. `left`: we did.
 * `failed`: it could not be opened, or was lost for too long.
 */
export type ChannelEnd =
  | { readonly reason: 'closed'; readonly text: string }
  | { readonly reason: 'left' }
  | { readonly reason: 'failed'; readonly error: BrokerError }

/** Gets what happens in a channel, in order. What it throws ends the channel; `ended` must not. */
export interface ChannelListener {
  /** Once, before any data. */
  ready(start: SessionStart): void
  /** @param payload a view that stays valid @returns false: nothing more until `DataChannel.resume()` */
  data(payloadType: number, payload: Buffer): boolean
  /** There is room for more to send. */
  room(): void
  /** The agent, or the connection to it, is away or back; what is sent meanwhile waits. */
  away(isAway: boolean): void
  /** Exactly once, and last. */
  ended(end: ChannelEnd): void
}

export interface ChannelOptions {
  /**
   * Asked for each websocket: the first, and those after one was lost, always with fresh credentials.
   * @returns null: the session is over
   * @throws BrokerError AWS_UNAVAILABLE, PROVIDER_UNAVAILABLE: it is asked again after a while; anything else ends the channel
   */
  ticket(signal: AbortSignal): Promise<ChannelTicket | null>
  /** Left out: sessions that must be encrypted are refused. */
  dataKey?(ask: ChannelKeyAsk): Promise<ChannelKey>
  /** Sessions that are not encrypted are refused. */
  readonly isEncrypted?: boolean
  /** Bytes of data in one message; agents send 1,024, and what the service takes is not known. */
  readonly payloadBytes?: number
  /** Unacknowledged at most. */
  readonly windowBytes?: number
  /** Of messages that came before an older one, at most. */
  readonly earlyBytes?: number
  /** Until the agent has begun. */
  readonly readyMs?: number
  /** For how long a lost connection is retried. */
  readonly resumeMs?: number
  /** For how long a connection must have stood for its loss to be a new one, retried at once and for {@link resumeMs} again. */
  readonly stableMs?: number
  readonly pingMs?: number
}
