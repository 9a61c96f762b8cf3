import type { Principal } from '../identity/principal.ts'
import { fillsStage } from './requests/request.ts'
import type { RuleSet } from './rules/rule.ts'

/** Whether some rule names this person as an approver: by e-mail or group, or as the manager that each beneficiary has. */
export function approvesWhat(
  { rules }: Pick<RuleSet, 'rules'>,
  principal: Principal,
): { readonly byName: boolean; readonly asManager: boolean } {
  const stages = rules.flatMap((rule) => rule.stages)
  return {
    byName: stages.some((stage) => fillsStage(stage, principal, { ...principal, manager: null })),
    asManager: stages.some(({ anyOf }) => anyOf.includes('manager')),
  }
}
