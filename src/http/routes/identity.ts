import type { FastifyPluginAsync } from 'fastify'
import { route } from '../../identity/route.ts'
import { sessionCookieName } from '../plugins/authentication.ts'
import type { IdentityRoutesDeps } from './identity-deps.ts'
import { administrationRoutes } from './principals.ts'
import { tokenRoutes } from './tokens.ts'

/** Who am I, tokens, and the administration of identities. */
export const identityRoutes =
  (deps: IdentityRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    route(app, 'GET /api/v1/whoami', ({ login: { id, ...login } }) => ({ login: id, ...login }))
    route(app, 'POST /api/v1/logout', async ({ login, reply }) => {
      await deps.identity.logins.end(login.id, 'logout')
      const secure = deps.publicUrl.startsWith('https:')
      reply.clearCookie(sessionCookieName(deps.publicUrl), { path: '/', httpOnly: true, sameSite: 'lax', secure })
    })
    await app.register(tokenRoutes(deps))
    await app.register(administrationRoutes(deps))
  }
