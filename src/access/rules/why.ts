import { BrokerError } from '../../../proxy/session.ts'
import type { WhyAnswer } from '../../contract/policy.ts'
import { isReferenceTo } from '../../identity/names.ts'
import type { Login } from '../../identity/principal.ts'
import { type Core, currentPrincipal, isOverseer, mayKnowOf } from '../core.ts'
import { explain, findRule } from './decide.ts'
import { freeze } from './personal.ts'
import { levelsOf } from './rule.ts'

/** Whether one is given is asked when access is. */
const anyTicket = 'ticket'

/**
 * The reasoning about one principal and one resource, by the rules in force.
 * @param ask.principal id, e-mail or name; omitted: oneself. Only admins and auditors may ask about others.
 * @throws BrokerError ROLE_REQUIRED, NOT_FOUND, RESOURCE_UNKNOWN, LEVEL_UNKNOWN …
 */
export async function why(
  core: Core,
  login: Login,
  ask: { readonly principal?: string; readonly resource: string; readonly level?: string },
): Promise<WhyAnswer> {
  const self = await currentPrincipal(core, login.principal.id)
  const principal = ask.principal === undefined ? self : await findAsked(core, login, ask.principal)
  const { rules, catalog } = core.inForce
  const resource = catalog.find(ask.resource, (one) => mayKnowOf(core, login, one, self))
  const known = [...levelsOf(rules, resource).keys()]
  const levels = ask.level === undefined ? known : known.filter((level) => level === ask.level)
  if (levels.length === 0)
    throw new BrokerError('LEVEL_UNKNOWN', `${resource.id} has: ${known.join(', ') || 'no level at all'}`)
  const address = principal.id === self.id ? 'you are' : `${principal.name} is`
  return {
    principal: { id: principal.id, name: principal.name, groups: principal.groups },
    resource: resource.id,
    levels: await Promise.all(
      levels.map(async (level) => {
        const found = findRule(rules, principal, resource, level, address)
        const named = found.allowed
          ? await freeze(core, resource, found.meaning, { principal, ticket: anyTicket })
          : found
        const decision = named.allowed ? found : named
        return {
          level,
          allowed: decision.allowed,
          rule: typeof decision.rule === 'object' ? (decision.rule?.name ?? null) : decision.rule,
          reason: decision.allowed ? `rule ${decision.rule.name} allows it` : decision.reason,
          rules: explain(rules, principal, resource, level, address),
        }
      }),
    ),
  }
}

/** Someone who may not ask about others learns nothing about them, not even that they exist. */
async function findAsked(core: Core, login: Login, reference: string) {
  const { principal } = login
  if (isReferenceTo(principal, reference)) return principal
  if (!isOverseer(login)) throw new BrokerError('ROLE_REQUIRED', 'you may ask about yourself only')
  return await core.identity.findPrincipal(reference)
}
