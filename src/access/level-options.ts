import { BrokerError } from '../../proxy/session.ts'
import type { CatalogEntry } from '../catalog/resource.ts'
import type { LevelOption, ResourceView } from '../contract/resources.ts'
import { refuseEntry } from '../identity/admission.ts'
import type { Login, Principal } from '../identity/principal.ts'
import { type Core, currentPrincipal, isOverseer, mayKnowOf } from './core.ts'
import { limitsOf, meansOf } from './meaning.ts'
import { deadEnd } from './requests/request.ts'
import { findRule } from './rules/decide.ts'
import { type Frozen, freeze } from './rules/personal.ts'
import { type LevelMeaning, levelsOf, type Rule } from './rules/rule.ts'
import { viewResources } from './views.ts'

export interface ResourceOptions {
  readonly resource: ResourceView
  readonly levels: readonly LevelOption[]
}

/** Whether one is given is asked when access is. */
const anyTicket = 'ticket'
const noneFrozen: Frozen = { loginName: null, sessionTags: null }

/**
 * What a request by this person for each level of a resource needs, and gives. Of levels that no rule has for them only admins and
 * auditors are shown what they give.
 * @throws BrokerError RESOURCE_UNKNOWN also for what they may not see, RESOURCE_AMBIGUOUS
 */
export async function levelOptions(core: Core, login: Login, reference: string): Promise<ResourceOptions> {
  const self = await currentPrincipal(core, login.principal.id)
  const entry = core.inForce.catalog.find(reference, (one) => mayKnowOf(core, login, one, self))
  const { items } = await viewResources(core, { ...login, principal: self }, { resourceId: entry.id, limit: 1 })
  const [resource] = items
  if (!resource) throw new BrokerError('RESOURCE_UNKNOWN', entry.id)
  const levels: LevelOption[] = []
  for (const level of levelsOf(core.inForce.rules, entry).keys())
    levels.push(await optionOf(core, login, self, entry, level))
  return { resource, levels: [...levels.filter(({ mayAsk }) => mayAsk), ...levels.filter(({ mayAsk }) => !mayAsk)] }
}

async function optionOf(
  core: Core,
  login: Login,
  self: Principal,
  entry: CatalogEntry,
  level: string,
): Promise<LevelOption> {
  const found = findRule(core.inForce.rules, self, entry, level)
  const frozen = found.allowed
    ? await freeze(core, entry, found.meaning, { principal: self, ticket: anyTicket })
    : undefined
  const refused = found.allowed
    ? (whyNotUnder(login, self, found.rule, core.clock.now()) ?? (await whyNotInAws(core, self, entry, found.meaning)))
    : found.reason
  const isShown = found.allowed || isOverseer(login)
  const of = { resourceId: entry.id, level, ...(frozen?.allowed ? frozen : noneFrozen) }
  const whyNot = refused ?? (frozen?.allowed === false ? frozen.reason : null)
  return {
    level,
    mayAsk: whyNot === null,
    whyNot,
    ...(found.allowed ? termsOf(found.rule) : noTerms),
    means: isShown ? [...meansOf(core, of)] : [],
    limits: isShown && frozen?.allowed !== false ? [...limitsOf(core, of)] : [],
  }
}

/** What no reason, ticket or newer sign-in changes. */
function whyNotUnder(login: Login, self: Principal, rule: Rule, now: number): string | null {
  const dead = deadEnd(rule.stages, self)
  if (dead !== null) return `rule ${rule.name}: ${dead}`
  const anySignIn = { name: rule.name, loginWithinMs: null, acr: [] }
  const refused = refuseEntry({ door: 'request', by: login, rule: anySignIn, now })
  return refused && (refused.reason ?? 'this credential may not request access')
}

/** Of what AWS itself holds. While AWS cannot be asked, no request would be taken. */
async function whyNotInAws(
  core: Core,
  self: Principal,
  entry: CatalogEntry,
  { parsed }: LevelMeaning,
): Promise<string | null> {
  try {
    return (await core.pushed.refuse(self, entry, parsed.get(entry.kind)))?.reason ?? null
  } catch (error) {
    if (error instanceof BrokerError) return error.message
    throw error
  }
}

type Terms = Pick<LevelOption, 'rule' | 'maxDurationMs' | 'needs' | 'stages'>

const noTerms: Terms = {
  rule: null,
  maxDurationMs: null,
  needs: { reason: false, ticket: null, loginWithinMs: null, acr: [] },
  stages: [],
}

function termsOf({ name, maxDurationMs, require, stages }: Rule): Terms {
  const { reason, ticket, loginWithinMs, acr } = require
  return {
    rule: name,
    maxDurationMs,
    needs: { reason, ticket: ticket?.source ?? null, loginWithinMs, acr: [...acr] },
    stages: stages.map(({ anyOf, count }) => ({ anyOf: [...anyOf], count })),
  }
}
