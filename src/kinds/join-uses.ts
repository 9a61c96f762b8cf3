import { toSessionName } from '../aws/session-names.ts'
import type { AwsUsage, AwsUse, GrantView } from '../contract/grants.ts'
import type { ReadGrantUse } from '../sessions/session-usage.ts'
import type { SeenUse, SeenUses } from './seen-use.ts'

type Window = Pick<GrantView, 'startsAt' | 'endsAt' | 'endedAt'>

export interface JoinDeps {
  /** A grant of any resource, whatever became of it; undefined: the broker gave none of this id. */
  grant(id: string): Promise<(Window & { readonly id: string }) | undefined>
  /** Of a session, whatever became of it. */
  session(id: string): Promise<{ readonly grantId: string; readonly resourceId: string } | undefined>
  readonly useOf: ReadGrantUse
}

/** What ends a session at AWS outlives its grant by so much; clocks differ. */
const slackMs = 180_000
/** AWS's logs are late. */
const lateMs = 900_000

/**
 * Which of the uses that AWS shows were by a grant, and which grants were not used. What was proven by the broker's own books goes first; what a
 * call says of itself counts only where the broker's own role made it, and the grant was valid then.
 * @param grants of the resource, all that were valid in the time
 */
export async function joinUses(
  deps: JoinDeps,
  resourceId: string,
  { uses, isWhole }: SeenUses,
  grants: readonly GrantView[],
  range: { readonly since: number; readonly until: number },
): Promise<Pick<AwsUsage, 'uses' | 'isWhole' | 'unused'>> {
  const joined: AwsUse[] = []
  for (const { proof, claim, ...use } of uses) {
    const found = proof ?? (claim && (await byClaim(deps, resourceId, use.at, claim, grants)))
    joined.push({
      ...use,
      grantId: found?.grantId ?? null,
      sessionId: found?.sessionId ?? null,
      match: found?.match ?? null,
    })
  }
  const used = new Set(joined.map(({ grantId }) => grantId))
  const unused = grants.filter(
    (grant) => !used.has(grant.id) && grant.startsAt <= range.until - lateMs && overlaps(grant, range),
  )
  const sessions = await deps.useOf(unused.map(({ id }) => id))
  return {
    uses: joined,
    isWhole,
    unused: unused.map((grant) => {
      const { id: grantId, principal, level, startsAt } = grant
      return {
        grantId,
        principal,
        level,
        startsAt,
        endsAt: endOf(grant),
        sessions: sessions.get(grantId)?.sessions ?? 0,
      }
    }),
  }
}

type Match = Pick<AwsUse, 'grantId' | 'sessionId' | 'match'>

async function byClaim(
  { grant, session }: JoinDeps,
  resourceId: string,
  at: number,
  claim: NonNullable<SeenUse['claim']>,
  grants: readonly GrantView[],
): Promise<Match | null> {
  if (claim.sessionId !== null) {
    const known = await session(claim.sessionId)
    return known?.resourceId === resourceId
      ? { grantId: known.grantId, sessionId: claim.sessionId, match: 'session' }
      : null
  }
  if (claim.grantId !== null) {
    const known = await grant(claim.grantId)
    return known && isValidAt(known, at) ? { grantId: known.id, sessionId: null, match: 'tags' } : null
  }
  const own = grants.filter((one) => toSessionName(one.principal.name) === claim.person && isValidAt(one, at))
  const [only] = own
  return only && own.length === 1 ? { grantId: only.id, sessionId: null, match: 'source-identity' } : null
}

function endOf({ endsAt, endedAt }: Window): number {
  return Math.min(endsAt, endedAt ?? endsAt)
}

function isValidAt(grant: Window, at: number): boolean {
  return at >= grant.startsAt - slackMs && at <= endOf(grant) + slackMs
}

function overlaps(grant: Window, { since, until }: { readonly since: number; readonly until: number }): boolean {
  return grant.startsAt <= until && endOf(grant) >= since
}
