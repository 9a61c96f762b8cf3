import type { FastifyPluginAsync } from 'fastify'
import { Type } from 'typebox'
import type { Access } from '../../access/access.ts'
import { requireLogin } from '../plugins/authentication.ts'

const Query = Type.Object(
  { kind: Type.Optional(Type.String({ maxLength: 64, description: 'Only this kind, e.g. rds-postgres' })) },
  { additionalProperties: false },
)

/** What a person may ask for or has. */
export const resourceRoutes =
  (deps: { readonly access: Pick<Access, 'resources'> }): FastifyPluginAsync =>
  async (app) => {
    app.get(
      '/api/v1/resources',
      { config: { access: 'user', scope: 'read' }, schema: { querystring: Query } },
      async (request) => {
        const { kind } = request.query as { kind?: string }
        return { resources: deps.access.resources(requireLogin(request), kind) }
      },
    )
  }
