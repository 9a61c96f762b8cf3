import type { FastifyPluginAsync } from 'fastify'
import { BrokerError } from '../../proxy/session.ts'
import type { CatalogEntry } from '../catalog/resource.ts'
import type { LinkView } from '../contract/identity-center/pushes.ts'
import type { IdentityService } from '../identity/identity.ts'
import type { Login } from '../identity/principal.ts'
import { route } from '../identity/route.ts'
import { type ListPage, type ListQuery, listSource, readPage, toAnswer } from '../store/lists.ts'
import type { Pushing } from './create-pushing.ts'
import { type Link, noLink } from './links.ts'

export interface PushRoutesDeps {
  readonly pushing: Pushing
  readonly identity: Pick<IdentityService, 'findPrincipal'>
  readonly access: { findResource(login: Login, reference: string): CatalogEntry }
  readonly clock: { now(): number }
}

/** What AWS holds for grants, and who is who there. */
export const pushRoutes =
  ({ pushing, identity, access, clock }: PushRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    route(app, 'GET /api/v1/pushes', async ({ query }) =>
      toAnswer('pushes', await pageOf(await pushing.list(), ({ id }) => id, query)),
    )
    route(app, 'GET /api/v1/pushes/unrecorded', async ({ login, query: { resource, ...query } }) => {
      const only = resource === undefined ? undefined : access.findResource(login, resource)
      return toAnswer('unrecorded', await pushing.unrecorded(query, only))
    })
    route(app, 'GET /api/v1/pushes/held-back', async ({ query }) => {
      const { pushes, ...rest } = await pushing.heldBack()
      return { ...toAnswer('pushes', await pageOf(pushes, ({ id }) => id, query)), ...rest }
    })
    route(app, 'POST /api/v1/pushes/release', async ({ login, body: { digest } }) => ({
      count: await pushing.release(digest, login.principal.id),
    }))
    route(app, 'POST /api/v1/pushes/adopt', async ({ login, body: { push, resource, person, userId } }) => {
      const actor = login.principal.id
      if (push !== undefined) return { push: await pushing.adopt(push, actor) }
      const whose = userId ?? (person === undefined ? undefined : await identity.findPrincipal(person))
      if (resource === undefined || whose === undefined || (userId !== undefined && person !== undefined))
        throw new BrokerError('INVALID_INPUT', 'expected push, or resource and one of person and userId')
      return { push: await pushing.adoptFor(access.findResource(login, resource), whose, actor) }
    })
    route(app, 'GET /api/v1/identity-center/links', async ({ query }) => {
      const shown = pushing.links.all.flatMap((link) => view(link) ?? [])
      const sorted = shown.sort((a, b) => (a.principalId < b.principalId ? -1 : 1))
      return toAnswer('links', await pageOf(sorted, ({ principalId }) => principalId, query))
    })
    route(app, 'GET /api/v1/identity-center/groups', async ({ query }) => {
      const groups = await pushing.groups.list(AbortSignal.timeout(60_000))
      const views = groups.map(({ users, ...group }) => ({
        ...{ ...group, users: users.size },
        principals: pushing.links.all.flatMap(({ principalId, userId }) =>
          userId !== null && users.has(userId) ? [principalId] : [],
        ),
      }))
      return toAnswer('groups', await pageOf(views, ({ name }) => name, query))
    })
    route(app, 'POST /api/v1/identity-center/pin', async ({ login, body: { group, groupId } }) => {
      await pushing.groups.pin(group, groupId, login.principal.id)
      return { name: group, id: groupId }
    })
    route(app, 'POST /api/v1/identity-center/link', async ({ login, body: { person, userId } }) => {
      const principal = await identity.findPrincipal(person)
      return { link: shown(await pushing.people.link(principal, userId, login.principal.id)) }
    })
    route(app, 'POST /api/v1/identity-center/unlink', async ({ login, body: { person } }) => {
      const { id } = await identity.findPrincipal(person)
      const before = pushing.links.of(id)
      if (!before || before.userId === null) throw noLink(id)
      const of = { ...before, userId: null, foundBy: 'admin', linkedAt: clock.now() }
      await pushing.links.set(of, login.principal.id)
      return { link: shown(before) }
    })
  }

function pageOf<T>(all: readonly T[], cursorOf: (one: T) => string, query: ListQuery): Promise<ListPage<T>> {
  return readPage(listSource(all, cursorOf), query)
}

function shown(link: Link): LinkView {
  const found = view(link)
  if (!found) throw noLink(link.principalId)
  return found
}

function view({ principalId, userId, userName, foundBy, linkedAt }: Link): LinkView | undefined {
  return userId === null ? undefined : { principalId, userId, userName, foundBy, linkedAt }
}
