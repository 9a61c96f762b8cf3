import type { FastifyPluginAsync } from 'fastify'
import { Type } from 'typebox'
import { requireLogin, sessionCookieName } from '../plugins/authentication.ts'
import type { IdentityRoutesDeps } from './identity-deps.ts'
import { administrationRoutes } from './principals.ts'
import { tokenRoutes } from './tokens.ts'

const Nothing = Type.Object({}, { additionalProperties: false })

/** Who am I, tokens, and the administration of identities. */
export const identityRoutes =
  (deps: IdentityRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    app.get('/api/v1/whoami', { config: { access: 'user', scope: 'read' }, schema: {} }, async (request) => {
      const { id, via, principal, roles, interactive, authenticatedAt, acr, scopes, expiresAt } = requireLogin(request)
      const { lockedAt: _, active: __, issuer: ___, ...shown } = principal
      return { principal: shown, roles, login: id, via, interactive, authenticatedAt, acr, scopes, expiresAt }
    })
    app.post(
      '/api/v1/logout',
      { config: { access: 'user', interactive: true }, schema: { body: Type.Union([Type.Null(), Nothing]) } },
      async (request, reply) => {
        await deps.identity.logins.end(requireLogin(request).id, 'logout')
        const secure = deps.publicUrl.startsWith('https:')
        return reply
          .clearCookie(sessionCookieName(deps.publicUrl), { path: '/', httpOnly: true, sameSite: 'lax', secure })
          .code(204)
          .send()
      },
    )
    await app.register(tokenRoutes(deps))
    await app.register(administrationRoutes(deps))
  }
