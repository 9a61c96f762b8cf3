import type { EntryWriter } from '../recording/entry-writer.ts'
import type { BrokerError } from '../session.ts'
import type { Budget } from './budget.ts'

/** Reads one direction of a session's bytes in place. */
export interface Reader {
  /**
   * @returns how many bytes of the chunk may go on: all, or those before the message at which the conversation stopped
   * @throws WireError or BrokerError for what the protocol does not allow; then none may
   */
  scan(chunk: Buffer): number
  /** What was scanned ends with a whole message. */
  readonly atBoundary: boolean
}

/** The messages of client and server, matched by the engine of their protocol; it also writes the recording's entries. */
export interface Conversation {
  readonly up: Reader
  readonly down: Reader
  /** Called before the chunk of either side is scanned. @param now by `performance.now()` */
  tick(now: number): void
  /** Requests that wait for their answer. */
  readonly waiting: number
  /** When an answer came last, by `performance.now()`. */
  readonly settledAt: number
  /** The client has sent its terminate message. */
  readonly clientHasLeft: boolean
  /** The server has reported why it closes. */
  readonly serverHasLeft: boolean
  /** From now on the server's stream stops at the next message boundary. */
  close(): void
  /** Why the server's stream stopped before the end of a chunk, when it was not closed. */
  overLimit(): BrokerError
  /**
   * Writes what is known of each waiting request that came before `since` and has no entry yet.
   * @param since by `performance.now()`
   * @returns whether later ones are left
   * @throws BrokerError RECORDING_FAILED
   */
  begin(since: number): boolean
  /**
   * Records the requests that will not be answered any more.
   * @param unsent how many of the last were not forwarded
   * @throws BrokerError RECORDING_FAILED
   */
  finish(unsent: number): void
}

/** Dependencies of a conversation. */
export interface ConversationParts {
  readonly entries: EntryWriter
  /** Counts each row before it is returned, and stops before the one that is too many. */
  readonly budget: Budget
  /** Epoch milliseconds. */
  readonly now: () => number
  onStatement(seconds: number): void
}
