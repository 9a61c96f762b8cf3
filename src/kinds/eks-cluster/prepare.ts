import type { Surroundings } from '../../catalog/kind.ts'
import type { PreparationStep } from '../../catalog/preparation.ts'
import { clusterPorts } from '../reach/policies.ts'
import { sessionDocumentStep } from '../session-document-step.ts'
import { clusterRoles, type NeededRights, neededRights } from './cluster-rights.ts'
import { associatePolicy, auditLogOn, createEntry, usernameTemplate } from './commands.ts'
import { roleArn } from './lease.ts'
import type { ClusterLevel } from './level.ts'
import type { ClusterTarget } from './target.ts'

interface RoleLevels {
  readonly arn: string
  /** Without its path. */
  readonly name: string
  /** `/` at either end. */
  readonly path: string
  readonly levels: readonly string[]
  readonly rights: NeededRights
}

/** Each role once: the role, what maps it in the cluster, and its rights there. Then the audit log. */
export function prepareCluster(
  target: ClusterTarget,
  levels: ReadonlyMap<string, ClusterLevel>,
  { aws }: Surroundings,
): PreparationStep[] {
  const { cluster, account } = target
  const trust = aws.accounts[account]?.trust ?? 'hub'
  return [
    ...rolesOf(target, levels).flatMap((role): PreparationStep[] => [
      {
        what: `make the role ${role.name}, with the AWS CLI`,
        levels: role.levels,
        language: 'sh',
        text: makeRole(target, role, trust),
      },
      {
        what: `let ${role.name} into ${cluster} by an access entry, with the AWS CLI`,
        levels: role.levels,
        language: 'sh',
        text: [
          ...sharedNote(role),
          createEntry(target, role.arn),
          '# The narrowest policy of EKS with what the rules need. Groups and RBAC of your own can be narrower: --kubernetes-groups',
          associatePolicy(target, role.arn, role.rights),
        ].join('\n'),
      },
      {
        what: `instead, where the authentication mode of ${cluster} is CONFIG_MAP: map ${role.name} by aws-auth`,
        levels: role.levels,
        language: 'sh',
        text: awsAuth(target, role),
      },
    ]),
    ...(target.via.length === 0 ? [] : [sessionDocumentStep(clusterPorts, { region: target.region, levels: [] })]),
    {
      what: `turn on the audit log of ${cluster}, which names each person, with the AWS CLI`,
      levels: [],
      language: 'sh',
      text: auditLogOn(target),
    },
  ]
}

function rolesOf(target: ClusterTarget, levels: ReadonlyMap<string, ClusterLevel>): RoleLevels[] {
  return [...Map.groupBy(levels, ([, level]) => roleArn(target, level))].map(([arn, entries]) => {
    const name = arn.slice(arn.lastIndexOf('/') + 1)
    return {
      arn,
      name,
      path: arn.slice(arn.indexOf('/'), -name.length),
      levels: entries.map(([level]) => level),
      rights: neededRights(entries.flatMap(([, { rules }]) => rules)),
    }
  })
}

function sharedNote({ levels }: RoleLevels): string[] {
  if (levels.length < 2) return []
  return [`# ${levels.join(', ')} name the same role: the cluster cannot tell them apart. Better name one for each.`]
}

/** The trust policy comes from the broker, which knows who it is there. */
function makeRole({ account }: ClusterTarget, { name, path }: RoleLevels, trust: 'hub' | 'web_identity'): string {
  const file = trust === 'hub' ? 'roleTrust' : 'roleWebIdentityTrust'
  const more = trust === 'hub' ? '--tags Key=sallyport:managed,Value=true' : '--max-session-duration 3600'
  return [
    '# It needs no permission: tokens for clusters are made without any. Or by deploy/terraform/role, with policy_arns = [].',
    `sallyport aws policies --feature roles --trust ${trust} --account ${account} --write sallyport-policies`,
    `aws iam create-role --role-name ${name} --path ${path} --assume-role-policy-document file://sallyport-policies/${file}.json ${more}`,
  ].join('\n')
}

/** Its ARNs have no path. */
function awsAuth(
  { partition, account, region, cluster }: ClusterTarget,
  { name, rights: { policy, namespaces } }: RoleLevels,
): string {
  const group = `sallyport:${name}`
  const bind = (kind: string, where: string) =>
    `kubectl create ${kind} sallyport-${name}${where} --clusterrole ${clusterRoles[policy]} --group ${group}`
  return [
    `# aws eks describe-cluster --region ${region} --name ${cluster} --query cluster.accessConfig.authenticationMode`,
    '# Add to mapRoles, where ARNs have no path: kubectl -n kube-system edit configmap aws-auth',
    `#   - rolearn: arn:${partition}:iam::${account}:role/${name}`,
    `#     username: ${usernameTemplate}`,
    `#     groups: ["${group}"]`,
    ...(namespaces === null
      ? [bind('clusterrolebinding', '')]
      : namespaces.map((namespace) =>
          namespace.endsWith('*')
            ? `# for each namespace ${namespace}: ${bind('rolebinding', ' --namespace NAMESPACE')}`
            : bind('rolebinding', ` --namespace ${namespace}`),
        )),
  ].join('\n')
}
