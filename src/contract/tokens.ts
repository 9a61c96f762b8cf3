import { Type } from 'typebox'
import { listOf, paging, resourceFilter, timeFilter, whoFilter } from './lists.ts'
import { LevelName, ResourceReference } from './references.ts'
import { type RouteContract, scopes } from './route-contract.ts'
import { count, idOf, instant, list, nullable, object, oneOf, type Shape, text } from './schema.ts'

export const longestApiTokenMs = 366 * 86_400_000
export const longestConnectTokenMs = 12 * 3_600_000

const ApiTokenId = idOf('api')
const ConnectTokenId = Type.String({ pattern: '^[0-9a-z]{16}$' })
const Cidr = Type.String({ minLength: 2, maxLength: 49, description: 'Address or range it may be used from' })
const others = { all: Type.Optional(Type.Boolean({ description: "Include other people's (admins)" })) }

const use = {
  cidr: nullable(text('Where it may be used from; null: anywhere')),
  createdAt: instant(),
  expiresAt: instant(),
  lastUsedAt: nullable(instant()),
  lastUsedFrom: nullable(text('Address')),
}

const apiToken = {
  id: text(),
  principalId: text('Whom it acts as'),
  createdBy: text(),
  name: text('What it is for'),
  scopes: list(oneOf(scopes)),
  ...use,
}
const ApiTokenView = object(apiToken, 'Never the secret')
export type ApiTokenView = Shape<typeof ApiTokenView>

const connectToken = {
  id: text(),
  principalId: text(),
  grantId: text(),
  resourceId: text(),
  level: text(),
  ...use,
}
const ConnectTokenView = object(connectToken, 'Never the secret')
export type ConnectTokenView = Shape<typeof ConnectTokenView>

const IssuedConnectToken = object({
  ...connectToken,
  token: text('The password; never shown again'),
  user: text('User name for clients: t_ and the id'),
  host: nullable(text("The broker's own port for this resource; null when it has none")),
  port: nullable(count()),
})
export type IssuedConnectToken = Shape<typeof IssuedConnectToken>

/** API tokens and connect tokens. Both are shown only once. */
export const tokenRoutes = {
  'GET /api/v1/tokens': {
    summary: 'Valid API tokens, newest first',
    access: 'user',
    scope: 'read',
    query: object({ ...others, ...whoFilter, ...timeFilter, ...paging }),
    answer: { 200: listOf('tokens', ApiTokenView) },
  },
  'POST /api/v1/tokens': {
    summary: 'Creates an API token',
    access: 'user',
    interactive: true,
    body: object({
      name: Type.String({ minLength: 1, maxLength: 64, description: 'What it is for' }),
      scopes: Type.Array(oneOf(scopes), { minItems: 1, uniqueItems: true }),
      durationMs: Type.Integer({ minimum: 60_000, maximum: longestApiTokenMs, description: 'Milliseconds' }),
      cidr: Type.Optional(Cidr),
      serviceAccount: Type.Optional(
        Type.String({ minLength: 1, maxLength: 128, description: 'Id or name of a service account that you own' }),
      ),
    }),
    answer: { 201: object({ ...apiToken, token: text('The secret; never shown again') }) },
  },
  'DELETE /api/v1/tokens/:id': {
    summary: 'Revokes an API token, and the connect tokens issued through it',
    access: 'user',
    interactive: true,
    params: object({ id: ApiTokenId }),
    answer: { 204: 'nothing' },
  },
  'GET /api/v1/connect-tokens': {
    summary: 'Valid connect tokens, newest first',
    access: 'user',
    scope: 'read',
    query: object({ ...others, ...whoFilter, ...resourceFilter, ...timeFilter, ...paging }),
    answer: { 200: listOf('connectTokens', ConnectTokenView) },
  },
  'POST /api/v1/connect-tokens': {
    summary: 'Issues a password for database clients, bound to one grant',
    access: 'user',
    scope: 'connect',
    body: object({
      resource: ResourceReference,
      level: Type.Optional(LevelName),
      grant: Type.Optional(Type.String({ pattern: '^grt_[0-9a-z]{26}$', description: 'Only this grant' })),
      durationMs: Type.Optional(
        Type.Integer({
          minimum: 1000,
          maximum: longestConnectTokenMs,
          description: 'Limited to what the grant and its rule allow',
        }),
      ),
      cidr: Type.Optional(Cidr),
    }),
    answer: { 201: IssuedConnectToken },
  },
  'DELETE /api/v1/connect-tokens/:id': {
    summary: 'Revokes a connect token; the grant stays active',
    access: 'user',
    scope: 'connect',
    params: object({ id: ConnectTokenId }),
    answer: { 204: 'nothing' },
  },
} as const satisfies Record<string, RouteContract>
