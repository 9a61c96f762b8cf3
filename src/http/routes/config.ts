import type { FastifyPluginAsync } from 'fastify'
import type { ConfigPlan } from '../../contract/policy.ts'
import { route } from '../../identity/route.ts'

/** Each loads the file, and judges every grant. */
const plans = { max: 30, timeWindow: '1 minute' }

/** The configuration file of the daemon. */
export const configRoutes =
  ({ planReload }: { planReload(): Promise<ConfigPlan> }): FastifyPluginAsync =>
  async (app) => {
    route(app, 'GET /api/v1/config/plan', planReload, { rateLimit: plans })
  }
