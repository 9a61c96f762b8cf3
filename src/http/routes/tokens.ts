import type { FastifyPluginAsync } from 'fastify'
import { route } from '../../identity/route.ts'
import { toAnswer } from '../../store/lists.ts'
import type { IdentityRoutesDeps } from './identity-deps.ts'

/** API tokens and connect tokens. Both are shown only once. */
export const tokenRoutes =
  (deps: IdentityRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    await app.register(apiTokenRoutes(deps))
    await app.register(connectTokenRoutes(deps))
  }

const apiTokenRoutes =
  ({ identity: { apiTokens }, lists }: IdentityRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    route(app, 'GET /api/v1/tokens', async ({ login, query: { all = false, ...query } }) => {
      const page = await lists.read(login, query, (found) => apiTokens.list(login, { ...found, all }))
      return toAnswer('tokens', page)
    })
    route(app, 'POST /api/v1/tokens', async ({ login, body, reply }) => {
      const { token, view } = await apiTokens.create(login, body)
      reply.header('cache-control', 'no-store')
      return { ...view, token }
    })
    route(app, 'DELETE /api/v1/tokens/:id', ({ login, params }) => apiTokens.revoke(login, params.id))
  }

const connectTokenRoutes =
  ({ identity: { connectTokens }, lists, endpointOf }: IdentityRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    route(app, 'GET /api/v1/connect-tokens', async ({ login, query: { all = false, ...query } }) => {
      const page = await lists.read(login, query, (found) => connectTokens.list(login, { ...found, all }))
      return toAnswer('connectTokens', page)
    })
    route(app, 'POST /api/v1/connect-tokens', async ({ login, body: { grant, ...ask }, reply }) => {
      const { token, view } = await connectTokens.issue(login, grant === undefined ? ask : { ...ask, grantId: grant })
      const { host = null, port = null } = endpointOf(view.resourceId) ?? {}
      reply.header('cache-control', 'no-store')
      return { ...view, token, user: `t_${view.id}`, host, port }
    })
    route(app, 'DELETE /api/v1/connect-tokens/:id', ({ login, params }) => connectTokens.revoke(login, params.id))
  }
