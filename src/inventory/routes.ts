import type { FastifyPluginAsync } from 'fastify'
import type { Installation } from '../contract/aws.ts'
import { route } from '../identity/route.ts'
import type { AccountCheck } from './account-check.ts'

export interface AccountRoutesDeps {
  /** What policy documents have to say, as of now. */
  installation(): Installation
  readonly checkAccounts: AccountCheck
}

/** What AWS has to be told of this installation, and whether it was. */
export const accountRoutes =
  ({ installation, checkAccounts }: AccountRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    route(app, 'GET /api/v1/aws/installation', installation)
    route(app, 'POST /api/v1/aws/validate', async ({ login, body }) => ({
      accounts: await checkAccounts(login, body.account),
    }))
  }
