import type { Duplex } from 'node:stream'
import type { Lease } from '../session.ts'

/** A signed-in connection to a target, not read beyond the sign-in. */
export interface Target {
  readonly stream: Duplex
  /** Bytes that arrived after the sign-in. */
  readonly ahead: Buffer
  /** The protocol's message that ends a connection. */
  readonly farewell: Buffer
  /** Asks the target to stop the running statement. @throws BrokerError when it can't be reached */
  cancel(): Promise<void>
  /** Drops the connection at once: what the target has not received is lost, and it cannot send an answer any more. */
  reset(): void
  /** Undefined: the target gave no proof of who serves the connection, e.g. because a pooler stands between. */
  readonly work?: TargetWork
}

/** What a target does for one connection, and the way to end it. */
export interface TargetWork {
  /**
   * Ends it by a second connection to the same address, after proof that server and session are the same. Resolves when it is
   * gone.
   * @throws BrokerError TARGET_UNREACHABLE, TARGET_REFUSED …
   */
  end(lease: Promise<Lease>, signal: AbortSignal): Promise<void>
}
