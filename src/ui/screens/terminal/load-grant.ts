import type { GrantView } from '../../../contract/grants.ts'
import type { ResourceView } from '../../../contract/resources.ts'
import { call } from '../../data/call.ts'

export interface HeldGrant {
  readonly grant: GrantView
  /** Undefined: there is no such resource any more, or none that may be seen. */
  readonly resource: ResourceView | undefined
}

/**
 * One of the caller's own grants, also one that has ended.
 * @returns undefined for any other
 * @throws Problem
 */
export async function loadGrant(id: string): Promise<HeldGrant | undefined> {
  const grant = await findOwnGrant(id)
  if (!grant) return undefined
  const { items } = await call('GET /api/v1/resources', { query: { resource: grant.resourceId } }).catch(() => ({
    items: [],
  }))
  return { grant, resource: items.find((one) => one.id === grant.resourceId) }
}

/** Live ones first, which are few. */
async function findOwnGrant(id: string): Promise<GrantView | undefined> {
  for (const all of [undefined, true]) {
    const { items } = await call('GET /api/v1/grants', { query: { who: 'me', all, limit: 1000 } })
    const found = items.find((grant) => grant.id === id)
    if (found) return found
  }
  return undefined
}

/** Who the target takes the person for, once a session is open. */
export async function findOsUser({ id, resourceId }: GrantView): Promise<string | undefined> {
  const query = { mine: true, open: true, resource: resourceId, limit: 100 }
  const { items } = await call('GET /api/v1/sessions', { query })
  return items.find(({ grantId }) => grantId === id)?.detail.os_user
}

/** Epoch milliseconds: the end of the grant, or of what its level allows to one session, if that is earlier. */
export function endOf({ grant, resource }: HeldGrant, begunAt: number | undefined): number {
  const sessionMs = resource?.grants.find(({ id }) => id === grant.id)?.sessionMs ?? null
  return sessionMs === null || begunAt === undefined ? grant.endsAt : Math.min(grant.endsAt, begunAt + sessionMs)
}
