import type { FastifyPluginAsync } from 'fastify'
import type { Installation } from '../contract/aws.ts'
import { route } from '../identity/route.ts'
import type { AccountCheck } from './account-check.ts'

export interface AccountRoutesDeps {
  /** Current values for the policy documents. */
  installation(): Installation
  readonly checkAccounts: AccountCheck
}

/** What AWS needs to know about this installation, and checks of the accounts. */
export const accountRoutes =
  ({ installation, checkAccounts }: AccountRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    route(app, 'GET /api/v1/aws/installation', installation)
    route(app, 'POST /api/v1/aws/validate', async ({ login, body }) => ({
      accounts: await checkAccounts(login, body.account),
    }))
  }
