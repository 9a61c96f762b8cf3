import type { FastifyPluginAsync } from 'fastify'

export interface HealthDeps {
  /** Why this daemon can't take new sessions now; empty when it can. */
  unready(): Promise<readonly string[]>
}

/** `/healthz`: the process answers. `/readyz`: it can let new sessions in. */
export const healthRoutes =
  (deps: HealthDeps): FastifyPluginAsync =>
  async (app) => {
    const options = { config: { access: 'public' as const, rateLimit: false as const }, logLevel: 'silent' as const }
    app.get('/healthz', options, async () => ({ status: 'ok' }))
    app.get('/readyz', options, async (_request, reply) => {
      const problems = await deps.unready()
      return reply
        .code(problems.length === 0 ? 200 : 503)
        .send({ status: problems.length === 0 ? 'ready' : 'unready', problems })
    })
  }
