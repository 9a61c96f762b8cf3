import type { FastifyPluginAsync } from 'fastify'
import { route } from '../../identity/route.ts'

export interface HealthDeps {
  /** Why this daemon can't take new sessions now; empty when it can. */
  unready(): Promise<readonly string[]>
  /** What operators should see to all the same. */
  warnings?(): readonly string[]
}

/** `/healthz`: the process answers. `/readyz`: it can let new sessions in. */
export const healthRoutes =
  (deps: HealthDeps): FastifyPluginAsync =>
  async (app) => {
    const quiet = { rateLimit: false, logLevel: 'silent' } as const
    route(app, 'GET /healthz', () => ({ status: 'ok' }), quiet)
    route(
      app,
      'GET /readyz',
      async () => {
        const [problems, warnings] = [await deps.unready(), deps.warnings?.() ?? []]
        return problems.length === 0
          ? { status: 200, body: { status: 'ready', problems, warnings } }
          : { status: 503, body: { status: 'unready', problems, warnings } }
      },
      quiet,
    )
  }
