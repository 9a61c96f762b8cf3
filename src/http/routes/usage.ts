import type { FastifyPluginAsync } from 'fastify'
import type { Access } from '../../access/access.ts'
import type { GrantUsage, GrantView } from '../../contract/grants.ts'
import { route } from '../../identity/route.ts'
import type { GrantUse, ReadGrantUse } from '../../sessions/session-usage.ts'
import { toAnswer } from '../../store/lists.ts'
import type { Lists } from '../lists.ts'

export interface UsageRoutesDeps {
  readonly access: Pick<Access, 'grants'>
  readonly lists: Pick<Lists, 'read'>
  readonly useOf: ReadGrantUse
}

/** How grants were used. */
export const usageRoutes =
  ({ access, lists, useOf }: UsageRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    route(app, 'GET /api/v1/usage', async ({ login, query: { all = false, used, ...query } }) => {
      const asked = used === undefined ? { all } : { all, used }
      const page = await lists.read(login, query, (found) => access.grants(login, { ...found, ...asked }))
      const uses = await useOf(page.items.map(({ id }) => id))
      return toAnswer('usage', { ...page, items: page.items.map((grant) => present(grant, uses.get(grant.id))) })
    })
  }

function present(grant: GrantView, use: GrantUse | undefined): GrantUsage {
  const { sessions = 0, open = 0, firstAt = null, lastAt = null } = use ?? {}
  return { grant, sessions, open, firstUsedAt: firstAt, lastUsedAt: lastAt }
}
