import type { FastifyPluginAsync } from 'fastify'
import { BrokerError } from '../../../proxy/session.ts'
import type { Access } from '../../access/access.ts'
import type { AwsUsage, GrantUsage, GrantView } from '../../contract/grants.ts'
import { route } from '../../identity/route.ts'
import type { GrantUse, ReadGrantUse } from '../../sessions/session-usage.ts'
import { toAnswer } from '../../store/lists.ts'
import type { Lists } from '../lists.ts'

export interface UsageRoutesDeps {
  readonly access: Pick<Access, 'grants' | 'findResource'>
  readonly now: () => number
  /** Of a kind; undefined: AWS keeps no log of its use. */
  usesOf(kind: string): ReadUses | undefined
  readonly lists: Pick<Lists, 'read'>
  readonly useOf: ReadGrantUse
}

type ReadUses = (
  target: unknown,
  range: { readonly since: number; readonly until: number },
  signal: AbortSignal,
) => Promise<Pick<AwsUsage, 'uses' | 'isWhole'>>

const day = 86_400_000
/** CloudTrail keeps no more. */
const longestMs = 90 * day
/** One answer may take several questions, two a second. */
const answersWithinMs = 60_000

/** How grants were used. */
export const usageRoutes =
  ({ access, lists, useOf, usesOf, now }: UsageRoutesDeps): FastifyPluginAsync =>
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
      return { resource: id, since, until, ...found }
    })
  }

function present(grant: GrantView, use: GrantUse | undefined): GrantUsage {
  const { sessions = 0, open = 0, firstAt = null, lastAt = null } = use ?? {}
  return { grant, sessions, open, firstUsedAt: firstAt, lastUsedAt: lastAt }
}
