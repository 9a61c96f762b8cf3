import type { FastifyPluginAsync } from 'fastify'
import type { Installation, Preparation } from '../contract/aws.ts'
import type { Login } from '../identity/principal.ts'
import { route } from '../identity/route.ts'
import type { AccountCheck } from './account-check.ts'

export interface AccountRoutesDeps {
  /** Current values for the policy documents. */
  installation(): Installation
  readonly checkAccounts: AccountCheck
  /** @throws BrokerError RESOURCE_UNKNOWN, RESOURCE_AMBIGUOUS, UNSUPPORTED */
  preparationOf(login: Login, reference: string): Preparation
}

/** What AWS needs to know about this installation, and checks of the accounts. */
export const accountRoutes =
  ({ installation, checkAccounts, preparationOf }: AccountRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    route(app, 'GET /api/v1/aws/installation', installation)
    route(app, 'GET /api/v1/aws/preparation', ({ login, query }) => preparationOf(login, query.resource))
    route(app, 'POST /api/v1/aws/validate', async ({ login, body }) => ({
      accounts: await checkAccounts(login, body.account),
    }))
  }
