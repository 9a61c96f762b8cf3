import type { Identity, StreamTo } from '../../proxy/doorman.ts'
import type {
  ChannelKey,
  ChannelKeyAsk,
  ChannelTicket,
  EngineFacts,
  FailedLease,
  Lease,
  PermitFacts,
} from '../../proxy/session.ts'
import type { Held } from '../catalog/kind.ts'

/** An open session as its kind sees it. */
export interface KnownSession {
  readonly facts: PermitFacts
  /** What the catalog read of resource and level. */
  readonly held: Held
  /** By which it was opened. */
  readonly credential: Identity['credential']
}

/** The Session Manager sessions that carry those of a kind. All throw BrokerError AWS_DENIED, AWS_UNAVAILABLE, LOGIN_REQUIRED. */
export interface SessionChannels {
  /**
   * What opens the next websocket of a session.
   * @param command what it runs instead of a shell; counts with the first
   * @returns null: it is over
   * @throws BrokerError TARGET_UNREACHABLE, TARGET_REFUSED too
   */
  ticket(session: KnownSession, command?: string): Promise<ChannelTicket | null>
  /** What it is encrypted with. @throws BrokerError TARGET_UNTRUSTED: not with what the level names */
  key(session: KnownSession, ask: ChannelKeyAsk): Promise<ChannelKey>
  /** Ends that of a session which is over. */
  end(session: KnownSession): Promise<void>
  /**
   * The same of one of a previous run, which is found by the session's id, and what else that left to the same person.
   * @param isLeft whether a Session Manager session was left by that run, by the reason that it was started with
   */
  endLost(session: KnownSession, isLeft: (reason: string) => boolean): Promise<void>
}

/** What sessions need from kinds; implemented by src/kinds/started-kinds.ts. */
export interface SessionKinds {
  /** Undefined: the kind carries its own sessions. */
  protocolOf(kind: string): string | undefined
  /** All by which clients may come. */
  protocolsOf(kind: string): readonly string[]
  /** Null for kinds that carry no bytes. @throws BrokerError GRANT_DENIED when the level does not let a stream lead there */
  engineOf(held: Held, to?: StreamTo): EngineFacts | null
  /** Null: it takes waiting for. */
  leaseAtHand(session: KnownSession): Lease | null
  /** @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE, LOGIN_REQUIRED; INTERNAL for a kind without one */
  lease(kind: string, sessionId: string, failed?: FailedLease): Promise<Lease>
  /** For nothing but ending what a session left running. @throws BrokerError what {@link SessionKinds.lease} throws */
  leaseToEnd(session: KnownSession): Promise<Lease>
  /** Undefined: nothing of the kind goes over Session Manager. */
  channelsOf(kind: string): SessionChannels | undefined
}
