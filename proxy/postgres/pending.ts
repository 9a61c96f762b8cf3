import type { BindMessage, FunctionCallMessage } from '../wire/postgres/messages.ts'
import type { Captured } from './captured.ts'

interface Common {
  /** When it was forwarded: epoch milliseconds, and `performance.now()`. */
  readonly at: number
  readonly since: number
}

/** What happened while a statement ran. */
export interface Progress {
  rows: number
  readonly tags: string[]
  error?: StatementError
  copyIn?: { bytes: number; messages: number; sha256?: string }
  copyOut?: { bytes: number; messages: number }
}

export interface StatementError {
  readonly code: string
  readonly message: string
  readonly position?: string
}

/** A client message whose answer is to come (PostgreSQL documentation, "Message Flow"). */
export type Pending = Common & Progress & Asked

export type Asked =
  | { readonly kind: 'query'; readonly sql: Captured }
  | { readonly kind: 'parse'; readonly name: string; readonly sql: Captured; readonly oids: readonly number[] }
  | {
      readonly kind: 'bind'
      readonly portal: string
      readonly statement: string
      /** Undefined: too long to keep. */
      readonly message: BindMessage | undefined
      readonly cut?: Captured['cut']
    }
  | { readonly kind: 'describe' | 'close'; readonly what: 'statement' | 'portal'; readonly name: string }
  | { readonly kind: 'execute'; readonly portal: string }
  | {
      readonly kind: 'function-call'
      readonly message: FunctionCallMessage | undefined
      readonly cut?: Captured['cut']
    }
  | { readonly kind: 'sync' }

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

  /** Takes out what matches, wherever it is. */
  remove(matches: (item: T) => boolean): void {
    this.#items = this.#items.slice(this.#head).filter((item) => item === undefined || !matches(item))
    this.#head = 0
  }
}
