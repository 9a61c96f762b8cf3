/** Asks the cluster itself what the role may do: policies and groups, RBAC, and what aws-auth maps all count there. */
import { covers, type KubernetesRule, type Need } from '../../../proxy/kubernetes/rules.ts'
import type { TargetCheck } from '../../contract/aws.ts'
import { ok, someOf, warn } from '../checks.ts'
import type { ClusterReviews, ResourceAttributes } from './sign-in.ts'

/** One for each rule of a level, at most. */
const mostSamples = 20
const usualResources: Readonly<Record<string, string>> = { '': 'pods', apps: 'deployments', batch: 'jobs' }
const streams: Readonly<Record<string, { resource: string; subresource: string }>> = {
  exec: { resource: 'pods', subresource: 'exec' },
  attach: { resource: 'pods', subresource: 'attach' },
  portforward: { resource: 'pods', subresource: 'portforward' },
}

/** What a role should not have unless its levels do. */
const probes: readonly (ResourceAttributes & { readonly what: string })[] = [
  { verb: '*', group: '*', resource: '*', namespace: '', what: 'do everything' },
  { verb: 'list', group: '', resource: 'secrets', namespace: '', what: 'read Secrets in all namespaces' },
  { verb: 'create', group: '', resource: 'pods', namespace: '', what: 'start pods in all namespaces' },
  {
    verb: 'create',
    group: 'rbac.authorization.k8s.io',
    resource: 'clusterrolebindings',
    namespace: '',
    what: 'give rights in the cluster',
  },
]

export async function rightsChecks(
  reviews: Pick<ClusterReviews, 'isAllowed'>,
  /** Of all levels that name the role. */
  rules: readonly KubernetesRule[],
): Promise<TargetCheck[]> {
  const missing: string[] = []
  for (const sample of rules.flatMap(sampleOf).slice(0, mostSamples))
    if ((await reviews.isAllowed(sample)) === false) missing.push(shown(sample))
  const wider: string[] = []
  for (const { what, ...probe } of probes) {
    if (rules.some((rule) => covers(rule, { ...toNeed(probe) }))) continue
    if (await reviews.isAllowed(probe)) wider.push(what)
    if (wider.includes('do everything')) break
  }
  const narrow = 'associate a narrower policy, or bind its groups to narrower roles'
  return [
    missing.length === 0
      ? ok('rights', 'the cluster allows a request of each rule')
      : warn(
          'rights',
          `the cluster does not allow ${someOf(missing)}`,
          'sallyport aws prepare prints what to associate',
        ),
    ...(wider.length === 0
      ? []
      : [warn('rights beyond the level', `in the cluster, the role may ${wider.join('; ')}`, narrow)]),
  ]
}

/** A request that a rule allows, to be asked about; none where the rule leaves open which. */
function sampleOf({ verbs, groups, resources, namespaces, names }: KubernetesRule): ResourceAttributes[] {
  const [verb = '', group = '', named = '', place = ''] = [verbs[0], groups[0], resources[0], namespaces[0]]
  if (names !== null || (place !== '*' && place.endsWith('*')) || group === '*') return []
  const namespace = place === '*' ? '' : place
  const stream = streams[verb]
  if (stream) return group === '' ? [{ verb: 'create', group, namespace, ...stream }] : []
  const [of = '', subresource] = named.split('/')
  const resource = of === '*' ? usualResources[group] : of
  if (resource === undefined || subresource === '*' || ['proxy', 'ephemeralcontainers', 'token'].includes(verb))
    return []
  const part = subresource === undefined ? {} : { subresource }
  return [{ verb: verb === '*' ? 'create' : verb, group, namespace, resource, ...part }]
}

function toNeed({ verb, group, resource, namespace }: ResourceAttributes): Need {
  return { verb, group, resource, subresource: '', namespace, name: '' }
}

function shown({ verb, resource, subresource, namespace }: ResourceAttributes): string {
  const what = subresource === undefined ? resource : `${resource}/${subresource}`
  return `${verb} on ${what} ${namespace === '' ? 'in all namespaces' : `in ${namespace}`}`
}
