/** What a level gives beyond what it says: who may start programs, or read what programs sign in with, may do what those may do. */
import { coversName, coversResource, coversVerb, type KubernetesRule } from './rules.ts'

export interface Escalation {
  /** `exec`: commands in containers of the level's namespaces; `admin`: everything in the cluster. */
  readonly amountsTo: 'exec' | 'admin'
  /** Short, each once: `"create" on deployments in all namespaces: starts programs …`. */
  readonly why: readonly string[]
}

const write = ['create', 'update', 'patch']
const read = ['get', 'list', 'watch']

interface Way {
  readonly verbs: readonly string[]
  readonly group: string
  readonly resources: readonly string[]
  readonly subresource?: string
  /** Their objects are in no namespace. */
  readonly isOfCluster?: boolean
  /** Counts only where the level may change this object in the namespace of the system. */
  readonly systemName?: string
  readonly why: string
}

const systemNamespace = 'kube-system'
const runs = 'starts programs with any service account and any secret of the namespace'
const alters = 'reads and alters what others write'

const ways: readonly Way[] = [
  { verbs: ['exec'], group: '', resources: ['pods'], why: 'runs commands in containers' },
  { verbs: ['attach'], group: '', resources: ['pods'], why: 'types into running programs' },
  { verbs: ['ephemeralcontainers'], group: '', resources: ['pods'], why: 'starts programs beside running ones' },
  { verbs: ['proxy'], group: '', resources: ['pods', 'services'], why: 'sends any HTTP request to programs' },
  {
    verbs: ['proxy'],
    group: '',
    resources: ['nodes'],
    isOfCluster: true,
    why: 'runs commands in all containers of nodes',
  },
  { verbs: ['token'], group: '', resources: ['serviceaccounts'], why: 'issues tokens that outlive the session' },
  { verbs: read, group: '', resources: ['secrets'], why: 'reads what programs sign in with' },
  { verbs: write, group: '', resources: ['pods', 'replicationcontrollers'], why: runs },
  { verbs: write, group: 'apps', resources: ['deployments', 'daemonsets', 'statefulsets', 'replicasets'], why: runs },
  { verbs: write, group: 'batch', resources: ['jobs', 'cronjobs'], why: runs },
  { verbs: write, group: '', resources: ['persistentvolumes'], isOfCluster: true, why: 'mounts disks of nodes' },
  {
    verbs: write,
    group: '',
    resources: ['configmaps'],
    systemName: 'aws-auth',
    why: 'maps roles of IAM to any group by aws-auth',
  },
  {
    verbs: write,
    group: 'rbac.authorization.k8s.io',
    resources: ['roles', 'rolebindings'],
    why: 'gives rights in the namespace',
  },
  {
    verbs: write,
    group: 'rbac.authorization.k8s.io',
    resources: ['clusterroles', 'clusterrolebindings'],
    isOfCluster: true,
    why: 'gives rights in the cluster',
  },
  {
    verbs: write,
    group: 'certificates.k8s.io',
    resources: ['certificatesigningrequests'],
    isOfCluster: true,
    why: 'asks for certificates that outlive the session',
  },
  {
    verbs: write,
    group: 'certificates.k8s.io',
    resources: ['certificatesigningrequests'],
    subresource: 'approval',
    isOfCluster: true,
    why: 'approves certificates of any identity',
  },
  {
    verbs: write,
    group: 'admissionregistration.k8s.io',
    resources: [
      'mutatingwebhookconfigurations',
      'validatingwebhookconfigurations',
      'mutatingadmissionpolicies',
      'mutatingadmissionpolicybindings',
    ],
    isOfCluster: true,
    why: alters,
  },
  {
    verbs: write,
    group: 'apiextensions.k8s.io',
    resources: ['customresourcedefinitions'],
    isOfCluster: true,
    why: alters,
  },
  {
    verbs: write,
    group: 'apiregistration.k8s.io',
    resources: ['apiservices'],
    isOfCluster: true,
    why: 'receives requests of others',
  },
]

/** Null: the rules give no more than they say. */
export function escalationOf(rules: readonly KubernetesRule[]): Escalation | null {
  const found = rules.flatMap((rule) => ways.flatMap((way) => find(rule, way) ?? []))
  if (found.length === 0) return null
  return {
    amountsTo: found.some(({ isAdmin }) => isAdmin) ? 'admin' : 'exec',
    why: [...new Set(found.map(({ why }) => why))],
  }
}

function find(rule: KubernetesRule, way: Way): { isAdmin: boolean; why: string } | null {
  const { group, subresource = '', isOfCluster = false, systemName } = way
  const resources = way.resources.filter((resource) => coversResource(rule, { group, resource, subresource }))
  // An object is made without its name in the path, so that a rule with names allows no create.
  const verbs = way.verbs.filter((verb) => coversVerb(rule, verb) && !(verb === 'create' && rule.names !== null))
  const isEverywhere = coversName(rule.namespaces, '')
  const isAdmin = isEverywhere || coversName(rule.namespaces, systemNamespace)
  if (resources.length === 0 || verbs.length === 0 || rule.namespaces.length === 0) return null
  if (isOfCluster && !isEverywhere) return null
  if (systemName !== undefined && !(isAdmin && coversName(rule.names ?? ['*'], systemName))) return null
  const shown = resources.map((resource) => (subresource === '' ? resource : `${resource}/${subresource}`))
  const where = isOfCluster ? '' : isEverywhere ? ' in all namespaces' : ` in ${rule.namespaces.join(', ')}`
  return { isAdmin, why: `${verbs.join(', ')} on ${shown.join(', ')}${where}: ${way.why}` }
}
