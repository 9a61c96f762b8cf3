import type { FastifyPluginAsync } from 'fastify'
import { route } from '../identity/route.ts'
import { listSource, readPage, toAnswer } from '../store/lists.ts'
import type { ProbeEvents } from './events/probe-events.ts'
import type { Scopes } from './scopes.ts'

/** What is read of AWS into the catalog. */
export const inventoryRoutes =
  (deps: {
    readonly scopes: Pick<Scopes, 'view' | 'units' | 'request'>
    readonly probeEvents: ProbeEvents
  }): FastifyPluginAsync =>
  async (app) => {
    route(app, 'GET /api/v1/inventory/scopes', async ({ query }) => {
      const scopes = listSource(await deps.scopes.view(), ({ scope }) => scope)
      return toAnswer('scopes', await readPage(scopes, query))
    })
    route(app, 'GET /api/v1/inventory/units', async ({ query }) => {
      const units = listSource(await deps.scopes.units(query), ({ unit }) => unit)
      return toAnswer('units', await readPage(units, query))
    })
    route(app, 'POST /api/v1/inventory/events/probe', () => deps.probeEvents(), {
      rateLimit: { max: 10, timeWindow: '1 minute' },
    })
    route(app, 'POST /api/v1/inventory/sync', async ({ query }) => ({
      scopes: await deps.scopes.request(query.account),
    }))
  }
