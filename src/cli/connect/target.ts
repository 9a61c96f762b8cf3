import { BrokerError } from '../../../proxy/session.ts'
import type { ResourceView } from '../../contract/resources.ts'
import type { ApiClient } from '../api/api-client.ts'
import { readList } from '../api/read-list.ts'

/** As far as the connecting commands read it. */
export type ListedResource = Pick<ResourceView, 'id' | 'name' | 'protocol' | 'database'> & {
  readonly grants: readonly ListedGrant[]
}

type GrantOf = ResourceView['grants'][number]
/** A broker of an earlier version does not say how long one session may last. */
type ListedGrant = Omit<GrantOf, 'sessionMs'> & Partial<Pick<GrantOf, 'sessionMs'>>

/** What a command connects to, and until when. */
export interface Target {
  readonly id: string
  readonly name: string
  readonly protocol: string
  /** Undefined: the broker says. */
  readonly level: string | undefined
  /** For clients that name none; null: the resource has none. */
  readonly database: string | null
  /** End of the last live grant, epoch milliseconds. Null: none is known here; the broker decides, as it always does. */
  readonly endsAt: number | null
  /** Of one session at most; null: as long as the grant, or not known here. */
  readonly sessionMs: number | null
}

export async function listResources(api: ApiClient): Promise<readonly ListedResource[]> {
  return (await readList(api, 'GET /api/v1/resources', {}, { all: true })).items
}

/**
 * Finds the resource, and the level where one grant is held. Refuses nothing for want of a grant: a denial must come from
 * the broker, which audits it.
 * @param reference full id, or its last part when that is unique among those of the protocols; unknown ones are left to the broker
 * @param protocols that the command speaks; an unknown resource is taken to speak the first
 * @param level omitted: the one level held
 * @throws BrokerError RESOURCE_AMBIGUOUS, INVALID_INPUT, UNSUPPORTED
 */
export function chooseTarget(
  resources: readonly ListedResource[],
  reference: string,
  level: string | undefined,
  protocols: readonly string[],
): Target {
  const resource = findResource(resources, reference, protocols)
  const [usual = ''] = protocols
  if (!resource)
    return {
      id: reference,
      name: lastPart(reference),
      protocol: usual,
      level,
      database: null,
      endsAt: null,
      sessionMs: null,
    }
  const chosen = level ?? levelHeld(resource)
  const held = resource.grants.filter((grant) => grant.level === chosen)
  const ends = held.map((grant) => grant.endsAt)
  return {
    id: resource.id,
    name: resource.name,
    protocol: resource.protocol ?? usual,
    level: chosen,
    database: resource.database || null,
    endsAt: ends.length > 0 ? Math.max(...ends) : null,
    sessionMs: held[0]?.sessionMs ?? null,
  }
}

function lastPart(reference: string): string {
  return reference.slice(reference.lastIndexOf('/') + 1)
}

function findResource(
  resources: readonly ListedResource[],
  reference: string,
  protocols: readonly string[],
): ListedResource | undefined {
  const named = resources.filter((r) => r.id === reference || r.name === reference)
  const matches = named.filter((r) => r.protocol !== null && protocols.includes(r.protocol))
  const [first, second] = matches
  if (second) {
    const ids = matches.map((r) => r.id).join(', ')
    throw new BrokerError('RESOURCE_AMBIGUOUS', `"${reference}" matches ${ids}`, { hint: 'use the full id' })
  }
  if (!first && named[0]) {
    throw new BrokerError(
      'UNSUPPORTED',
      `this command does not support ${named[0].id}; it connects to resources that speak ${protocols.join(', ')}`,
    )
  }
  return first
}

function levelHeld(resource: ListedResource): string | undefined {
  const [first, ...more] = new Set(resource.grants.map((grant) => grant.level))
  if (more.length === 0) return first
  throw new BrokerError(
    'INVALID_INPUT',
    `you hold grants on ${resource.id} for several levels: ${[first, ...more].join(', ')}`,
    {
      hint: `choose one, e.g. --level ${first}`,
    },
  )
}
