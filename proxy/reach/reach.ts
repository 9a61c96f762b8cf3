import type { Duplex } from 'node:stream'
import type { SessionPermit } from '../session.ts'

/** A stream to a session's target. */
export interface Wire {
  readonly stream: Duplex
  /** A second stream to the same address, since the name may resolve elsewhere by now: to cancel, or to end a backend. */
  again(signal: AbortSignal): Promise<Duplex>
}

/** The way to targets. Engines ask it for a {@link Wire} and never open TCP themselves. */
export interface Reach {
  /**
   * @param signal aborts the attempt
   * @throws BrokerError TARGET_UNREACHABLE; INTERNAL without a genuine permit, or when the permit was cut
   */
  open(permit: SessionPermit, signal: AbortSignal): Promise<Wire>
}
