import type { FastifyInstance } from 'fastify'
import type { Role, Scope } from '../../identity/principal.ts'

export interface RouteEntry {
  readonly method: string
  readonly url: string
  readonly access: 'public' | 'peer' | Role
  readonly scope: Scope | null
  readonly interactive: boolean
  readonly websocket: boolean
}

/** Fills a table of every route as it registers; a route that does not say who may call it is a programming error. See identity/route.ts. */
export function collectRoutes(app: FastifyInstance): readonly RouteEntry[] {
  const table: RouteEntry[] = []
  app.addHook('onRoute', (route) => {
    const access = route.config?.access
    for (const method of [route.method].flat()) {
      if (method === 'HEAD' || method === 'OPTIONS') continue
      if (!access) throw new Error(`${method} ${route.url} does not declare config.access`)
      table.push({
        method,
        url: route.url,
        access,
        scope: route.config?.scope ?? null,
        interactive: route.config?.interactive ?? false,
        websocket: isWebsocket(route),
      })
    }
  })
  return table
}

function isWebsocket(route: object): boolean {
  return ('websocket' in route && route.websocket === true) || 'wsHandler' in route
}
