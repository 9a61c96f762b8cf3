import type { FastifyPluginAsync } from 'fastify'
import type { Access } from '../../../access/access.ts'
import type { Identity } from '../../../identity/create-identity.ts'
import { route } from '../../../identity/route.ts'
import type { Clock } from '../../../telemetry/clock.ts'

export interface MeRoutesDeps {
  readonly access: Pick<Access, 'approves' | 'waiting'>
  readonly identity: Pick<Identity, 'hasReports'>
  readonly clock: Clock
  /** Of the daemon. */
  readonly version: string
}

const mostCounted = 100

/** What a page shows of its reader. */
export const meRoutes =
  ({ access, identity, clock, version }: MeRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    route(app, 'GET /api/v1/me', async ({ login }) => {
      const { principal, roles, via, expiresAt } = login
      const { byName, asManager } = access.approves(login)
      const mayDecide = byName || (asManager && (await identity.hasReports(principal)))
      return {
        principal,
        issuer: URL.parse(principal.issuer)?.host || principal.issuer,
        roles,
        via,
        can: { decide: mayDecide, audit: roles.includes('auditor'), admin: roles.includes('admin') },
        counts: {
          decide: mayDecide ? await access.waiting(login, 'decide', mostCounted) : 0,
          mine: await access.waiting(login, 'mine', mostCounted),
        },
        now: clock.now(),
        version,
        expiresAt,
      }
    })
  }
