import { BrokerError } from '../../proxy/session.ts'
import type { ApiClient } from './api-client.ts'

/** One entry of GET /api/v1/resources, as far as the connecting commands read it. */
export interface ListedResource {
  readonly id: string
  readonly kind: string
  readonly name: string
  readonly levels: readonly string[]
  readonly attributes: Readonly<Record<string, unknown>>
  /** The caller's own live grants. */
  readonly grants: readonly { readonly id: string; readonly level: string; readonly endsAt: number }[]
}

/** What a command connects to, and until when. */
export interface Target {
  readonly id: string
  readonly name: string
  readonly level: string
  readonly database: string
  /** End of the last live grant, epoch milliseconds. */
  readonly endsAt: number
}

export async function listResources(api: ApiClient): Promise<readonly ListedResource[]> {
  return (await api.get<{ resources: ListedResource[] }>('/api/v1/resources')).resources
}

/**
 * Finds the resource and the live grant for it, so that a refusal comes before any port is opened, with what to do.
 * @param reference full id, or its last part when that is unique among `kinds`
 * @param level omitted: the one level held
 * @throws BrokerError RESOURCE_UNKNOWN, RESOURCE_AMBIGUOUS, LEVEL_UNKNOWN, GRANT_DENIED, INVALID_INPUT, UNSUPPORTED
 */
export function chooseTarget(
  resources: readonly ListedResource[],
  reference: string,
  level: string | undefined,
  kinds: readonly string[],
): Target {
  const resource = findResource(resources, reference, kinds)
  const chosen = chooseLevel(resource, level, reference)
  const { database } = resource.attributes
  return {
    id: resource.id,
    name: resource.name,
    level: chosen,
    database: typeof database === 'string' && database !== '' ? database : 'postgres',
    endsAt: Math.max(...resource.grants.filter((grant) => grant.level === chosen).map((grant) => grant.endsAt)),
  }
}

function findResource(
  resources: readonly ListedResource[],
  reference: string,
  kinds: readonly string[],
): ListedResource {
  const named = resources.filter((r) => r.id === reference || r.name === reference)
  const matches = named.filter((r) => kinds.includes(r.kind))
  const [first, second] = matches
  if (first && !second) return first
  if (second) {
    const ids = matches.map((r) => r.id).join(', ')
    throw new BrokerError('RESOURCE_AMBIGUOUS', `"${reference}" may be ${ids}`, { hint: 'give the full id' })
  }
  if (named[0]) {
    throw new BrokerError(
      'UNSUPPORTED',
      `${named[0].id} is not a database of a kind that this command reaches (${kinds})`,
    )
  }
  throw new BrokerError('RESOURCE_UNKNOWN', reference, { hint: 'see what there is: sallyport ls' })
}

function chooseLevel(resource: ListedResource, level: string | undefined, reference: string): string {
  if (level !== undefined && !resource.levels.includes(level)) {
    throw new BrokerError('LEVEL_UNKNOWN', `${resource.id} has ${resource.levels.join(', ')}, not "${level}"`)
  }
  const held = [...new Set(resource.grants.map((grant) => grant.level))]
  if (level === undefined && held.length > 1) {
    throw new BrokerError('INVALID_INPUT', `you hold grants on ${resource.id} at the levels ${held.join(', ')}`, {
      hint: `name one: --level ${held[0]}`,
    })
  }
  const chosen = level ?? held[0]
  if (chosen !== undefined && held.includes(chosen)) return chosen
  throw noGrant(resource, chosen, reference)
}

function noGrant(resource: ListedResource, level: string | undefined, reference: string): BrokerError {
  const detail = `you hold no live grant on ${resource.id}${level === undefined ? '' : ` at the level ${level}`}`
  const ask = level ?? (resource.levels.length === 1 ? resource.levels[0] : undefined) ?? resource.levels[0] ?? 'LEVEL'
  return new BrokerError('GRANT_DENIED', detail, {
    hint: `ask for it: sallyport request ${reference} --level ${ask} --for 1h --reason "…"`,
  })
}
