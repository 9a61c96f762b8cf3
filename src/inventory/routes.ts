import type { FastifyPluginAsync } from 'fastify'
import type { Installation, Preparation } from '../contract/aws.ts'
import type { Login } from '../identity/principal.ts'
import { route } from '../identity/route.ts'
import type { AccountCheck } from './account-check.ts'
import type { TargetCheckService } from './target-check.ts'

export interface AccountRoutesDeps {
  /** Current values for the policy documents. */
  installation(): Installation
  readonly checkAccounts: AccountCheck
  readonly checkTarget: TargetCheckService
  /** @throws BrokerError RESOURCE_UNKNOWN, RESOURCE_AMBIGUOUS, UNSUPPORTED */
  preparationOf(login: Login, reference: string, loginName?: string): Preparation
}

/** Each signs in to a database, which throttles new sign-ins by token. */
const preflights = { max: 60, timeWindow: '1 minute' }

/** What AWS needs to know about this installation, and checks of the accounts. */
export const accountRoutes =
  ({ installation, checkAccounts, checkTarget, preparationOf }: AccountRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    route(app, 'GET /api/v1/aws/installation', installation)
    route(app, 'GET /api/v1/aws/preparation', ({ login, query }) => preparationOf(login, query.resource, query.login))
    route(app, 'POST /api/v1/aws/validate', async ({ login, body }) => ({
      accounts: await checkAccounts(login, body.account),
    }))
    route(
      app,
      'POST /api/v1/aws/preflight',
      async ({ login, body, request: { ip, socket } }) =>
        await checkTarget(login, { address: ip, port: socket.remotePort ?? 0, via: 'api' }, body),
      { rateLimit: preflights },
    )
  }
