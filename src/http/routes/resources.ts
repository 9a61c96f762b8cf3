import type { FastifyPluginAsync } from 'fastify'
import type { Access } from '../../access/access.ts'
import { route } from '../../identity/route.ts'

/** What a person may request or holds. */
export const resourceRoutes =
  (deps: { readonly access: Pick<Access, 'resources'> }): FastifyPluginAsync =>
  async (app) => {
    route(app, 'GET /api/v1/resources', ({ login, query }) => ({
      resources: deps.access.resources(login, query.kind),
    }))
  }
