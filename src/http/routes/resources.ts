import type { FastifyPluginAsync } from 'fastify'
import type { Access } from '../../access/access.ts'
import { route } from '../../identity/route.ts'
import { toAnswer } from '../../store/lists.ts'
import type { Lists } from '../lists.ts'

export interface ResourceRoutesDeps {
  readonly access: Pick<Access, 'resources'>
  readonly lists: Pick<Lists, 'read'>
}

/** What a person may request or holds. */
export const resourceRoutes =
  ({ access, lists }: ResourceRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    route(app, 'GET /api/v1/resources', async ({ login, query: { kind, risk, ...query } }) => {
      const only = { ...(kind === undefined ? {} : { kind }), ...(risk === undefined ? {} : { risk }) }
      const page = await lists.read(login, query, (found) => access.resources(login, { ...found, ...only }))
      return toAnswer('resources', page)
    })
  }
