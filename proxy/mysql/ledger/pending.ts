import type { Captured, Truncated } from '../../recording/captured.ts'
import type { Copied } from '../../recording/passing-digest.ts'
import type { StatementError } from '../../recording/statement-entry.ts'
import { command } from '../../wire/mysql/commands.ts'
import type { Bound } from './bound.ts'
import type { Prepared } from './prepared.ts'

/** What is recorded of a command that the server or the broker answers. */
export type Request =
  | { readonly kind: 'query'; readonly sql: Captured; readonly files: readonly (string | undefined)[] }
  | { readonly kind: 'parse'; readonly sql: Captured }
  | { readonly kind: 'execute'; readonly bound: Bound; readonly cut?: Truncated }
  | { readonly kind: 'fetch'; readonly id: number; readonly statement: Prepared | undefined }
  | { readonly kind: 'reset'; readonly id: number }
  /** `detail` is a database, a table, a number. */
  | { readonly kind: 'command'; readonly name: string; readonly detail?: string }
  /** Not recorded. */
  | { readonly kind: 'ping' }

/** Of nearly every request, so that it needs none of its own. Never written to. */
const none: string[] = []
const mostTags = 100

/** A command that waits for its answer, with what has arrived of it. */
export class Pending {
  readonly command: number
  readonly request: Request
  /** When it was forwarded, epoch milliseconds. */
  readonly at: number
  /** The same, by the monotonic clock. */
  readonly since: number
  /** Bytes reserved for its entry. */
  readonly room: number
  /** Id of the packet that answers it. */
  readonly sequence: number
  /** Of its entry that says that it runs; 0: there is none. */
  number = 0
  rows = 0
  /** Rows of the result that arrives now; one command may have several. */
  rowsOfResult = 0
  tags = none
  /** The current database, once the server says that it changed. */
  database: string | undefined
  error: StatementError | undefined
  copyIn: Copied | undefined

  constructor(made: Pick<Pending, 'command' | 'request' | 'at' | 'since' | 'room' | 'sequence'>) {
    this.command = made.command
    this.request = made.request
    this.at = made.at
    this.since = made.since
    this.room = made.room
    this.sequence = made.sequence
  }

  get isRecorded(): boolean {
    return this.request.kind !== 'ping'
  }

  get isStatement(): boolean {
    return this.command === command.query || this.command === command.execute || this.command === command.fetch
  }

  addTag(tag: string): void {
    if (this.tags === none) this.tags = [tag]
    else if (this.tags.length < mostTags) this.tags.push(tag)
  }
}
