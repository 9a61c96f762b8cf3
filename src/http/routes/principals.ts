import type { FastifyPluginAsync } from 'fastify'
import { route } from '../../identity/route.ts'
import type { IdentityRoutesDeps } from './identity-deps.ts'

/** People and service accounts, for admins. */
export const administrationRoutes =
  ({ identity }: IdentityRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    route(app, 'GET /api/v1/principals', ({ query: { after = '', limit = 100 } }) =>
      identity.principals({ after, limit }),
    )
    for (const verb of ['lock', 'unlock'] as const) {
      route(app, `POST /api/v1/principals/:id/${verb}`, async ({ login, params, body: { reason = '' } }) => ({
        principal: await identity[verb](login, params.id, reason),
      }))
    }
    route(app, 'POST /api/v1/service-accounts', async ({ login, body }) => ({
      principal: await identity.createServiceAccount(login, body),
    }))
  }
