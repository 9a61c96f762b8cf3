import type { FastifyPluginAsync } from 'fastify'
import { type Static, Type } from 'typebox'
import type { Access } from '../../access/access.ts'
import { requireLogin } from '../plugins/authentication.ts'

const strict = { additionalProperties: false } as const
const Duration = Type.Integer({ minimum: 1000, maximum: 31_536_000_000, description: 'Milliseconds' })
const Reason = Type.String({ maxLength: 1000, description: 'Why, for approvers and the audit log' })
const Ticket = Type.String({ maxLength: 128, description: 'Ticket, if the rule wants one' })
const RequestId = Type.String({ pattern: '^req_[0-9a-z]{26}$' })
const GrantId = Type.String({ pattern: '^grt_[0-9a-z]{26}$' })

const Listing = Type.Object({ all: Type.Optional(Type.Boolean({ description: 'Also those that are over' })) }, strict)

/** All that a person may say; everything else about a request is derived. */
const NewRequest = Type.Object(
  {
    resource: Type.Optional(
      Type.String({ minLength: 1, maxLength: 256, description: 'Full id, or its last part when unique' }),
    ),
    level: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
    durationMs: Type.Optional(Duration),
    reason: Type.Optional(Reason),
    ticket: Type.Optional(Ticket),
    onBehalfOf: Type.Optional(
      Type.String({ minLength: 1, maxLength: 256, description: 'Principal who gets the grant: id, e-mail or name' }),
    ),
    sameAs: Type.Optional(RequestId),
  },
  strict,
)

const Decision = Type.Object(
  {
    digest: Type.String({ pattern: '^[0-9a-f]{64}$', description: 'Of the request as it was shown to you' }),
    comment: Type.Optional(Type.String({ maxLength: 1000 })),
  },
  strict,
)

const Revoke = Type.Object({ reason: Type.Optional(Type.String({ maxLength: 500 })) }, strict)
const Extend = Type.Object(
  { durationMs: Duration, reason: Type.Optional(Reason), ticket: Type.Optional(Ticket) },
  strict,
)
const Nothing = Type.Object({}, strict)

export interface AccessRoutesDeps {
  readonly access: Pick<
    Access,
    'request' | 'requests' | 'requestById' | 'decide' | 'cancel' | 'grants' | 'revoke' | 'giveBack' | 'extend'
  >
}

/** Requests, decisions and grants. */
export const accessRoutes =
  (deps: AccessRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    await app.register(requestRoutes(deps))
    await app.register(grantRoutes(deps))
  }

const requestRoutes =
  ({ access }: AccessRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    const params = Type.Object({ id: RequestId })
    const asking = { access: 'user', scope: 'request' } as const
    app.get(
      '/api/v1/requests',
      { config: { access: 'user', scope: 'read' }, schema: { querystring: Listing } },
      async (request) => {
        const { all = false } = request.query as Static<typeof Listing>
        return { requests: await access.requests(requireLogin(request), { all }) }
      },
    )
    app.post('/api/v1/requests', { config: asking, schema: { body: NewRequest } }, async (request, reply) => {
      const asked = await access.request(requireLogin(request), request.body as Static<typeof NewRequest>)
      return reply.code(201).send(asked)
    })
    app.get(
      '/api/v1/requests/:id',
      { config: { access: 'user', scope: 'read' }, schema: { params } },
      async (request) => ({ request: await access.requestById(requireLogin(request), idOf(request)) }),
    )
    for (const verdict of ['approve', 'deny'] as const) {
      app.post(
        `/api/v1/requests/:id/${verdict}`,
        { config: { access: 'user', interactive: true }, schema: { params, body: Decision } },
        (request) =>
          access.decide(requireLogin(request), idOf(request), {
            verdict,
            ...(request.body as Static<typeof Decision>),
          }),
      )
    }
    app.post('/api/v1/requests/:id/cancel', { config: asking, schema: { params, body: Nothing } }, async (request) => ({
      request: await access.cancel(requireLogin(request), idOf(request)),
    }))
  }

const grantRoutes =
  ({ access }: AccessRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    const params = Type.Object({ id: GrantId })
    app.get(
      '/api/v1/grants',
      { config: { access: 'user', scope: 'read' }, schema: { querystring: Listing } },
      async (request) => {
        const { all = false } = request.query as Static<typeof Listing>
        return { grants: await access.grants(requireLogin(request), { all }) }
      },
    )
    app.post(
      '/api/v1/grants/:id/revoke',
      { config: { access: 'user', scope: 'admin' }, schema: { params, body: Revoke } },
      async (request) => {
        const { reason = '' } = request.body as Static<typeof Revoke>
        return { grant: await access.revoke(requireLogin(request), idOf(request), reason) }
      },
    )
    app.post(
      '/api/v1/grants/:id/return',
      { config: { access: 'user', scope: 'request' }, schema: { params, body: Nothing } },
      async (request) => ({ grant: await access.giveBack(requireLogin(request), idOf(request)) }),
    )
    app.post(
      '/api/v1/grants/:id/extend',
      { config: { access: 'user', scope: 'request' }, schema: { params, body: Extend } },
      async (request, reply) => {
        const extended = await access.extend(
          requireLogin(request),
          idOf(request),
          request.body as Static<typeof Extend>,
        )
        return reply.code(201).send(extended)
      },
    )
  }

function idOf(request: { readonly params: unknown }): string {
  return (request.params as { id: string }).id
}
