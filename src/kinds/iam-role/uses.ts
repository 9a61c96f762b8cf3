import { BrokerError } from '../../../proxy/session.ts'
import type { ReadTrail, RoleTaken } from '../../aws/estate/trail.ts'
import type { UsesRange } from '../module.ts'
import type { SeenUse, SeenUses } from '../seen-use.ts'
import type { CredentialStore } from './credential-store.ts'
import type { RoleTarget } from './target.ts'

export interface UsesDeps {
  readonly readTrail: ReadTrail
  readonly credentials: Pick<CredentialStore, 'findAll'>
  /** Where people and the broker take roles. */
  readonly regions: readonly string[]
  /** Name of the spoke role of an account, without its path: only the broker takes it. */
  spokeOf(account: string): string
}

type Target = Pick<RoleTarget, 'partition' | 'account' | 'roleArn'>

/** As many keys as one answer has. */
const mostUses = 1000

/**
 * Who took a role in a time, with what tells by which grant: the access key, since all that the broker gives out is in its books; the keys by
 * which it was taken, of a session that goes on from one of the broker's; else what the broker's own role said when it took it.
 * @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE; the signal's reason
 */
export async function readUses(
  { readTrail, credentials, regions, spokeOf }: UsesDeps,
  { partition, account, roleArn }: Target,
  range: UsesRange,
  signal: AbortSignal,
): Promise<SeenUses> {
  const found: RoleTaken[] = []
  let isWhole = true
  for (const region of regions) {
    const answer = await readTrail({ partition, account, region }, roleArn, range, signal).catch(noRegion)
    found.push(...answer.taken)
    isWhole &&= answer.isWhole
  }
  const shown = found.sort((a, b) => b.at - a.at).slice(0, mostUses)
  const keys = shown.flatMap(({ accessKeyId, callerKeyId }) => [accessKeyId ?? [], callerKeyId ?? []].flat())
  const known: Awaited<ReturnType<CredentialStore['findAll']>> =
    keys.length > 0 ? await credentials.findAll([...new Set(keys)]) : new Map()
  const spoke = `arn:${partition}:sts::${account}:assumed-role/${spokeOf(account)}/`
  const proofOf = (key: string | null, match: 'key' | 'chain'): SeenUse['proof'] => {
    const row = key === null ? undefined : known.get(key)
    return row ? { grantId: row.grant_id, sessionId: row.session_id, match } : null
  }
  return {
    isWhole: isWhole && shown.length === found.length,
    uses: shown.map(({ accessKeyId, callerKeyId, grantTag, ...use }) => ({
      ...use,
      endedAt: null,
      proof: proofOf(accessKeyId, 'key') ?? proofOf(callerKeyId, 'chain'),
      claim: use.by?.startsWith(spoke)
        ? { grantId: grantTag, sessionId: null, person: use.sourceIdentity ?? use.sessionName }
        : null,
    })),
  }
}

/** Nothing happens in a region that is off. */
function noRegion(error: unknown) {
  if (error instanceof BrokerError && error.code === 'AWS_REGION_OFF') return { taken: [], isWhole: true }
  throw error
}
