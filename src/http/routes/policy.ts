import type { FastifyPluginAsync } from 'fastify'
import { Type } from 'typebox'
import type { Access } from '../../access/access.ts'
import { requireLogin } from '../plugins/authentication.ts'

const Why = Type.Object(
  {
    principal: Type.Optional(
      Type.String({ minLength: 1, maxLength: 256, description: 'Id, e-mail or name; omitted: yourself' }),
    ),
    resource: Type.String({ minLength: 1, maxLength: 256, description: 'Full id, or its last part when unique' }),
    level: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: 'Omitted: every level' })),
  },
  { additionalProperties: false },
)

/** The rules in force, and the reasoning by them. */
export const policyRoutes =
  (deps: { readonly access: Pick<Access, 'why' | 'rules'> }): FastifyPluginAsync =>
  async (app) => {
    app.get(
      '/api/v1/policy/why',
      { config: { access: 'user', scope: 'read' }, schema: { querystring: Why } },
      (request) =>
        deps.access.why(
          requireLogin(request),
          request.query as { principal?: string; resource: string; level?: string },
        ),
    )
    app.get('/api/v1/rules', { config: { access: 'auditor', scope: 'read' } }, async () => deps.access.rules())
  }
