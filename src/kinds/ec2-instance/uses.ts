import type { ReadShellHistory } from '../../aws/estate/shell-history.ts'
import type { UsesRange } from '../module.ts'
import type { SeenUses } from '../seen-use.ts'
import type { InstanceTarget } from './target.ts'

export interface UsesDeps {
  readonly readHistory: ReadShellHistory
  /** Path and name of the spoke role of an account. */
  spokeOf(account: string): string
  /** Path and name of the role that opens tunnels through instances. */
  readonly reachRole: string
}

type Target = Pick<InstanceTarget, 'partition' | 'account' | 'region' | 'instanceId' | 'role'>

/**
 * Who had sessions on an instance. What the broker started says which of its sessions it was, in a reason that only its own role is believed; tunnels
 * through the instance lead elsewhere, and are left out.
 * @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE, AWS_REGION_OFF; the signal's reason
 */
export async function readUses(
  { readHistory, spokeOf, reachRole }: UsesDeps,
  { partition, account, region, instanceId, role }: Target,
  range: UsesRange,
  signal: AbortSignal,
): Promise<SeenUses> {
  const ownedBy = (name: string) => `arn:${partition}:sts::${account}:assumed-role/${name.split('/').at(-1)}/sp-`
  const own = ownedBy(role ?? spokeOf(account))
  const tunnels = `arn:${partition}:sts::${account}:assumed-role/${reachRole.split('/').at(-1)}/`
  const { sessions, isWhole } = await readHistory({ partition, account, region }, instanceId, range, signal)
  return {
    isWhole,
    uses: sessions
      .filter(({ owner }) => !owner?.startsWith(tunnels))
      .map(({ at, endedAt, owner, reason }) => ({
        ...{ at, endedAt, region, by: owner, sourceIdentity: null, proof: null },
        sessionName: owner?.split('/').at(-1) ?? null,
        claim: owner?.startsWith(own)
          ? { grantId: null, sessionId: /^sallyport (ses_[0-9a-z]{26})$/.exec(reason ?? '')?.[1] ?? null, person: null }
          : null,
      })),
  }
}
