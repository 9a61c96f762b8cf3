import type { Captured, Cut } from '../../recording/captured.ts'
import type { Copied } from '../../recording/passing-digest.ts'
import type { BindMessage, FunctionCallMessage } from '../../wire/postgres/messages.ts'

export interface StatementError {
  readonly code: string
  readonly message: string
  readonly position?: string
}

/** A client message that is answered, as far as it is recorded. Names are bytes read as Latin-1: they must only be told apart. */
export type Asked =
  | { readonly kind: 'query'; readonly sql: Captured }
  | { readonly kind: 'parse'; readonly name: string; readonly sql: Captured; readonly oids: readonly number[] }
  | {
      readonly kind: 'bind'
      readonly portal: string
      readonly statement: string
      /** Undefined: too long to keep. */
      readonly message: BindMessage | undefined
      readonly cut?: Cut | undefined
      readonly bytes: number
    }
  | { readonly kind: 'describe' | 'close'; readonly what: 'statement' | 'portal'; readonly name: string }
  | { readonly kind: 'execute'; readonly portal: string }
  | {
      readonly kind: 'function-call'
      readonly message: FunctionCallMessage | undefined
      readonly cut?: Cut | undefined
    }
  | { readonly kind: 'sync' }

/** A client message whose answer is to come, and what has come of it (PostgreSQL documentation, "Message Flow"). */
export class Pending {
  readonly asked: Asked
  /** When it was forwarded, epoch milliseconds. */
  readonly at: number
  /** The same by the monotonic clock. */
  readonly since: number
  rows = 0
  /** Of the statement that runs now; a query may hold several. */
  rowsOfStatement = 0
  /** Something came that must precede the ReadyForQuery of a query or function call. */
  isAnswered = false
  readonly tags: string[] = []
  error: StatementError | undefined
  copyIn: Copied | undefined
  copyOut: Copied | undefined

  constructor(asked: Asked, at: number, since: number) {
    this.asked = asked
    this.at = at
    this.since = since
  }
}

/** First in, first out, without moving what is in it. */
export class Queue<T> {
  #items: (T | undefined)[] = []
  #head = 0

  get size(): number {
    return this.#items.length - this.#head
  }

  get first(): T | undefined {
    return this.#items[this.#head]
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

  /** Takes out all but the first, and gives it. */
  takeRest(): T[] {
    return this.#items.splice(this.#head + 1) as T[]
  }
}
