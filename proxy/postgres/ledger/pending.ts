import type { Captured, Truncated } from '../../recording/captured.ts'
import type { Copied } from '../../recording/passing-digest.ts'
import type { StatementError } from '../../recording/statement-entry.ts'
import type { BoundValues } from './bound-values.ts'

/** A client message that the server answers: what is recorded of it. Names are bytes read as Latin-1, since they only need to be distinct. */
export type ClientRequest =
  | { readonly kind: 'query'; readonly sql: Captured }
  | { readonly kind: 'parse'; readonly name: string; readonly sql: Captured; readonly oids: readonly number[] }
  | {
      readonly kind: 'bind'
      readonly portal: string
      readonly statement: string
      readonly values: BoundValues
      /** Too long to keep. */
      readonly cut?: Truncated | undefined
      /** What is kept. */
      readonly bytes: number
    }
  | { readonly kind: 'describe' | 'close'; readonly what: 'statement' | 'portal'; readonly name: string }
  | { readonly kind: 'execute'; readonly portal: string }
  | {
      readonly kind: 'function-call'
      readonly oid: number
      readonly values: BoundValues
      readonly cut?: Truncated | undefined
    }
  | { readonly kind: 'sync' }

/** Of nearly every request, so that it needs none of its own. Never written to. */
const none: string[] = []
/** Kept of one request. */
const mostTags = 100

/** A client message that waits for its answer, with what has arrived of it (PostgreSQL documentation, "Message Flow"). */
export class Pending {
  readonly request: ClientRequest
  /** Of the request. Requests have many shapes, so reading it there takes longer. */
  readonly kind: ClientRequest['kind']
  /** When it was forwarded, epoch milliseconds. */
  readonly at: number
  /** The same, by the monotonic clock. */
  readonly since: number
  /** Bytes reserved for its entry. */
  readonly room: number
  /** Of its entry that says that it runs; 0: there is none. */
  number = 0
  rows = 0
  /** Rows of the statement running now; a query may hold several. */
  rowsOfStatement = 0
  /** An answer arrived that must precede the ReadyForQuery of a query or function call. */
  isAnswered = false
  tags = none
  /** Statements of a query that have completed; tags are kept of the first only. */
  completed = 0
  error: StatementError | undefined
  copyIn: Copied | undefined
  copyOut: Copied | undefined

  constructor(request: ClientRequest, at: number, since: number, room: number) {
    this.request = request
    this.kind = request.kind
    this.at = at
    this.since = since
    this.room = room
  }

  addTag(tag: string): void {
    if (this.tags === none) this.tags = [tag]
    else if (this.tags.length < mostTags) this.tags.push(tag)
  }
}
