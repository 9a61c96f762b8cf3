import type { InstanceSeen } from '../../../aws/estate/instances.ts'
import type { ProfilePowers } from '../../../aws/estate/profiles.ts'
import { few } from '../../../aws/policy-facts.ts'
import type { RiskFact } from '../../../catalog/risk.ts'

/** What of an instance makes access to it give more than it should. @param powers of its instance profile */
export function instanceRisk(
  region: string,
  { id, imds, profile }: Pick<InstanceSeen, 'id' | 'imds' | 'profile'>,
  powers?: ProfilePowers,
): RiskFact[] {
  return [...metadataRisk(region, id, imds, profile), ...(powers ? profileRisk(powers) : [])]
}

function metadataRisk(region: string, id: string, imds: InstanceSeen['imds'], profile: string | null): RiskFact[] {
  if (imds !== 'optional') return []
  const gives = profile === null ? 'it has no instance profile' : `it gives the credentials of ${profile}`
  return [
    {
      code: 'imds-v1',
      severity: profile === null ? 'low' : 'medium',
      reason: `its metadata service answers without a token (IMDSv1), so that a program that can be made to fetch an address gives away what is there: ${gives}`,
      fix: `aws ec2 modify-instance-metadata-options --region ${region} --instance-id ${id} --http-tokens required`,
    },
  ]
}

/** Everyone with a shell there has what the profile gives. */
function profileRisk({ role, admin, escalation, isBounded }: ProfilePowers): RiskFact[] {
  const can = admin.length > 0 ? `do everything: ${few(admin)}` : `give itself any permission: ${few(escalation)}`
  return [
    {
      code: admin.length > 0 ? 'admin-profile' : 'escalating-profile',
      severity: isBounded ? 'medium' : 'high',
      reason: `everyone who gets in has its role ${role}, which may ${can}${isBounded ? ', cut by a permissions boundary' : ''}`,
      fix: 'give the instance a profile with what its programs need',
    },
  ]
}
