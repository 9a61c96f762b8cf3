import type { AuditReport } from '../../contract/audit.ts'

export interface CheckedReport {
  /** Epoch milliseconds: when the check was over. */
  readonly checkedAt: number
  readonly report: AuditReport
}

/** What the last check of the log found. */
export class LastReport {
  readonly #verify: () => Promise<AuditReport>
  readonly #now: () => number
  #last: CheckedReport | undefined
  #running: Promise<AuditReport> | undefined

  constructor(verify: () => Promise<AuditReport>, now: () => number) {
    this.#verify = verify
    this.#now = now
  }

  /** While there is none, one is begun: a single one, however many look. Undefined until it is over. */
  get last(): CheckedReport | undefined {
    // A failure is that of a store or a file, and not of the log: the next who asks begins another.
    if (!this.#last && !this.#running) this.check().catch(() => undefined)
    return this.#last
  }

  /** A check that begins now. */
  async check(): Promise<AuditReport> {
    const running = this.#verify()
    this.#running = running
    try {
      const report = await running
      this.#last = { checkedAt: this.#now(), report }
      return report
    } finally {
      if (this.#running === running) this.#running = undefined
    }
  }
}
