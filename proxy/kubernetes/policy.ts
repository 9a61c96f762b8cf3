import { printable } from '../printable.ts'
import type { RequestAttributes, ResourceRequest } from '../wire/kubernetes/attributes.ts'
import { covers, type KubernetesRule, type Need, plainVerbs, streamVerbs } from './rules.ts'

export type Verdict =
  | { readonly isAllowed: true }
  /** @param why one line for the client, which says what would have been needed */
  | { readonly isAllowed: false; readonly why: string }

const allowed: Verdict = { isAllowed: true }

/** What every client reads before anything else, and what tells nothing of the cluster's objects. */
const openPaths = /^(?:api|apis|version|openapi|healthz|livez|readyz)$/

/** By which clients ask what they may do themselves; they change nothing. */
const ownReviews: readonly (readonly [group: string, resource: string])[] = [
  ['authorization.k8s.io', 'selfsubjectaccessreviews'],
  ['authorization.k8s.io', 'selfsubjectrulesreviews'],
  ['authentication.k8s.io', 'selfsubjectreviews'],
]

/** Whether a level with these rules allows a request. @param level its name */
export function judge(rules: readonly KubernetesRule[], level: string, request: RequestAttributes): Verdict {
  if (!request.isResource) return judgePath(request.verb, request.segments)
  const need = needOf(request)
  if (need === null) return { isAllowed: false, why: 'Kubernetes has no such method for objects' }
  if (isOwnReview(need) || rules.some((rule) => covers(rule, need))) return allowed
  return denied(level, describe(need))
}

/** What a rule must allow for it; null: its method means nothing. */
function needOf({ verb, group, resource, subresource, namespace, name }: ResourceRequest): Need | null {
  const place = { group, resource, namespace, name }
  // In the old form of its paths, proxy is the verb.
  const streamVerb = verb === 'proxy' ? verb : streamVerbs.find((streamVerb) => streamVerb === subresource)
  if (streamVerb !== undefined) return { ...place, verb: streamVerb, subresource: '' }
  return plainVerbs.includes(verb) ? { ...place, verb, subresource } : null
}

function judgePath(verb: string, segments: readonly string[]): Verdict {
  const [first = ''] = segments
  const isRead = verb === 'get' || verb === 'head'
  if (isRead && (segments.length === 0 || openPaths.test(first))) return allowed
  return {
    isAllowed: false,
    why: printable(`no access level allows "${verb}" on the path /${segments.join('/')}`),
  }
}

function isOwnReview({ verb, group, resource, subresource }: Need): boolean {
  return verb === 'create' && subresource === '' && ownReviews.some(([g, r]) => g === group && r === resource)
}

function denied(level: string, what: string): Verdict {
  return { isAllowed: false, why: printable(`the access level "${level}" does not allow it: it needs ${what}`) }
}

/** `"exec" on pods in the namespace "shop"`. */
function describe(need: Need): string {
  const { verb, group, namespace, name } = need
  const where = namespace === '' ? 'in all namespaces, or of the cluster' : `in the namespace "${namespace}"`
  return `"${verb}" on ${named(need)}${group === '' ? '' : ` of ${group}`}${name === '' ? '' : ` "${name}"`} ${where}`
}

function named({ resource, subresource }: Pick<Need, 'resource' | 'subresource'>): string {
  return subresource === '' ? resource : `${resource}/${subresource}`
}
