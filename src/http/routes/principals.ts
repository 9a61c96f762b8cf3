import type { FastifyPluginAsync } from 'fastify'
import { type Static, Type } from 'typebox'
import type { Principal } from '../../identity/principal.ts'
import { requireLogin } from '../plugins/authentication.ts'
import type { IdentityRoutesDeps } from './identity-deps.ts'

const strict = { additionalProperties: false } as const
const Reference = Type.String({ minLength: 1, maxLength: 320, description: 'Id, verified e-mail, or unique name' })

const Page = Type.Object(
  {
    after: Type.Optional(Type.String({ maxLength: 64, description: '`next` of the page before' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
  },
  strict,
)
const Why = Type.Object({ reason: Type.Optional(Type.String({ maxLength: 500 })) }, strict)

const NewServiceAccount = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z0-9][a-z0-9._-]{0,62}$', description: 'Unique for ever' }),
    owner: Type.Optional(Reference),
    groups: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 256 }), {
        maxItems: 100,
        description: 'What rules go by; none that gives a role',
      }),
    ),
  },
  strict,
)

/** People and service accounts, for admins. */
export const administrationRoutes =
  ({ identity }: IdentityRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    const params = Type.Object({ id: Reference })
    app.get(
      '/api/v1/principals',
      { config: { access: 'admin', scope: 'admin' }, schema: { querystring: Page } },
      async (request) => {
        const { after = '', limit = 100 } = request.query as Static<typeof Page>
        return await identity.principals({ after, limit })
      },
    )
    for (const [verb, act] of [
      ['lock', identity.lock],
      ['unlock', identity.unlock],
    ] as const) {
      app.post(
        `/api/v1/principals/:id/${verb}`,
        {
          // An incident's automation may lock; letting somebody in again takes a person.
          config: { access: 'admin', ...(verb === 'lock' ? { scope: 'admin' as const } : { interactive: true }) },
          schema: { params, body: Why },
        },
        async (request) => {
          const { id } = request.params as Static<typeof params>
          const { reason = '' } = request.body as Static<typeof Why>
          return { principal: show(await act(requireLogin(request), id, reason)) }
        },
      )
    }
    app.post(
      '/api/v1/service-accounts',
      { config: { access: 'admin', interactive: true }, schema: { body: NewServiceAccount } },
      async (request, reply) => {
        const ask = request.body as Static<typeof NewServiceAccount>
        const principal = await identity.createServiceAccount(requireLogin(request), ask)
        return reply.code(201).send({ principal: show(principal) })
      },
    )
  }

function show({ id, kind, name, email, groups, active, lockedAt, ownerId }: Principal) {
  return { id, kind, name, email, groups, active, lockedAt, ownerId }
}
