import type { AuditReport } from '../../contract/audit.ts'

export type { AuditReport }

export function writeReport(
  found: Omit<AuditReport, 'ok' | 'summary'> & {
    readonly wasAnchorGiven: boolean
    /** Events that tell of a confirmed restore. */
    readonly forks: readonly number[]
  },
): AuditReport {
  const { wasAnchorGiven, forks, ...report } = found
  const ok = report.problemCount === 0
  return { ok, summary: `${summarize({ ok, ...report }, wasAnchorGiven)}${forkText(forks)}`, ...report }
}

function summarize(report: Omit<AuditReport, 'summary'>, wasAnchorGiven: boolean): string {
  const { ok, events, head, anchored, signed, problemCount } = report
  const verdict = ok
    ? `verified: ${events} events in an unbroken chain`
    : `VERIFICATION FAILED: ${problemCount} ${problemCount === 1 ? 'problem' : 'problems'} in ${events} events`
  return `${verdict}; ${anchored ? anchoredText(anchored, head.seq) : signedText(signed, head.seq, wasAnchorGiven)}`
}

function forkText(forks: readonly number[]): string {
  return forks.length === 0 ? '' : `; the log forks at event ${forks.join(' and at event ')}, by a confirmed restore`
}

function anchoredText(anchored: NonNullable<AuditReport['anchored']>, headSeq: number): string {
  const rest = headSeq - anchored.seq
  const proven = `integrity is proven up to event ${anchored.seq} (anchored ${time(anchored.at)})`
  return rest > 0 ? `${proven}, but not yet for the ${rest} after it` : proven
}

function signedText(signed: AuditReport['signed'], headSeq: number, wasAnchorGiven: boolean): string {
  if (!signed) return 'its integrity is not proven'
  const rest = headSeq - signed.seq
  const upTo = `signed up to event ${signed.seq} (${time(signed.at)})${rest > 0 ? `, but not yet the ${rest} after it` : ''}`
  const caution = wasAnchorGiven
    ? 'no anchored checkpoint matches'
    : 'without an anchor, truncation or a rewrite by a holder of the signing key cannot be detected'
  return `${upTo}; ${caution}`
}

function time(at: number): string {
  return new Date(at).toISOString()
}
