import { BrokerError, type SessionBudget } from '../session.ts'

const unlimited: SessionBudget = { rows: 0, bytes: 0, ms: 0 }
const hint = 'A new session has a new budget; or request a level that allows more.'

/**
 * What one session may take in all, and how much of it is used. The relay counts bytes and time, the conversation rows. Not a
 * protection against a patient reader, who may open the next session.
 */
export class Budget {
  readonly #given: SessionBudget
  readonly mostRows: number
  readonly mostBytes: number
  /** Returned so far, counted by the conversation. */
  rows = 0
  #timer: NodeJS.Timeout | undefined

  constructor(given: SessionBudget = unlimited) {
    this.#given = given
    this.mostRows = given.rows || Number.POSITIVE_INFINITY
    this.mostBytes = given.bytes || Number.POSITIVE_INFINITY
  }

  get hasRow(): boolean {
    return this.rows < this.mostRows
  }

  start(onUsed: (error: BrokerError) => void): void {
    const { ms } = this.#given
    if (ms > 0) this.#timer = setTimeout(() => onUsed(used(`${ms / 60_000} minutes`)), ms)
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  /** @returns for the client: which part is used */
  get rowsUsed(): BrokerError {
    return used(`${this.#given.rows} rows`)
  }

  get bytesUsed(): BrokerError {
    return used(`${this.#given.bytes} bytes`)
  }
}

function used(what: string): BrokerError {
  return new BrokerError('LIMIT_REACHED', `the session’s budget of ${what} is used up`, { hint })
}

export function tooManyRows(most: number): BrokerError {
  return new BrokerError('LIMIT_REACHED', `at most ${most} rows for one statement`, {
    hint: 'Ask for fewer rows (LIMIT), or request a level that allows more.',
  })
}
