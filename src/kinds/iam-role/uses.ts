import { BrokerError } from '../../../proxy/session.ts'
import type { ReadTrail, RoleTaken } from '../../aws/estate/trail.ts'
import type { AwsUsage } from '../../contract/grants.ts'
import type { UsesRange } from '../module.ts'
import type { CredentialStore } from './credential-store.ts'
import type { RoleTarget } from './target.ts'

export interface UsesDeps {
  readonly readTrail: ReadTrail
  readonly credentials: Pick<CredentialStore, 'findAll'>
  /** Where people and the broker take roles. */
  readonly regions: readonly string[]
}

type Target = Pick<RoleTarget, 'partition' | 'account' | 'roleArn'>

/** As many keys as one answer has. */
const mostUses = 1000

/**
 * Who took a role in a time, and by which grant: joined by the access key, since all that the broker gives out is in its books.
 * @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE; the signal's reason
 */
export async function readUses(
  { readTrail, credentials, regions }: UsesDeps,
  { partition, account, roleArn }: Target,
  range: UsesRange,
  signal: AbortSignal,
): Promise<Pick<AwsUsage, 'uses' | 'isWhole'>> {
  const found: RoleTaken[] = []
  let isWhole = true
  for (const region of regions) {
    const answer = await readTrail({ partition, account, region }, roleArn, range, signal).catch(noRegion)
    found.push(...answer.taken)
    isWhole &&= answer.isWhole
  }
  const shown = found.sort((a, b) => b.at - a.at).slice(0, mostUses)
  const keys = shown.flatMap(({ accessKeyId }) => accessKeyId ?? [])
  const known = keys.length > 0 ? await credentials.findAll(keys) : new Map()
  return {
    isWhole: isWhole && shown.length === found.length,
    uses: shown.map(({ accessKeyId, ...use }) => {
      const row = accessKeyId === null ? undefined : known.get(accessKeyId)
      return { ...use, grantId: row?.grant_id ?? null, sessionId: row?.session_id ?? null }
    }),
  }
}

/** Nothing happens in a region that is off. */
function noRegion(error: unknown) {
  if (error instanceof BrokerError && error.code === 'AWS_REGION_OFF') return { taken: [], isWhole: true }
  throw error
}
