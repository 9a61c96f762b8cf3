import type { EntryWriter } from '../recording/entry-writer.ts'
import type { BrokerError } from '../session.ts'

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

/** What client and server say to each other, put together by the engine of their protocol; entries are written on the way. */
export interface Conversation {
  readonly up: Reader
  readonly down: Reader
  /** Called before the chunk of either side is scanned. */
  tick(): void
  /** A statement is running, or waits to. */
  readonly isBusy: boolean
  /** Requests that wait for their answer. */
  readonly waiting: number
  /** When an answer came last, by `performance.now()`. */
  readonly settledAt: number
  /** The client has said that it leaves. */
  readonly clientHasLeft: boolean
  /** The server has said why it closes. */
  readonly serverHasLeft: boolean
  /** From now on the server's stream stops before the next message that has not begun. */
  close(): void
  /** Why the server's stream stopped before the end of a chunk, when it was not closed. */
  overLimit(): BrokerError
  /** Records what waits for an answer that will not come. @throws BrokerError RECORDING_FAILED */
  finish(): void
}

/** What a conversation is given when it begins. */
export interface ConversationParts {
  readonly entries: EntryWriter
  /** Epoch milliseconds. */
  readonly now: () => number
  onStatement(seconds: number): void
}
