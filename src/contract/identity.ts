import { Type } from 'typebox'
import { type RouteContract, roles, scopes } from './route-contract.ts'
import { count, flag, instant, list, nullable, object, oneOf, type Shape, text } from './schema.ts'

/** What each principal may know of itself, and admins of all. */
export const principalMembers = {
  id: text(),
  kind: oneOf(['person', 'service']),
  name: text(),
  email: nullable(text('Only when verified, and no other principal has it')),
  groups: list(text(), 'Groups that rules match'),
  ownerId: nullable(text('Who answers for a service account')),
}

/** Of a login. */
export const probedText =
  'Whether the identity provider is asked regularly if the person is still there; false: it issued no refresh token'

const WhoAmI = object({
  principal: object({
    ...principalMembers,
    subject: text('At the identity provider'),
    manager: nullable(text('As the identity provider names them')),
  }),
  roles: list(oneOf(roles)),
  login: text('Id of the login or API token'),
  via: oneOf(['web', 'cli', 'api-token']),
  interactive: flag('A person signed in: no API token'),
  authenticatedAt: instant('When the person last proved who they are'),
  acr: nullable(text('Authentication context class')),
  scopes: nullable(list(oneOf(scopes), 'Of an API token')),
  expiresAt: instant(),
  probed: Type.Optional(flag(probedText)),
})
export type WhoAmI = Shape<typeof WhoAmI>

const Me = object(
  {
    principal: object(principalMembers),
    issuer: text('Who vouches for the caller: host of the identity provider'),
    roles: list(oneOf(roles)),
    via: oneOf(['web', 'cli', 'api-token']),
    can: object(
      {
        decide: flag('Some rule names the caller as an approver'),
        audit: flag(),
        admin: flag(),
      },
      'What to offer; each call is judged by itself',
    ),
    counts: object({
      decide: count('Requests that wait for the caller’s decision, at most a hundred'),
      mine: count('Requests of the caller that wait for others'),
    }),
    now: instant('By the daemon’s clock'),
    version: text('Of the daemon'),
    expiresAt: instant('When the login ends at the latest'),
  },
  'What a page shows beside everything else',
)
export type Me = Shape<typeof Me>

export const identityRoutes = {
  'GET /api/v1/me': {
    summary: 'Who the caller is, what they may do, and what waits for them',
    access: 'user',
    scope: 'read',
    answer: { 200: Me },
  },
  'GET /api/v1/whoami': {
    summary: 'Who the caller is',
    access: 'user',
    scope: 'read',
    answer: { 200: WhoAmI },
  },
  'POST /api/v1/logout': {
    summary: 'Ends the caller’s login',
    access: 'user',
    interactive: true,
    body: Type.Union([Type.Null(), object({})]),
    answer: { 204: 'nothing' },
  },
} as const satisfies Record<string, RouteContract>
