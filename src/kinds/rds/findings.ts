import type { DatabaseSeen } from '../../aws/estate/databases.ts'
import type { RiskFact } from '../../catalog/risk.ts'

/** What makes a database riskier than it should be, or keeps the broker out. Pure. */
export function databaseFindings({ isPublic, hasIam, type, members }: DatabaseSeen): RiskFact[] {
  const what = type === 'cluster' && members.length > 0 ? 'a member of the cluster has' : 'it has'
  return [
    ...(isPublic
      ? [
          {
            code: 'public',
            severity: 'high' as const,
            reason: `${what} a public address: only its security groups keep the internet out`,
            fix: 'turn off public access, and reach it through an instance (via)',
          },
        ]
      : []),
    ...(hasIam
      ? []
      : [
          {
            code: 'iam-off',
            severity: 'medium' as const,
            reason: 'IAM authentication is off: people sign in with passwords, and the broker cannot sign in at all',
            fix: 'sallyport aws prepare prints how to turn it on',
          },
        ]),
  ]
}
