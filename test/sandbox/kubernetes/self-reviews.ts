import type { IncomingMessage } from 'node:http'
import { AwsFault } from '../aws/aws-fault.ts'
import type { Caller } from '../aws/callers.ts'
import type { Cluster } from '../aws/world.ts'
import { readProtobuf } from './protobuf.ts'

interface Mapped {
  readonly username: string
  readonly groups: readonly string[]
  readonly policies: Cluster['accessEntries'][number]['policies']
}

/**
 * As whom a cluster knows a caller (EKS User Guide, "Grant IAM users access to Kubernetes with EKS access entries"): by an access entry, which holds for
 * the role that had the ARN when it was made, or by aws-auth, which knows ARNs without path; each where the mode has it.
 * @throws AwsFault
 */
export function mapCaller({ authenticationMode: mode, accessEntries, awsAuth }: Cluster, caller: Caller): Mapped {
  const [roleId, sessionName = ''] = caller.userId.split(':')
  const fill = (template: string) =>
    template
      .replace('{{SessionName}}', sessionName.replaceAll('@', '-'))
      .replace('{{SessionNameRaw}}', sessionName)
      .replace('{{AccountID}}', caller.account)
  const entry = accessEntries.find(({ principalArn }) => principalArn === caller.principalArn)
  if (mode !== 'CONFIG_MAP' && entry) {
    if (entry.principalId !== roleId) throw refused(`the entry is for ${entry.principalId}, not for ${roleId}`)
    return { ...entry, username: fill(entry.username) }
  }
  const withoutPath = caller.principalArn.replace(/:role\/.*\//, ':role/')
  const mapping = awsAuth.find(({ roleArn }) => roleArn === withoutPath)
  if (mode !== 'API' && mapping) return { ...mapping, username: fill(mapping.username), policies: [] }
  throw refused(`nothing maps ${caller.principalArn}`)
}

function refused(reason: string): AwsFault {
  return new AwsFault('AccessDenied', 401, 'Unauthorized', reason)
}

/** `SelfSubjectReview` and `SelfSubjectAccessReview`; undefined: it is another request. */
export function reviewSelf(
  cluster: Cluster,
  caller: Caller,
  { method, url = '' }: Pick<IncomingMessage, 'method' | 'url'>,
  body: Buffer,
): object | undefined {
  const kind = /^\/apis\/(authentication|authorization)\.k8s\.io\/v1\/selfsubject(access)?reviews$/.exec(url)
  if (method !== 'POST' || !kind || (kind[1] === 'authorization') !== (kind[2] === 'access')) return undefined
  const mapped = mapCaller(cluster, caller)
  const given: unknown = readProtobuf(body) ?? JSON.parse(body.toString())
  const asked = given as { spec?: { resourceAttributes?: Attributes } }
  if (kind[1] === 'authentication') {
    const userInfo = { username: mapped.username, groups: [...mapped.groups, 'system:authenticated'] }
    return { kind: 'SelfSubjectReview', apiVersion: 'authentication.k8s.io/v1', status: { userInfo } }
  }
  const allowed = isAllowed(mapped, asked.spec?.resourceAttributes ?? {})
  return { kind: 'SelfSubjectAccessReview', apiVersion: 'authorization.k8s.io/v1', status: { allowed } }
}

interface Attributes {
  readonly namespace?: string
  readonly verb?: string
  readonly group?: string
  readonly resource?: string
  readonly subresource?: string
}

const rbac = 'rbac.authorization.k8s.io'
const usual = ['', 'apps', 'autoscaling', 'batch', 'networking.k8s.io', 'policy']

/** As the tables of "Review access policy permissions" have it, in short. */
function isAllowed({ groups, policies }: Mapped, asked: Attributes): boolean {
  if (groups.includes('system:masters')) return true
  const { namespace = '', verb = '', group = '', resource = '' } = asked
  const isRead = ['get', 'list', 'watch'].includes(verb)
  const isSecret = resource === 'secrets' || resource === '*'
  const isOfCluster = ['nodes', 'persistentvolumes', 'clusterroles', 'clusterrolebindings', '*'].includes(resource)
  return policies.some(({ name, namespaces }) => {
    if (namespaces !== null && !namespaces.some((one) => one === namespace)) return false
    if (name === 'AmazonEKSClusterAdminPolicy') return true
    if (name === 'AmazonEKSAdminViewPolicy') return isRead
    if (isOfCluster || verb === '*' || group === '*') return false
    if (name === 'AmazonEKSAdminPolicy') return usual.includes(group) || group === rbac
    if (name === 'AmazonEKSEditPolicy') return usual.includes(group) && !(resource === 'namespaces' && !isRead)
    return name === 'AmazonEKSViewPolicy' && isRead && usual.includes(group) && !isSecret
  })
}
