import { sizeOf } from '../../recording/captured.ts'
import type { Names } from './names.ts'
import type { ClientRequest } from './pending.ts'

/** Of an entry without texts: times, tags, a short error. */
const entryBytes = 256

/**
 * How much room the entry of a request needs, about, before the server has answered the requests ahead of it. An Execute repeats
 * the text and the values of what it runs; which these are is known once its Parse and Bind are accepted, so as long as any wait
 * the longest counts.
 */
export class Room {
  readonly #names: Names
  #longestParse = 0
  #longestBind = 0

  constructor(names: Names) {
    this.#names = names
  }

  /** No request waits. */
  reset(): void {
    this.#longestParse = 0
    this.#longestBind = 0
  }

  /** @returns bytes */
  of(request: ClientRequest): number {
    switch (request.kind) {
      case 'query':
        return entryBytes + sizeOf(request.sql)
      case 'parse': {
        const size = sizeOf(request.sql)
        if (size > this.#longestParse) this.#longestParse = size
        return entryBytes + size
      }
      case 'bind': {
        const known = sizeOf(this.#names.statement(request.statement)?.sql)
        const size = Math.max(known, this.#longestParse) + request.bytes
        if (size > this.#longestBind) this.#longestBind = size
        return entryBytes + size
      }
      case 'execute': {
        const portal = this.#names.portal(request.portal)
        const known = portal ? portal.bytes + sizeOf(portal.statement?.sql) : 0
        return entryBytes + Math.max(known, this.#longestBind)
      }
      default:
        return entryBytes
    }
  }
}
