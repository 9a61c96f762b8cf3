/** What the levels of a role need of its cluster, in terms of the access policies of EKS (EKS User Guide, "Review access policy permissions"). */
import {
  coversName,
  coversResource,
  coversVerb,
  type KubernetesRule,
  plainVerbs,
} from '../../../proxy/kubernetes/rules.ts'

/** From narrow to wide. `AdminView` reads everything, Secrets included, and changes nothing. */
export const accessPolicies = [
  'AmazonEKSViewPolicy',
  'AmazonEKSAdminViewPolicy',
  'AmazonEKSEditPolicy',
  'AmazonEKSAdminPolicy',
  'AmazonEKSClusterAdminPolicy',
] as const
export type AccessPolicyName = (typeof accessPolicies)[number]

/** Roles that Kubernetes itself has, which give about the same. */
export const clusterRoles: Readonly<Record<AccessPolicyName, string>> = {
  AmazonEKSViewPolicy: 'view',
  AmazonEKSAdminViewPolicy: 'view',
  AmazonEKSEditPolicy: 'edit',
  AmazonEKSAdminPolicy: 'admin',
  AmazonEKSClusterAdminPolicy: 'cluster-admin',
}

export interface NeededRights {
  /** The narrowest one that has all of it. */
  readonly policy: AccessPolicyName
  /** Names of namespaces, also with `*` at their end; null: the whole cluster. */
  readonly namespaces: readonly string[] | null
}

export function neededRights(rules: readonly KubernetesRule[]): NeededRights {
  const namespaces = [...new Set(rules.flatMap((rule) => rule.namespaces))].sort()
  return { policy: neededPolicy(rules), namespaces: namespaces.includes('*') ? null : namespaces }
}

interface Place {
  readonly group: string
  readonly resource: string
}

const reading = ['get', 'list', 'watch']
const changing = plainVerbs.filter((verb) => !reading.includes(verb))
const rbac = 'rbac.authorization.k8s.io'
/** Groups that the policies for namespaces know; others are those of custom resources, mostly. */
const usualGroups = [
  '',
  'apps',
  'autoscaling',
  'batch',
  'discovery.k8s.io',
  'extensions',
  'networking.k8s.io',
  'policy',
]
const secrets: readonly Place[] = [{ group: '', resource: 'secrets' }]
const rolesOfNamespaces: readonly Place[] = [
  { group: rbac, resource: 'roles' },
  { group: rbac, resource: 'rolebindings' },
]
/** What is in no namespace. */
const ofCluster: readonly Place[] = [
  { group: '', resource: 'nodes' },
  { group: '', resource: 'namespaces' },
  { group: '', resource: 'persistentvolumes' },
  { group: rbac, resource: 'clusterroles' },
  { group: rbac, resource: 'clusterrolebindings' },
]

function neededPolicy(rules: readonly KubernetesRule[]): AccessPolicyName {
  const everywhere = rules.filter(({ namespaces }) => coversName(namespaces, ''))
  if (reaches(everywhere, [...changing, 'proxy'], ofCluster) || hasOtherGroups(rules, changing))
    return 'AmazonEKSClusterAdminPolicy'
  if (reaches(rules, changing, rolesOfNamespaces)) return 'AmazonEKSAdminPolicy'
  if (rules.some(({ verbs }) => verbs.some((verb) => !reading.includes(verb)))) return 'AmazonEKSEditPolicy'
  const nodes = ofCluster.filter(({ resource }) => resource !== 'namespaces')
  const readsMore = reaches(rules, reading, [...secrets, ...rolesOfNamespaces]) || reaches(everywhere, reading, nodes)
  return readsMore || hasOtherGroups(rules, reading) ? 'AmazonEKSAdminViewPolicy' : 'AmazonEKSViewPolicy'
}

function reaches(rules: readonly KubernetesRule[], verbs: readonly string[], places: readonly Place[]): boolean {
  return rules.some(
    (rule) =>
      verbs.some((verb) => coversVerb(rule, verb)) &&
      places.some((place) => coversResource(rule, { ...place, subresource: '' })),
  )
}

function hasOtherGroups(rules: readonly KubernetesRule[], verbs: readonly string[]): boolean {
  return rules.some(
    (rule) =>
      verbs.some((verb) => coversVerb(rule, verb)) &&
      rule.groups.some((group) => group !== rbac && !usualGroups.includes(group)),
  )
}

/** Whether one list of namespaces lies within another, both as {@link NeededRights} has them. */
export function liesWithin(inner: readonly string[] | null, outer: readonly string[] | null): boolean {
  if (outer === null) return true
  return inner?.every((name) => coversName(outer, name)) ?? false
}
