import type { Incomplete } from '../../recording/statement-entry.ts'
import type { EntryText } from '../../recording/usual-entry.ts'
import type { ConversationParts } from '../../relay/conversation.ts'
import type { Pending } from './pending.ts'
import type { Prepared } from './prepared.ts'
import { toBegunEntry, toEntry, toUnrunEntry } from './statement-record.ts'

/** Writes the entries of one session's commands. */
export class EntryLog {
  readonly #parts: Pick<ConversationParts, 'entries' | 'onStatement'>
  #numbers = 0
  /** When the last statement ended; the next one in a pipeline begins then. */
  #doneAt = 0

  constructor(parts: Pick<ConversationParts, 'entries' | 'onStatement'>) {
    this.#parts = parts
  }

  /** It runs still; the final entry has the same number. */
  begun(pending: Pending): void {
    if (pending.number > 0 || !pending.isRecorded) return
    this.#numbers += 1
    pending.number = this.#numbers
    const { request } = pending
    if (request.kind === 'execute' && request.bound.statement) request.bound.statement.isShown = true
    this.#parts.entries.write(toBegunEntry(pending))
  }

  /** @param since when it ended, by `performance.now()` */
  ended(pending: Pending, since: number, incomplete?: Incomplete): void {
    const isUnsent = incomplete === 'unsent'
    const seconds = isUnsent ? 0 : (since - Math.max(pending.since, this.#doneAt)) / 1000
    this.#doneAt = since
    this.#write(toEntry(pending, seconds, incomplete))
    if (pending.isStatement && !isUnsent) this.#parts.onStatement(seconds)
  }

  /** The broker has answered it. A KILL that was carried out is no refusal. */
  answered(pending: Pending, since: number): void {
    this.#write(toEntry(pending, (since - pending.since) / 1000, pending.error ? 'refused' : undefined))
  }

  /** A statement that is too long to remember: each execution is recorded without its text. */
  forgotten(pending: Pending): void {
    this.#write(toEntry(pending, 0))
  }

  /** A statement that no entry has shown, since it was never executed. */
  unrun(statement: Prepared | undefined): void {
    if (!statement || statement.isShown) return
    statement.isShown = true
    this.#parts.entries.write(toUnrunEntry(statement))
  }

  #write({ text, isPlain }: EntryText): void {
    this.#parts.entries.write(text, isPlain)
  }
}
