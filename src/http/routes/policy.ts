import type { FastifyPluginAsync } from 'fastify'
import type { Access } from '../../access/access.ts'
import { route } from '../../identity/route.ts'

/** The rules in force, and the reasoning by them. */
export const policyRoutes =
  ({ access }: { readonly access: Pick<Access, 'why' | 'rules'> }): FastifyPluginAsync =>
  async (app) => {
    route(app, 'GET /api/v1/policy/why', ({ login, query }) => access.why(login, query))
    route(app, 'GET /api/v1/rules', () => access.rules())
  }
