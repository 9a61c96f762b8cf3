import type { FastifyPluginAsync } from 'fastify'
import type { Access } from '../../access/access.ts'
import { route } from '../../identity/route.ts'
import { toAnswer } from '../../store/lists.ts'
import type { Lists } from '../lists.ts'

export interface AccessRoutesDeps {
  readonly access: Pick<
    Access,
    | 'request'
    | 'requests'
    | 'requestById'
    | 'contextOf'
    | 'decide'
    | 'cancel'
    | 'grants'
    | 'grantById'
    | 'revoke'
    | 'giveBack'
    | 'extend'
  >
  readonly lists: Pick<Lists, 'read'>
  /** How many sessions a principal has open on a resource, at whichever daemon. */
  openSessions(principalId: string, resourceId: string): Promise<number>
}

/** Requests, decisions and grants. */
export const accessRoutes =
  (deps: AccessRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    await app.register(requestRoutes(deps))
    await app.register(grantRoutes(deps))
  }

const requestRoutes =
  ({ access, lists, openSessions }: AccessRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    route(app, 'GET /api/v1/requests', async ({ login, query: { all = false, box, ...query } }) => {
      const asked = box === undefined ? { all } : { all, box }
      const page = await lists.read(login, query, (found) => access.requests(login, { ...found, ...asked }))
      return toAnswer('requests', page)
    })
    route(app, 'POST /api/v1/requests', ({ login, body }) => access.request(login, body))
    route(app, 'GET /api/v1/requests/:id', async ({ login, params }) => {
      const request = await access.requestById(login, params.id)
      const context = await access.contextOf(request)
      return {
        request,
        context: { ...context, openSessions: await openSessions(request.beneficiary.id, request.resourceId) },
      }
    })
    for (const verdict of ['approve', 'deny'] as const) {
      route(app, `POST /api/v1/requests/:id/${verdict}`, ({ login, params, body }) =>
        access.decide(login, params.id, { verdict, ...body }),
      )
    }
    route(app, 'POST /api/v1/requests/:id/cancel', async ({ login, params }) => ({
      request: await access.cancel(login, params.id),
    }))
  }

const grantRoutes =
  ({ access, lists }: AccessRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    route(app, 'GET /api/v1/grants', async ({ login, query: { all = false, ...query } }) => {
      const page = await lists.read(login, query, (found) => access.grants(login, { ...found, all }))
      return toAnswer('grants', page)
    })
    route(app, 'GET /api/v1/grants/:id', async ({ login, params }) => ({
      grant: await access.grantById(login, params.id),
    }))
    route(app, 'POST /api/v1/grants/:id/revoke', async ({ login, params, body: { reason = '' } }) => ({
      grant: await access.revoke(login, params.id, reason),
    }))
    route(app, 'POST /api/v1/grants/:id/return', async ({ login, params }) => ({
      grant: await access.giveBack(login, params.id),
    }))
    route(app, 'POST /api/v1/grants/:id/extend', ({ login, params, body }) => access.extend(login, params.id, body))
  }
