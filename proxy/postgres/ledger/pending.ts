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

const leastPlaces = 8

/** A FIFO queue: a ring, so that neither a shift nor a push to an empty one moves or allocates. */
export class Queue<T> {
  /** Their number is a power of two. */
  #places: (T | undefined)[] = Array<undefined>(leastPlaces).fill(undefined)
  #head = 0
  #size = 0

  get size(): number {
    return this.#size
  }

  get first(): T | undefined {
    return this.#places[this.#head]
  }

  /** @param index from the first, 0 */
  at(index: number): T | undefined {
    return index < this.#size ? this.#places[this.#placeOf(index)] : undefined
  }

  push(item: T): void {
    if (this.#size === this.#places.length) this.#resize(this.#size * 2)
    this.#places[this.#placeOf(this.#size)] = item
    this.#size += 1
  }

  shift(): T | undefined {
    if (this.#size === 0) return undefined
    const item = this.#places[this.#head]
    this.#places[this.#head] = undefined
    this.#head = this.#placeOf(1)
    this.#size -= 1
    if (this.#places.length > leastPlaces && this.#size < this.#places.length / 8) this.#resize(this.#places.length / 4)
    return item
  }

  /** Removes and returns all but the first. */
  takeRest(): T[] {
    const rest: T[] = []
    for (let i = 1; i < this.#size; i += 1) rest.push(this.at(i) as T)
    const { first } = this
    this.#places = Array<undefined>(leastPlaces).fill(undefined)
    this.#head = 0
    this.#size = Math.min(this.#size, 1)
    this.#places[0] = first
    return rest
  }

  #placeOf(index: number): number {
    return (this.#head + index) & (this.#places.length - 1)
  }

  #resize(places: number): void {
    const moved = Array<T | undefined>(Math.max(places, leastPlaces)).fill(undefined)
    for (let i = 0; i < this.#size; i += 1) moved[i] = this.at(i)
    this.#places = moved
    this.#head = 0
  }
}
