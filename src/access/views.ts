import { kindNamed } from '../catalog/kind.ts'
import type { CatalogEntry } from '../catalog/resource.ts'
import type { RiskSeverity } from '../catalog/risk.ts'
import type { GrantView } from '../contract/grants.ts'
import type { Named } from '../contract/references.ts'
import type { ResourceView } from '../contract/resources.ts'
import type { Login, Principal } from '../identity/principal.ts'
import { type ListPage, type ListQuery, listSource, readPage } from '../store/lists.ts'
import { type Core, isOverseer, principalReader, type ReadPrincipal } from './core.ts'
import { mayEndGrant } from './grants/end-grant.ts'
import type { GrantReading } from './grants/grant-keeper.ts'
import { sessionMsOf } from './meaning.ts'
import { matcherOf, type ResourceSearch, searchBehind } from './resource-search.ts'
import { reaches, riskReader } from './risk-views.ts'
import type { AccessQuery, Found } from './rows/access-store.ts'
import type { StoredGrant } from './rows/rows.ts'
import { levelsToAskFor } from './rules/decide.ts'

export interface ResourceQuery extends ListQuery, ResourceSearch {
  readonly kind?: string
  readonly risk?: RiskSeverity
  /** Only those that this person holds a live grant on. */
  readonly held?: boolean
}

/** Resources that some rule or live grant of theirs covers; admins and auditors see all. */
export async function viewResources(core: Core, login: Login, query: ResourceQuery): Promise<ListPage<ResourceView>> {
  const { kind, resourceId, risk, held = false } = query
  const { catalog, rules } = core.inForce
  const { principal } = login
  const seesAll = isOverseer(login)
  const own = Map.groupBy(
    core.grants.live.filter((grant) => grant.principalId === principal.id && core.grants.isLive(grant)),
    (grant) => grant.resourceId,
  )
  const risks = riskReader(core, seesAll)
  const matches = matcherOf(core.kinds, query)
  const isShown = (entry: CatalogEntry) =>
    (seesAll || own.has(entry.id) || levelsToAskFor(rules, principal, entry).length > 0) &&
    (risk === undefined || reaches(risks(entry), risk))
  const view = (entry: CatalogEntry) => ({
    ...viewResource(core, principal, entry, own.get(entry.id) ?? []),
    ...risks(entry),
  })
  if (resourceId !== undefined || held) {
    const ids = held ? [...own.keys()].filter((id) => [id, undefined].includes(resourceId)) : [resourceId ?? '']
    const shown = ids.flatMap((id) => {
      const found = catalog.get(id)
      const isMeant = found && (kind === undefined || found.kind === kind) && (matches?.(found) ?? true)
      return isMeant && isShown(found) ? [found] : []
    })
    const page = await readPage(
      listSource(shown, ({ id }) => id),
      query,
    )
    return { ...page, items: page.items.map(view) }
  }
  return await readPage<CatalogEntry, ResourceView>(
    {
      read: async (cursor, limit) =>
        matches ? await searchBehind(catalog, cursor, limit, kind, matches) : catalog.behind(cursor, limit, kind),
      cursorOf: ({ id }) => id,
      choose: async (entry) => (isShown(entry) ? () => view(entry) : undefined),
      ...(seesAll && risk === undefined && !matches
        ? { count: async (most) => Math.min(catalog.count(kind), most) }
        : {}),
    },
    query,
  )
}

/** @param own live grants of this principal on it */
function viewResource(
  core: Core,
  principal: Principal,
  entry: CatalogEntry,
  own: readonly StoredGrant[],
): Omit<ResourceView, 'risk' | 'riskBeneath'> {
  const { id, account, region, name, tags, place, target } = entry
  const kind = kindNamed(core.kinds, entry.kind)
  const shown = kind?.shown?.(target) ?? {}
  const grants = own.map((grant) => ({
    id: grant.id,
    level: grant.level,
    endsAt: grant.endsAt,
    sessionMs: sessionMsOf(core, grant),
  }))
  return {
    id,
    kind: entry.kind,
    account,
    region,
    name,
    tags,
    path: place?.path ?? null,
    protocol: kind?.protocol ?? null,
    shown,
    database: shown.database ?? null,
    levels: levelsToAskFor(core.inForce.rules, principal, entry),
    grants,
  }
}

/** One's own grants and those one may end, newest first; admins and auditors see all. */
export async function viewGrants(core: Core, login: Login, query: AccessQuery): Promise<ListPage<GrantView>> {
  const read = principalReader(core)
  const seesAll = isOverseer(login)
  return await readPage<Found<StoredGrant>, GrantView>(
    {
      read: (cursor, limit) => core.store.listGrants(query, cursor, limit),
      cursorOf: ({ value }) => value.id,
      choose: async (found) => {
        const reading = await core.grants.judge(found)
        if (!query.all && !core.grants.isLive(reading.grant)) return undefined
        if (!seesAll && !(await mayEndGrant(core, login, reading.grant, read))) return undefined
        return () => viewGrant(core, reading, read)
      },
      // What is live is known here before the store knows it.
      ...(seesAll && query.all ? { count: (most) => core.store.countGrants(query, most) } : {}),
    },
    query,
  )
}

export async function viewGrant(
  core: Core,
  { grant, problem }: GrantReading,
  read: ReadPrincipal = principalReader(core),
): Promise<GrantView> {
  const isLive = core.grants.isLive(grant)
  const isOver = grant.state === 'active' && !isLive
  return {
    id: grant.id,
    requestId: grant.requestId,
    principal: await named(grant.principalId, read),
    resourceId: grant.resourceId,
    kind: grant.kind,
    targetId: grant.targetId,
    level: grant.level,
    loginName: grant.loginName,
    sessionTags: grant.sessionTags,
    rule: grant.ruleName,
    startsAt: grant.startsAt,
    endsAt: grant.endsAt,
    state: problem ? 'tampered' : isOver ? 'expired' : grant.state,
    endedAt: grant.endedAt,
    endReason: grant.endReason,
    endText: grant.endText,
    outlivesUntil: outlivesUntil(core, grant),
    push: problem ? null : await core.pushed.stateOf(grant, isLive),
  }
}

/** Of a grant that is over, and whose sessions are over as well, nothing is said. */
function outlivesUntil(core: Core, grant: StoredGrant): number | null {
  const entry = core.inForce.catalog.get(grant.resourceId)
  const ms = entry && kindNamed(core.kinds, entry.kind)?.outlivesMs?.(entry.target)
  const until = (grant.endedAt ?? grant.endsAt) + (ms ?? 0)
  return ms && until > core.clock.now() ? until : null
}

/** A person as others are shown them. */
export async function named(id: string, read: ReadPrincipal): Promise<Named> {
  const principal = await read(id)
  return principal ? toNamed(principal) : { id, name: id }
}

/** A person may choose any name that is no verified e-mail, so it comes with what they can't choose. */
export function toNamed({ id, name, kind, email, issuer, subject }: Principal): Named {
  return kind === 'service' || email !== null ? { id, name } : { id, name, unverified: { issuer, subject } }
}
