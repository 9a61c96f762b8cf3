import type { Captured, Truncated } from '../../recording/captured.ts'
import type { Copied } from '../../recording/passing-digest.ts'
import type { BoundValues } from './bound-values.ts'

export interface StatementError {
  readonly code: string
  readonly message: string
  readonly position?: string
}

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

/** A client message that waits for its answer, with what has arrived of it (PostgreSQL documentation, "Message Flow"). */
export class Pending {
  readonly request: ClientRequest
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
  readonly tags: string[] = []
  /** Statements of a query that have completed; tags are kept of the first only. */
  completed = 0
  error: StatementError | undefined
  copyIn: Copied | undefined
  copyOut: Copied | undefined

  constructor(request: ClientRequest, at: number, since: number, room: number) {
    this.request = request
    this.at = at
    this.since = since
    this.room = room
  }
}

/** A FIFO queue that does not move its items on each shift. */
export class Queue<T> {
  #items: (T | undefined)[] = []
  #head = 0

  get size(): number {
    return this.#items.length - this.#head
  }

  get first(): T | undefined {
    return this.#items[this.#head]
  }

  /** @param index from the first, 0 */
  at(index: number): T | undefined {
    return this.#items[this.#head + index]
  }

  push(item: T): void {
    this.#items.push(item)
  }

  shift(): T | undefined {
    if (this.#head >= this.#items.length) return undefined
    const item = this.#items[this.#head]
    this.#items[this.#head] = undefined
    this.#head += 1
    if (this.#head >= this.#items.length) {
      this.#items.length = 0
      this.#head = 0
    } else if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return item
  }

  /** Removes and returns all but the first. */
  takeRest(): T[] {
    return this.#items.splice(this.#head + 1) as T[]
  }
}
