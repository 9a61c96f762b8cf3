/** What a level allows in a cluster. All lists are of alternatives; a request needs one rule that allows all of it. */
export interface KubernetesRule {
  /**
   * Verbs of requests (`get`, `list` … `deletecollection`; `*`: these), and the {@link streamVerbs}, each of which must be named, and stands for
   * its subresource by any method.
   */
  readonly verbs: readonly string[]
  /** Empty text: the core group; `*`: all. */
  readonly groups: readonly string[]
  /** `pods`, `pods/log`; `*`: all with their subresources; `pods/*`: all subresources of one; `*`/`scale`: one of all. */
  readonly resources: readonly string[]
  /** Names, also with `*` at their end. What is in no namespace, or in all at once, needs `*`. */
  readonly namespaces: readonly string[]
  /** Of objects, likewise; null: all. Requests without a name need null. */
  readonly names: readonly string[] | null
}

/** What reaches into running programs, or gives access that outlives the session; each is named as its subresource. */
export const streamVerbs: readonly string[] = ['exec', 'attach', 'portforward', 'proxy', 'ephemeralcontainers', 'token']

export const plainVerbs: readonly string[] = [
  'get',
  'list',
  'watch',
  'create',
  'update',
  'patch',
  'delete',
  'deletecollection',
]

/** What a request must be allowed: a verb on a resource. */
export interface Need {
  readonly verb: string
  readonly group: string
  readonly resource: string
  /** Empty where the verb stands for it. */
  readonly subresource: string
  readonly namespace: string
  readonly name: string
}

export function covers(rule: KubernetesRule, need: Need): boolean {
  return coversVerb(rule, need.verb) && coversResource(rule, need) && coversPlace(rule, need)
}

export function coversVerb({ verbs }: KubernetesRule, verb: string): boolean {
  return verbs.includes(verb) || (verbs.includes('*') && plainVerbs.includes(verb))
}

export function coversResource(
  { groups, resources }: KubernetesRule,
  need: Pick<Need, 'group' | 'resource' | 'subresource'>,
) {
  const { group, resource, subresource } = need
  if (!groups.includes('*') && !groups.includes(group)) return false
  const full = subresource === '' ? resource : `${resource}/${subresource}`
  const wild = subresource === '' ? [] : [`${resource}/*`, `*/${subresource}`]
  return [full, '*', ...wild].some((name) => resources.includes(name))
}

function coversPlace({ namespaces, names }: KubernetesRule, { namespace, name }: Need): boolean {
  return coversName(namespaces, namespace) && (names === null || (name !== '' && coversName(names, name)))
}

/** @param patterns names, also with `*` at their end */
export function coversName(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) =>
    pattern.endsWith('*')
      ? pattern === '*' || (name !== '' && name.startsWith(pattern.slice(0, -1)))
      : name !== '' && pattern === name,
  )
}
