import { Type } from 'typebox'
import { listOf, paging, resourceFilter } from '../lists.ts'
import { ResourceReference } from '../references.ts'
import type { RouteContract } from '../route-contract.ts'
import { count, flag, instant, list, nullable, object, oneOf, type Shape, text } from '../schema.ts'

const PushView = object(
  {
    id: text('For `sallyport adopt`'),
    kind: text(),
    account: nullable(text()),
    of: text('ARN of the permission set, or id of the group'),
    userId: text('In the identity store'),
    userName: nullable(text('Of that user, as it was found')),
    principals: list(text(), 'People who are that user'),
    state: oneOf(
      ['granting', 'granted', 'failed', 'removing', 'outside', 'gone'],
      'outside: it is there, no grant wants it, and it is not the broker’s to remove',
    ),
    ownership: nullable(
      oneOf(
        ['created', 'pre-existing', 'uncertain', 'adopted'],
        'Only what is created or adopted is ever removed; null: it was not seen yet',
      ),
    ),
    reason: nullable(text('Why it is not as it should be, in the words of AWS')),
    isLasting: flag('It stays so until something is changed'),
    overdueSince: nullable(instant('Since when it should be gone')),
    grants: list(text(), 'Live grants that want it'),
  },
  'What AWS holds, or should hold, for grants',
)
export type PushView = Shape<typeof PushView>

const UnrecordedView = object(
  {
    resource: text('Full id of the permission set in an account, or of the group'),
    kind: text(),
    userId: text('In the identity store'),
    userName: nullable(text('Null: Identity Center has no such user any more')),
    principals: list(text(), 'People who are that user'),
    grants: list(text(), 'Live grants that want it'),
  },
  'What AWS holds, and the broker knows nothing of',
)
export type UnrecordedView = Shape<typeof UnrecordedView>

const HeldBack = listOf('pushes', PushView, {
  digest: nullable(text('Of the whole list; another list has another one. Null: none waits')),
  most: count('So many at once are not held back'),
})
export type HeldBack = Shape<typeof HeldBack>

const LinkView = object(
  {
    principalId: text(),
    userId: text('In the identity store'),
    userName: nullable(text()),
    foundBy: text('`admin`, or the attribute by which the person was found'),
    linkedAt: instant(),
  },
  'Which user of Identity Center a person is',
)
export type LinkView = Shape<typeof LinkView>

const GroupView = object(
  {
    name: text('As rules have it, with the prefix `idc:`'),
    id: nullable(text('Of the group that it stands for; null: that is not known')),
    users: count('How many users are in it, not counting those whom the broker put in'),
    principals: list(text(), 'People who are in it'),
    problem: nullable(text('Why nobody has rights by it')),
  },
  'A group of Identity Center that rules name',
)
export type GroupView = Shape<typeof GroupView>

const UserId = Type.String({ pattern: '^([0-9a-f]{10}-)?[A-Fa-f0-9]{8}(-[A-Fa-f0-9]{4}){3}-[A-Fa-f0-9]{12}$' })
const Person = Type.String({ minLength: 1, maxLength: 256, description: 'Principal: id, e-mail or name' })

export const pushRoutes = {
  'GET /api/v1/pushes': {
    summary: 'What AWS itself holds for grants, also what the broker found there and leaves alone',
    access: 'auditor',
    scope: 'audit',
    query: object({ ...paging }),
    answer: { 200: listOf('pushes', PushView) },
  },
  'GET /api/v1/pushes/unrecorded': {
    summary:
      'Who has permission sets and groups of the catalog directly, without the broker knowing of it: read from AWS now, a call for each resource',
    access: 'admin',
    scope: 'admin',
    query: object({ ...resourceFilter, ...paging }),
    answer: { 200: listOf('unrecorded', UnrecordedView) },
  },
  'GET /api/v1/pushes/held-back': {
    summary: 'Removals that are held back because they are too many at once',
    access: 'admin',
    scope: 'admin',
    query: object({ ...paging }),
    answer: { 200: HeldBack },
  },
  'POST /api/v1/pushes/release': {
    summary: 'Lets removals go that are held back: all of the list that has this digest, or none',
    access: 'admin',
    scope: 'admin',
    body: object({ digest: Type.String({ pattern: '^[0-9a-f]{32}$', description: 'Of the list as it was read' }) }),
    answer: { 200: object({ count: count('How many go') }) },
  },
  'POST /api/v1/pushes/adopt': {
    summary:
      'Takes over what AWS holds, so that it goes with the last grant that wants it: by `push`, or by resource and person or user',
    access: 'admin',
    scope: 'admin',
    body: object({
      push: Type.Optional(Type.String({ pattern: '^psh_[0-9a-f]{16}$' })),
      resource: Type.Optional(ResourceReference),
      person: Type.Optional(Person),
      userId: Type.Optional(UserId),
    }),
    answer: { 200: object({ push: PushView }) },
  },
  'GET /api/v1/identity-center/links': {
    summary: 'Which users of Identity Center people are',
    access: 'auditor',
    scope: 'audit',
    query: object({ ...paging }),
    answer: { 200: listOf('links', LinkView) },
  },
  'GET /api/v1/identity-center/groups': {
    summary: 'Groups of Identity Center that rules name, and who is in them: read from AWS now',
    access: 'admin',
    scope: 'admin',
    query: object({ ...paging }),
    answer: { 200: listOf('groups', GroupView) },
  },
  'POST /api/v1/identity-center/pin': {
    summary: 'Says which group of Identity Center a name of the rules stands for',
    access: 'admin',
    scope: 'admin',
    body: object({
      group: Type.String({ minLength: 1, maxLength: 256, description: 'As rules name it, with or without `idc:`' }),
      groupId: UserId,
    }),
    answer: { 200: object({ name: text(), id: text() }) },
  },
  'POST /api/v1/identity-center/link': {
    summary: 'Says which user of Identity Center a person is',
    access: 'admin',
    scope: 'admin',
    body: object({
      person: Person,
      userId: UserId,
    }),
    answer: { 200: object({ link: LinkView }) },
  },
  'POST /api/v1/identity-center/unlink': {
    summary: 'The person is no user of Identity Center any more; what AWS holds for them is removed',
    access: 'admin',
    scope: 'admin',
    body: object({ person: Person }),
    answer: { 200: object({ link: LinkView }) },
  },
} as const satisfies Record<string, RouteContract>
