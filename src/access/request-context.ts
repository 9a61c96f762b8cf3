import type { RequestContext, RequestView } from '../contract/requests.ts'
import type { Core } from './core.ts'
import { meansOf } from './meaning.ts'

const recentMs = 30 * 86_400_000
/** More of them say nothing more to a person. */
const mostCounted = 1000

/** What a decision should be made with, of a request that the caller may see; without what access does not know: sessions. */
export async function requestContext(
  core: Core,
  { beneficiary, resourceId, level, loginName, sessionTags }: RequestView,
): Promise<Omit<RequestContext, 'openSessions'>> {
  const of = { principalId: beneficiary.id, resourceId, since: core.clock.now() - recentMs }
  const [grants30d, denied30d] = await Promise.all([
    core.store.countGrants({ ...of, all: true }, mostCounted),
    core.store.countDenied(of, mostCounted),
  ])
  return {
    tags: { ...core.inForce.catalog.get(resourceId)?.tags },
    means: meansOf(core, { resourceId, level, loginName, sessionTags }),
    grants30d,
    denied30d,
  }
}
