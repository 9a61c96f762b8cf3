import type { Duplex } from 'node:stream'
import type { SessionPermit } from '../session.ts'

/** A stream to a session's target. */
export interface Wire {
  readonly stream: Duplex
  /** A second stream to the same address, since the name may resolve elsewhere by now: to cancel, or to end a backend. */
  again(signal: AbortSignal): Promise<Duplex>
  /** The address that was reached, which its name may not lead to any more. */
  readonly address: { readonly host: string; readonly port: number }
  /** Drops the stream at once: what the target has not received yet is lost, where the way there allows it. */
  reset(): void
}

/** The way to targets. Engines ask it for a {@link Wire} and never open TCP themselves. */
export interface Reach {
  /**
   * @param signal aborts the attempt
   * @throws BrokerError TARGET_UNREACHABLE; INTERNAL without a genuine permit, or when the permit was cut
   */
  open(permit: SessionPermit, signal: AbortSignal): Promise<Wire>
}
