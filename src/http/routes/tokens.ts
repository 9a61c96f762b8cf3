import type { FastifyPluginAsync } from 'fastify'
import { type Static, Type } from 'typebox'
import { scopes } from '../../identity/principal.ts'
import { longestApiTokenMs } from '../../identity/tokens/api-tokens.ts'
import { longestConnectTokenMs } from '../../identity/tokens/connect-tokens.ts'
import { requireLogin } from '../plugins/authentication.ts'
import type { IdentityRoutesDeps } from './identity-deps.ts'

const strict = { additionalProperties: false } as const
const ApiTokenId = Type.String({ pattern: '^api_[0-9a-z]{26}$' })
const ConnectTokenId = Type.String({ pattern: '^[0-9a-z]{16}$' })
const Cidr = Type.String({ minLength: 2, maxLength: 49, description: 'Address or range from which it may be used' })
const Listing = Type.Object(
  { all: Type.Optional(Type.Boolean({ description: "Also other people's; for admins" })) },
  strict,
)

const NewApiToken = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 64, description: 'What it is for' }),
    scopes: Type.Array(Type.Union(scopes.map((scope) => Type.Literal(scope))), { minItems: 1, uniqueItems: true }),
    durationMs: Type.Integer({ minimum: 60_000, maximum: longestApiTokenMs, description: 'Milliseconds' }),
    cidr: Type.Optional(Cidr),
    serviceAccount: Type.Optional(
      Type.String({ minLength: 1, maxLength: 128, description: 'Id or name of a service account that is yours' }),
    ),
  },
  strict,
)

const NewConnectToken = Type.Object(
  {
    resource: Type.String({ minLength: 1, maxLength: 256, description: 'Full id, or its last part when unique' }),
    level: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
    grant: Type.Optional(Type.String({ pattern: '^grt_[0-9a-z]{26}$', description: 'This grant and no other' })),
    durationMs: Type.Optional(
      Type.Integer({ minimum: 1000, maximum: longestConnectTokenMs, description: 'Cut to what grant and rule allow' }),
    ),
    cidr: Type.Optional(Cidr),
  },
  strict,
)

/** API tokens and connect tokens. Neither is ever shown again. */
export const tokenRoutes =
  (deps: IdentityRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    await app.register(apiTokenRoutes(deps))
    await app.register(connectTokenRoutes(deps))
  }

const apiTokenRoutes =
  ({ identity }: IdentityRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    const params = Type.Object({ id: ApiTokenId })
    app.get(
      '/api/v1/tokens',
      { config: { access: 'user', scope: 'read' }, schema: { querystring: Listing } },
      async (request) => {
        const { all = false } = request.query as Static<typeof Listing>
        return { tokens: await identity.apiTokens.list(requireLogin(request), { all }) }
      },
    )
    app.post(
      '/api/v1/tokens',
      { config: { access: 'user', interactive: true }, schema: { body: NewApiToken } },
      async (request, reply) => {
        const ask = request.body as Static<typeof NewApiToken>
        const { token, view } = await identity.apiTokens.create(requireLogin(request), ask)
        return reply
          .code(201)
          .header('cache-control', 'no-store')
          .send({ ...view, token })
      },
    )
    app.delete(
      '/api/v1/tokens/:id',
      { config: { access: 'user', interactive: true }, schema: { params } },
      async (request, reply) => {
        await identity.apiTokens.revoke(requireLogin(request), (request.params as Static<typeof params>).id)
        return reply.code(204).send()
      },
    )
  }

const connectTokenRoutes =
  ({ identity, endpointOf }: IdentityRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    const params = Type.Object({ id: ConnectTokenId })
    app.get(
      '/api/v1/connect-tokens',
      { config: { access: 'user', scope: 'read' }, schema: { querystring: Listing } },
      async (request) => {
        const { all = false } = request.query as Static<typeof Listing>
        return { connectTokens: await identity.connectTokens.list(requireLogin(request), { all }) }
      },
    )
    app.post(
      '/api/v1/connect-tokens',
      { config: { access: 'user', scope: 'connect' }, schema: { body: NewConnectToken } },
      async (request, reply) => {
        const { grant, ...ask } = request.body as Static<typeof NewConnectToken>
        const wanted = grant === undefined ? ask : { ...ask, grantId: grant }
        const { token, view } = await identity.connectTokens.issue(requireLogin(request), wanted)
        const { host = null, port = null } = endpointOf(view.resourceId) ?? {}
        const answer = { ...view, token, user: `t_${view.id}`, host, port }
        return reply.code(201).header('cache-control', 'no-store').send(answer)
      },
    )
    app.delete(
      '/api/v1/connect-tokens/:id',
      { config: { access: 'user', scope: 'connect' }, schema: { params } },
      async (request, reply) => {
        await identity.connectTokens.revoke(requireLogin(request), (request.params as Static<typeof params>).id)
        return reply.code(204).send()
      },
    )
  }
