import type { FastifyPluginAsync } from 'fastify'
import { route } from '../identity/route.ts'
import { toAnswer } from '../store/lists.ts'
import type { Validations } from './validations.ts'

/** Each may make some dozens of calls of AWS. */
const runs = { max: 600, timeWindow: '1 minute' }

/** What must be allowed and set up, and whether it is. */
export const validationRoutes =
  (validations: Pick<Validations, 'accountList' | 'list' | 'run' | 'subjectList'>): FastifyPluginAsync =>
  async (app) => {
    route(app, 'GET /api/v1/validations', async ({ query }) => toAnswer('validations', await validations.list(query)))
    route(app, 'GET /api/v1/validations/subjects', async ({ query }) =>
      toAnswer('subjects', await validations.subjectList(query)),
    )
    route(app, 'GET /api/v1/aws/accounts', async ({ query }) =>
      toAnswer('accounts', await validations.accountList(query)),
    )
    route(app, 'POST /api/v1/validations/run', async ({ login, body }) => await validations.run(login, body.subject), {
      rateLimit: runs,
    })
  }
