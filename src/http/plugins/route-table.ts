import type { FastifyInstance } from 'fastify'
import type { Role, Scope } from '../../identity/principal.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** `public`: no sign-in. Otherwise the least role; `user` is anybody signed in. */
    access?: 'public' | Role
    /** What an API token must carry; a route without it can't be called with an API token. */
    scope?: Scope
    /** A person must be there: no API token. */
    interactive?: boolean
  }
}

export interface RouteEntry {
  readonly method: string
  readonly url: string
  readonly access: 'public' | Role
  readonly scope: Scope | null
  readonly interactive: boolean
  readonly websocket: boolean
}

/** Fills a table of every route as it registers; a route that does not say who may call it is a programming error. */
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
        websocket: (route as { websocket?: boolean }).websocket ?? false,
      })
    }
  })
  return table
}
