import type { FastifyPluginAsync } from 'fastify'
import { route } from '../../identity/route.ts'
import { toAnswer } from '../../store/lists.ts'
import type { IdentityRoutesDeps } from './identity-deps.ts'

/** People and service accounts, for admins. */
export const administrationRoutes =
  ({ identity, lists }: IdentityRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    route(app, 'GET /api/v1/principals', async ({ login, query: { after, ...query } }) => {
      const asked = { ...(after === undefined ? {} : { cursor: after }), ...query }
      return toAnswer('principals', await lists.read(login, asked, (found) => identity.principals(found)))
    })
    for (const verb of ['lock', 'unlock'] as const) {
      route(app, `POST /api/v1/principals/:id/${verb}`, async ({ login, params, body: { reason = '' } }) => ({
        principal: await identity[verb](login, params.id, reason),
      }))
    }
    route(app, 'GET /api/v1/service-accounts', async ({ login, query }) =>
      toAnswer('serviceAccounts', await identity.serviceAccounts(login, query)),
    )
    route(app, 'POST /api/v1/service-accounts/:id/accept', async ({ login, params }) => ({
      principal: await identity.acceptServiceAccount(login, params.id),
    }))
    route(app, 'POST /api/v1/service-accounts/:id/withdraw', async ({ login, params }) => ({
      principal: await identity.withdrawServiceAccount(login, params.id),
    }))
    route(app, 'POST /api/v1/service-accounts', async ({ login, body }) => ({
      principal: await identity.createServiceAccount(login, body),
    }))
  }
