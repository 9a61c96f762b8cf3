import type { FastifyPluginAsync } from 'fastify'
import type { Access } from '../../access/access.ts'
import { route } from '../../identity/route.ts'
import { toAnswer } from '../../store/lists.ts'
import type { Lists } from '../lists.ts'

export interface ResourceRoutesDeps {
  readonly access: Pick<Access, 'resources' | 'options'>
  readonly lists: Pick<Lists, 'read'>
}

/** What a person may request or holds. */
export const resourceRoutes =
  ({ access, lists }: ResourceRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    route(app, 'GET /api/v1/resources', async ({ login, query }) => {
      const { kind, risk, q, account, held, ...rest } = query
      const given = Object.entries({ kind, risk, q, account, held }).filter(([, value]) => value !== undefined)
      const only: Pick<typeof query, 'kind' | 'risk' | 'q' | 'account' | 'held'> = Object.fromEntries(given)
      const page = await lists.read(login, rest, (found) => access.resources(login, { ...found, ...only }))
      return toAnswer('resources', page)
    })
    route(app, 'GET /api/v1/resources/options', ({ login, query }) => access.options(login, query.resource))
  }
