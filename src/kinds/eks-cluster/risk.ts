import type { ClusterSeen } from '../../aws/estate/clusters.ts'
import type { RiskFact } from '../../catalog/risk.ts'

/** Named in a reason at most; the rest is counted. */
const mostNamed = 5

/** What of a cluster makes access to it wider or less visible than it should be. */
export function clusterRisk({ account, region }: { account: string; region: string }, one: ClusterSeen): RiskFact[] {
  const { name, isPublic, publicCidrs, authenticationMode, hasAuditLog, admins } = one
  const at = `--region ${region} --name ${name}`
  const open = publicCidrs.filter(isOpen)
  const people = (admins ?? []).filter((arn) => !/:role\/aws-service-role\//.test(arn))
  const foreign = people.filter((arn) => arn.split(':')[4] !== account)
  const own = people.filter((arn) => !foreign.includes(arn))
  const facts: (RiskFact | false)[] = [
    isPublic &&
      open.length > 0 && {
        code: 'public-endpoint',
        severity: 'medium',
        reason: `its endpoint is reached from anywhere (${open.join(', ')}), so that a stolen token is enough to use it`,
        fix: `aws eks update-cluster-config ${at} --resources-vpc-config endpointPrivateAccess=true,publicAccessCidrs=ADDRESSES-OF-THE-BROKER`,
      },
    foreign.length > 0 && {
      code: 'foreign-admin',
      severity: 'high',
      reason: `principals of other accounts administer it without the broker: ${named(foreign)}`,
      fix: removing(region, name),
    },
    own.length > 0 && {
      code: 'standing-admin',
      severity: 'medium',
      reason: `these administer it at any time, with no grant and no recording: ${named(own)}`,
      fix: removing(region, name),
    },
    authenticationMode === 'CONFIG_MAP' && {
      code: 'aws-auth-only',
      severity: 'medium',
      reason:
        'the ConfigMap aws-auth alone says who may enter, so that AWS cannot list them, and who may change it can let anyone in',
      fix: `aws eks update-cluster-config ${at} --access-config authenticationMode=API_AND_CONFIG_MAP`,
    },
    !hasAuditLog && {
      code: 'no-audit-log',
      severity: 'low',
      reason: 'its audit log is off: what is done in it without the broker is on no record',
      fix: `aws eks update-cluster-config ${at} --logging '{"clusterLogging":[{"types":["audit"],"enabled":true}]}'`,
    },
  ]
  return facts.filter((fact) => fact !== false)
}

/** Of addresses, all of one family. */
export function isOpen(cidr: string): boolean {
  return cidr.endsWith('/0')
}

function named(arns: readonly string[]): string {
  const more = arns.length - mostNamed
  return [...arns.slice(0, mostNamed), ...(more > 0 ? [`and ${more} more`] : [])].join(', ')
}

function removing(region: string, name: string): string {
  return `remove the entries that nothing needs: aws eks delete-access-entry --region ${region} --cluster-name ${name} --principal-arn ARN`
}
