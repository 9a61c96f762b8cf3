import { BrokerError } from '../session.ts'

/** Unanswered requests at which reading from the client pauses. Some drivers pipeline tens of thousands. */
const mostRequests = 100_000
/** What is kept of them, in bytes. A server flushes its short answers every 8 KB, so a pipeline without a Sync must fit in. */
const mostBytes = 64 * 1024 * 1024
/** How long a full backlog may go without a single answer. */
const stuckMs = 300_000

/** Requests that wait for their answers. A full backlog pauses the client; one that does not move ends the session. */
export class Backlog {
  readonly #onStuck: (error: BrokerError) => void
  #timer: NodeJS.Timeout | undefined
  isFull = false

  constructor(onStuck: (error: BrokerError) => void) {
    this.#onStuck = onStuck
  }

  /** The client has sent something. @param bytes kept of the requests that wait */
  grew(requests: number, bytes: number): void {
    if (this.isFull || (requests <= mostRequests && bytes <= mostBytes)) return
    this.isFull = true
    this.#timer = setTimeout(() => this.#onStuck(stuck()), stuckMs)
  }

  /** The server has sent something. @returns whether the client may go on now */
  shrank(requests: number, bytes: number): boolean {
    if (!this.isFull) return false
    if (requests >= mostRequests / 2 || bytes >= mostBytes / 2) {
      this.#timer?.refresh()
      return false
    }
    this.stop()
    this.isFull = false
    return true
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}

function stuck(): BrokerError {
  const hint = 'Read the answers, and send Sync more often.'
  return new BrokerError('LIMIT_REACHED', 'too many requests have waited too long for their answers', { hint })
}
