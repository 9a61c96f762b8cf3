import type { Duplex } from 'node:stream'
import type { EntryWriter } from '../recording/entry-writer.ts'
import type { BrokerError } from '../session.ts'
import type { Budget } from './budget.ts'
import type { Words } from './words.ts'

/** Reads one direction of a session's bytes in place. */
export interface Reader {
  /**
   * @returns how many bytes of the chunk may go on: all, or those before the message at which the conversation stopped
   * @throws WireError or BrokerError for what the protocol does not allow; then none may
   */
  scan(chunk: Buffer): number
  /** What may go on of all that was scanned ends with a whole message. */
  readonly atBoundary: boolean
}

/** What of the client's bytes goes on when not all of a chunk does. */
export interface PartialPass {
  /** What is forwarded now: bytes that were kept back before come first. */
  readonly passing: Buffer
  /** Only when the next message is one that the broker answers: what the client sent after it, to be scanned after the answer. */
  readonly rest?: Buffer
}

/**
 * Both sides, lent to a conversation that answers a message: nothing else is under way then. What passes between the broker and
 * one of them is neither scanned nor recorded.
 */
export interface Sides {
  /** @throws what `use` throws, and the session ends */
  target<T>(use: (stream: Duplex) => Promise<T>): Promise<T>
  /** With what it sent after the message; what `use` leaves is read when the message has been answered. @throws as `target` */
  client<T>(use: (stream: Duplex) => Promise<T>): Promise<T>
}

/** The messages of client and server, matched by the engine of their protocol; it also writes the recording's entries. */
export interface Conversation {
  readonly up: Reader
  readonly down: Reader
  /** How this client is told why its session ends, where that depends on what it was sent before. Left out: as every client is. */
  readonly words?: Words
  /**
   * Called after `up` has let less than a whole chunk go on: it keeps a message back until it has seen enough of it, or because
   * the broker answers it. Left out: `up` keeps nothing back.
   * @param chunk that was scanned
   */
  takePassing?(chunk: Buffer): PartialPass
  /**
   * Answers the message that was kept back; its bytes are forgotten. Called once all that was forwarded before has been answered,
   * and not before the message is on file where recordings are strict. Empty: the message has no answer.
   * @throws BrokerError RECORDING_FAILED, or whatever ends the session
   */
  answer?(sides: Sides): Buffer | Promise<Buffer>
  /** A notice between two messages would confuse clients now. Left out: never. */
  readonly mustBeQuiet?: boolean
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
