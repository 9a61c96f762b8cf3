import type { Config } from '../config/config.ts'
import type { PlannedGrant, PlannedRequest } from '../contract/policy.ts'
import { type Core, principalReader } from './core.ts'
import { judgeGrant, judgeRequest } from './grants/recheck.ts'
import type { RuleProblem } from './rules/findings.ts'
import type { RevisionDiff } from './rules/revision.ts'

export type ReloadPlan =
  | {
      readonly ok: true
      readonly isSame: boolean
      /** What is in force now. */
      readonly before: Config['inventory'] | undefined
      readonly diff: RevisionDiff
      /** Ids of resources. */
      readonly leaving: readonly string[]
      readonly grants: readonly Omit<PlannedGrant, 'sessions'>[]
      readonly requests: readonly PlannedRequest[]
    }
  | { readonly ok: false; readonly problems: readonly RuleProblem[] }

/**
 * What a reload of a configuration would do to live grants and pending requests, by the same judgement that a reload makes. Changes
 * nothing; what expires meanwhile is left out.
 */
export async function planReload(core: Core, config: Config): Promise<ReloadPlan> {
  const preview = core.inForce.preview(config)
  if (!preview.ok) return preview
  const { inForce, leaving, before, diff } = preview
  const next = { ...core, inForce }
  const read = principalReader(core)
  const nameOf = async (id: string) => ({ id, name: (await read(id))?.name ?? id })
  const grants: Omit<PlannedGrant, 'sessions'>[] = []
  for (const grant of core.grants.live) {
    const verdict = await judgeGrant(next, grant, read)
    if (!verdict) continue
    const { id, resourceId, level } = grant
    const endsAt = verdict.becomes === 'shorter' ? verdict.endsAt : null
    grants.push({ id, principal: await nameOf(grant.principalId), resourceId, level, endsAt, text: verdict.text })
  }
  const requests: PlannedRequest[] = []
  for (const request of await core.requests.pending()) {
    if (core.clock.now() >= request.expiresAt) continue
    const verdict = await judgeRequest(next, request, read)
    if (!verdict) continue
    const { id, resourceId, level } = request
    const { becomes, text } = verdict
    requests.push({ id, beneficiary: await nameOf(request.beneficiaryId), resourceId, level, becomes, text })
  }
  const isSame = core.inForce.rules.digest === inForce.rules.digest
  return { ok: true, isSame, before: before?.inventory, diff, leaving, grants, requests }
}
