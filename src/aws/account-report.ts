/** One thing that was tried in an account. */
export interface Finding {
  readonly check: string
  /** `skipped`: an earlier one failed, so that this would say nothing. */
  readonly outcome: 'ok' | 'failed' | 'skipped'
  readonly detail: string
  /** What to do; null when there is nothing. */
  readonly fix: string | null
}

export interface AccountReport {
  readonly account: string
  readonly trust: 'hub' | 'web_identity'
  readonly ok: boolean
  /** What its resources need of AWS, by the names that `aws policies --feature` takes. */
  readonly features: readonly string[]
  readonly findings: readonly Finding[]
}
