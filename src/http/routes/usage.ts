import type { FastifyPluginAsync } from 'fastify'
import { BrokerError } from '../../../proxy/session.ts'
import type { Access } from '../../access/access.ts'
import type { GrantUsage, GrantView, ServiceUsage } from '../../contract/grants.ts'
import type { Login } from '../../identity/principal.ts'
import { route } from '../../identity/route.ts'
import { type JoinDeps, joinUses } from '../../kinds/join-uses.ts'
import type { SeenUses } from '../../kinds/seen-use.ts'
import type { GrantUse, ReadGrantUse } from '../../sessions/session-usage.ts'
import { toAnswer } from '../../store/lists.ts'
import type { Lists } from '../lists.ts'

export interface UsageRoutesDeps {
  readonly access: Pick<Access, 'grants' | 'findResource' | 'grant'>
  readonly now: () => number
  /** Of a kind; undefined: AWS keeps no log of its use. */
  usesOf(kind: string): ReadUses | undefined
  /** The same of when it was used last, and for which services. */
  servicesOf(kind: string): ReadServices | undefined
  /** Of a session, whatever became of it. */
  readonly session: JoinDeps['session']
  readonly lists: Pick<Lists, 'read'>
  readonly useOf: ReadGrantUse
}

type ReadUses = (
  target: unknown,
  range: { readonly since: number; readonly until: number },
  signal: AbortSignal,
) => Promise<SeenUses>
type ReadServices = (target: unknown, signal: AbortSignal) => Promise<Omit<ServiceUsage, 'resource'>>

const day = 86_400_000
/** Of one answer. */
const mostGrants = 1000
/** CloudTrail keeps no more. */
const longestMs = 90 * day
/** One answer may take several questions, two a second. */
const answersWithinMs = 60_000

/** How grants were used. */
export const usageRoutes =
  ({ access, lists, session, servicesOf, useOf, usesOf, now }: UsageRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    route(app, 'GET /api/v1/usage', async ({ login, query: { all = false, used, ...query } }) => {
      const asked = used === undefined ? { all } : { all, used }
      const page = await lists.read(login, query, (found) => access.grants(login, { ...found, ...asked }))
      const uses = await useOf(page.items.map(({ id }) => id))
      return toAnswer('usage', { ...page, items: page.items.map((grant) => present(grant, uses.get(grant.id))) })
    })
    route(app, 'GET /api/v1/usage/aws', async ({ login, query }) => {
      const { id, kind, target } = access.findResource(login, query.resource)
      const read = usesOf(kind)
      if (!read)
        throw new BrokerError('UNSUPPORTED', `AWS keeps no log of who uses ${id}`, {
          hint: 'its sessions through the broker are in: sallyport usage',
        })
      const until = query.until ?? now()
      const since = Math.max(query.since ?? until - 7 * day, until - longestMs)
      if (since > until) throw new BrokerError('INVALID_INPUT', 'since is after until')
      const found = await read(target, { since, until }, AbortSignal.timeout(answersWithinMs))
      const grants = await grantsOf(access, login, id)
      const deps = { grant: (grantId: string) => access.grant(grantId), session, useOf }
      return { resource: id, since, until, ...(await joinUses(deps, id, found, grants, { since, until })) }
    })
    route(app, 'GET /api/v1/usage/services', async ({ login, query }) => {
      const { id, kind, target } = access.findResource(login, query.resource)
      const read = servicesOf(kind)
      if (!read)
        throw new BrokerError('UNSUPPORTED', `AWS keeps no record of the services that ${id} was used for`, {
          hint: 'it does for roles: sallyport ls --kind iam-role',
        })
      return { resource: id, ...(await read(target, AbortSignal.timeout(answersWithinMs))) }
    })
  }

/** The latest of a resource, also those that are over. */
async function grantsOf(access: Pick<Access, 'grants'>, login: Login, resourceId: string): Promise<GrantView[]> {
  const { items } = await access.grants(login, { all: true, resourceId, limit: mostGrants })
  return items.filter(({ state }) => state !== 'tampered')
}

function present(grant: GrantView, use: GrantUse | undefined): GrantUsage {
  const { sessions = 0, open = 0, firstAt = null, lastAt = null } = use ?? {}
  return { grant, sessions, open, firstUsedAt: firstAt, lastUsedAt: lastAt }
}
