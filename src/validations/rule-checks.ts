import type { RuleView } from '../contract/policy.ts'
import { emailKey } from '../identity/names.ts'
import type { Principal } from '../identity/principal.ts'
import { plain } from './found.ts'
import type { Found } from './validation-store.ts'

export type Approver = Pick<Principal, 'id' | 'email' | 'groups'>

/**
 * Whether requests by each rule can be approved.
 * @param people active ones that have signed in so far
 */
export function checkRules(rules: readonly Pick<RuleView, 'name' | 'stages'>[], people: readonly Approver[]): Found[] {
  return rules.flatMap(({ name, stages }) => stages.map((stage, index) => checkStage(name, stage, index + 1, people)))
}

function checkStage(
  rule: string,
  { anyOf, count }: RuleView['stages'][number],
  number: number,
  people: readonly Approver[],
) {
  const check = `rule ${rule}, stage ${number}`
  const why = 'a request that nobody can approve waits until it lapses'
  const shared = { check, about: 'rule', why, severity: 'medium' } as const
  if (anyOf.includes('manager'))
    return plain({ ...shared, status: 'ok', detail: 'the manager of who asks may approve' })
  const able = people.filter((one) => anyOf.some((approver) => isMeant(one, approver))).length
  if (able >= count)
    return plain({
      ...shared,
      status: 'ok',
      detail: able === 1 ? '1 person may approve' : `${able} people may approve`,
    })
  const named = anyOf.join(', ')
  return plain({
    ...shared,
    status: 'failed',
    detail:
      able === 0
        ? `nobody who has signed in so far is ${named}`
        : `it needs ${count} people, and only ${able} of those who have signed in so far are ${named}`,
    fix: 'put people into the group at the identity provider, name other approvers, or have them sign in once',
  })
}

/** @param approver `group:NAME` or `email:ADDRESS` */
function isMeant({ email, groups }: Approver, approver: string): boolean {
  const colon = approver.indexOf(':')
  const [form, value] = [approver.slice(0, colon), approver.slice(colon + 1)]
  if (form === 'group') return groups.includes(value)
  return form === 'email' && email !== null && emailKey(email) === emailKey(value)
}
