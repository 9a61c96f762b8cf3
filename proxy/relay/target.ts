import type { Duplex } from 'node:stream'

/** A signed-in connection to a target, not read beyond the sign-in. */
export interface Target {
  readonly stream: Duplex
  /** Bytes that arrived after the sign-in. */
  readonly ahead: Buffer
  /** The protocol's message that ends a connection. */
  readonly farewell: Buffer
  /** Asks the target to stop the running statement. @throws BrokerError when it can't be reached */
  cancel(): Promise<void>
}
