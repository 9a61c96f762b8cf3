import type { Pending } from './pending.ts'
import type { OwnWork } from './read-command.ts'
import {
  encodeOk,
  encodeRefusal,
  killDenied,
  killFailed,
  type Refusal,
  toStatementError,
  unknownThread,
} from './refusals.ts'

export type KillResult = 'done' | 'unknown' | 'denied'

interface Kept {
  readonly pending: Pending
  readonly work: OwnWork
}

interface OwnParts {
  kill(id: number, what: 'connection' | 'query'): Promise<KillResult>
}

/** The one command that was kept back, until the broker has answered it. */
export class OwnAnswers {
  readonly #parts: OwnParts
  #kept: Kept | undefined

  constructor(parts: OwnParts) {
    this.#parts = parts
  }

  get pending(): Pending | undefined {
    return this.#kept?.pending
  }

  keep(pending: Pending, work: OwnWork): void {
    this.#kept = { pending, work }
  }

  take(): Kept | undefined {
    const kept = this.#kept
    this.#kept = undefined
    return kept
  }

  /** @param status of the last answer */
  async answer(status: number): Promise<{ readonly pending: Pending; readonly packet: Buffer }> {
    const kept = this.#kept
    if (!kept) throw new Error('nothing was kept back')
    const { pending, work } = kept
    const refusal = 'kill' in work ? await this.#kill(work.kill) : work.refusal
    if (refusal) pending.error = toStatementError(refusal)
    else pending.addTag('OK 0')
    const packet = refusal ? encodeRefusal(pending.sequence, refusal) : encodeOk(pending.sequence, status)
    return { pending, packet }
  }

  async #kill({
    id,
    what,
  }: {
    readonly id: number
    readonly what: 'connection' | 'query'
  }): Promise<Refusal | undefined> {
    try {
      const result = await this.#parts.kill(id, what)
      if (result === 'done') return undefined
      return result === 'denied' ? killDenied(id) : unknownThread(id)
    } catch {
      return killFailed
    }
  }
}
