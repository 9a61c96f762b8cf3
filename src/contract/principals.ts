import { Type } from 'typebox'
import { principalMembers } from './identity.ts'
import { listOf, paging, timeFilter, whoFilter } from './lists.ts'
import { type RouteContract, roles } from './route-contract.ts'
import { count, flag, instant, list, nullable, object, oneOf, type Shape, text } from './schema.ts'

const Reference = Type.String({ minLength: 1, maxLength: 320, description: 'Id, verified e-mail, or unique name' })
const Why = object({ reason: Type.Optional(Type.String({ maxLength: 500 })) })

const members = {
  ...principalMembers,
  active: flag('False: no longer active at the identity provider'),
  lockedAt: nullable(instant('When the identity was locked')),
}
const PrincipalView = object(members)
export type PrincipalView = Shape<typeof PrincipalView>

const DirectoryEntry = object({
  ...members,
  issuer: text(),
  subject: text('At the identity provider'),
  manager: nullable(text('As the identity provider names them')),
  roles: list(oneOf(roles)),
  seenAt: instant('Last seen by a sign-in or a refresh'),
  unprobedLogins: count('Logins without a refresh token: that the person has left is noticed only when they end'),
})

export type DirectoryEntry = Shape<typeof DirectoryEntry>

const own = {
  access: 'user',
  interactive: true,
  params: object({ id: Type.String({ minLength: 1, maxLength: 128, description: 'Id or name' }) }),
  body: Type.Union([Type.Null(), object({})]),
  answer: { 200: object({ principal: PrincipalView }) },
} as const

/** People and service accounts, for admins; service accounts for their owners. */
export const principalRoutes = {
  'GET /api/v1/principals': {
    summary: 'People and service accounts, in the order of their ids',
    access: 'admin',
    scope: 'admin',
    query: object({
      after: Type.Optional(Type.String({ maxLength: 64, description: 'The same as `cursor`' })),
      ...whoFilter,
      ...timeFilter,
      ...paging,
    }),
    answer: { 200: listOf('principals', DirectoryEntry) },
  },
  // An incident's automation may lock; unlocking takes a person.
  'POST /api/v1/principals/:id/lock': {
    summary: 'Locks an identity: its tokens are revoked and its sessions are cut',
    access: 'admin',
    scope: 'admin',
    params: object({ id: Reference }),
    body: Why,
    answer: { 200: object({ principal: PrincipalView }) },
  },
  'POST /api/v1/principals/:id/unlock': {
    summary: 'Lets a locked identity sign in again',
    access: 'admin',
    interactive: true,
    params: object({ id: Reference }),
    body: Why,
    answer: { 200: object({ principal: PrincipalView }) },
  },
  'GET /api/v1/service-accounts': {
    summary: 'The service accounts that the caller answers for, in the order of their ids',
    access: 'user',
    scope: 'read',
    query: object(paging),
    answer: { 200: listOf('serviceAccounts', PrincipalView) },
  },
  'POST /api/v1/service-accounts/:id/accept': {
    summary: 'Agrees to one’s own service account: it acts with what both hold',
    ...own,
  },
  'POST /api/v1/service-accounts/:id/withdraw': {
    summary: 'Agrees no longer: its sessions, grants and tokens end',
    ...own,
  },
  'POST /api/v1/service-accounts': {
    summary: 'Creates a service account; it acts once its owner has accepted it',
    access: 'admin',
    interactive: true,
    body: object({
      name: Type.String({
        pattern: '^[a-z0-9][a-z0-9._-]{0,62}$',
        description: 'Unique, also among those that were removed',
      }),
      owner: Type.Optional(Reference),
      groups: Type.Optional(
        Type.Array(Type.String({ minLength: 1, maxLength: 256 }), {
          maxItems: 100,
          description: 'Groups that rules match, of those that its owner is in; none that gives a role',
        }),
      ),
    }),
    answer: { 201: object({ principal: PrincipalView }) },
  },
} as const satisfies Record<string, RouteContract>
