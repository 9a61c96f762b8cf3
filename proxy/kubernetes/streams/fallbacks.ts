import type { BrokerError } from '../../session.ts'
import type { StreamSession } from './stream-session.ts'

/** kubectl asks again at once. */
const waitMs = 5000
const mostWaiting = 1000

interface Waiting {
  readonly what: StreamSession | BrokerError
  readonly timer: NodeJS.Timeout
}

/**
 * Clients that were refused a websocket ask for the same by SPDY at once, whatever the answer was. Both are one action: the session of the first
 * waits for the second, and a refusal by the broker holds for both.
 */
export class Fallbacks {
  readonly #waiting = new Map<string, Waiting>()

  /** @param key the same for both */
  keep(key: string, what: Waiting['what']): void {
    this.#drop(key)
    const [oldest] = this.#waiting.keys()
    if (oldest !== undefined && this.#waiting.size >= mostWaiting) this.#drop(oldest)
    this.#waiting.set(key, { what, timer: setTimeout(() => this.#drop(key), waitMs).unref() })
  }

  /** What became of the websocket; undefined: there was none, or it is too long ago. */
  take(key: string): Waiting['what'] | undefined {
    const waiting = this.#waiting.get(key)
    if (!waiting) return undefined
    clearTimeout(waiting.timer)
    this.#waiting.delete(key)
    return 'isOver' in waiting.what && waiting.what.isOver ? undefined : waiting.what
  }

  /** No second attempt is waited for any more. */
  clear(): void {
    for (const key of [...this.#waiting.keys()]) this.#drop(key)
  }

  #drop(key: string): void {
    const what = this.take(key)
    if (what && 'giveUp' in what) what.giveUp()
  }
}
