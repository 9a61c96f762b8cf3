import type { FastifyPluginAsync } from 'fastify'
import { Type } from 'typebox'
import type { Identity } from '../../identity/create-identity.ts'
import { requireLogin, sessionCookieName } from '../plugins/authentication.ts'
import { administrationRoutes } from './principals.ts'
import { tokenRoutes } from './tokens.ts'

export interface IdentityRoutesDeps {
  readonly identity: Pick<
    Identity,
    'logins' | 'apiTokens' | 'connectTokens' | 'principals' | 'lock' | 'unlock' | 'createServiceAccount'
  >
  readonly publicUrl: string
  /** Where stock clients reach this resource on the broker's own port; null when no such port is configured. */
  endpointOf(resourceId: string): { host: string; port: number } | null
}

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
