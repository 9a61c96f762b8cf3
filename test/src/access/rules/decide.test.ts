/** The pure core of access: denies unless a rule says otherwise, and always says why. */
import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import {
  type Ask,
  decide,
  decideGrant,
  explain,
  findRule,
  levelsToAskFor,
} from '../../../../src/access/rules/decide.ts'
import { type LevelSet, parseRule, type Rule, type RuleSet, type Selector } from '../../../../src/access/rules/rule.ts'
import type { Resource } from '../../../../src/catalog/resource.ts'
import type { RuleFile, SelectorFile } from '../../../../src/config/schema.ts'
import type { Principal } from '../../../../src/identity/principal.ts'
import fc from '../../../fast-check.ts'
import { hour, ledgerId, minute, ordersId, principal, resource, startedAt } from '../access-setup.ts'

const accounts = ['111122223333', '444455556666']
const groups = ['engineering', 'finance', 'owners']
const emails = ['alice@example.com', 'bob@example.com']
const levelNames = ['readonly', 'admin', 'owner']

const looseSelector: fc.Arbitrary<SelectorFile> = fc.record(
  {
    ids: fc.subarray([ordersId, ledgerId]),
    accounts: fc.subarray(accounts),
    kinds: fc.subarray(['rds-postgres', 'iam-role']),
    regions: fc.subarray(['eu-west-1', 'us-east-1']),
    tags: fc.dictionary(fc.constantFrom('env', 'team'), fc.constantFrom('prod', 'dev'), { maxKeys: 2 }),
  },
  { requiredKeys: [] },
)

/** Often one that selects much, so that the later conditions are reached. */
const anySelector: fc.Arbitrary<SelectorFile> = fc.oneof(
  looseSelector,
  fc.constant<SelectorFile>({ kinds: ['rds-postgres'] }),
  fc.constant<SelectorFile>({ regions: ['eu-west-1', 'us-east-1'] }),
)

const anyRuleFile: fc.Arbitrary<Omit<RuleFile, 'name'>> = fc.record(
  {
    who: fc.record(
      {
        groups: fc.subarray(groups, { minLength: 1 }),
        emails: fc.subarray(emails),
        principals: fc.subarray(['prn_a', 'prn_b']),
      },
      { requiredKeys: [] },
    ),
    what: anySelector,
    levels: fc.subarray(levelNames, { minLength: 1 }),
    max_duration: fc.constantFrom('30m', '1h', '8h'),
    require: fc.record(
      {
        reason: fc.boolean(),
        ticket: fc.constant('[A-Z]+-[0-9]+'),
        login_within: fc.constantFrom('10m', '1h'),
        acr: fc.subarray(['mfa', 'hwk']),
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: ['who', 'what', 'levels', 'max_duration'] },
)

const anyRules: fc.Arbitrary<Rule[]> = fc
  .array(anyRuleFile, { maxLength: 5 })
  .map((files) => files.map((file, i) => parseRule({ ...file, name: `rule-${i}` })))

const anyLevelSet: fc.Arbitrary<LevelSet> = fc.record({
  for: anySelector,
  levels: fc
    .dictionary(fc.constantFrom(...levelNames), fc.constantFrom('a', 'b'))
    .map(
      (meanings) =>
        new Map(
          Object.entries(meanings).map(([name, digest]) => [
            name,
            { raw: digest, digest, parsed: new Map([['rds-postgres', { user: digest }]]) },
          ]),
        ),
    ),
})

const anyRuleSet: fc.Arbitrary<RuleSet> = fc.record({
  digest: fc.constant('d'.repeat(64)),
  rules: anyRules,
  levelSets: fc.array(anyLevelSet, { maxLength: 3 }),
})

const anyPrincipal: fc.Arbitrary<Principal> = fc
  .record({
    id: fc.constantFrom('prn_a', 'prn_b', 'prn_c'),
    email: fc.constantFrom(null, ...emails),
    groups: fc.subarray(groups),
    active: fc.constantFrom(true, true, false),
    lockedAt: fc.constantFrom(null, null, startedAt),
  })
  .map(({ id, ...more }) => principal(id, more))

const anyResource: fc.Arbitrary<Resource> = fc
  .record({
    id: fc.constantFrom(ordersId, ledgerId, 'rds-postgres/444455556666/us-east-1/orders'),
    tags: fc.dictionary(fc.constantFrom('env', 'team'), fc.constantFrom('prod', 'dev'), { maxKeys: 2 }),
  })
  .map(({ id, tags }) => resource(id, { tags }))

const anyAsk: fc.Arbitrary<Ask> = fc.record({
  level: fc.constantFrom(...levelNames, 'root'),
  durationMs: fc.oneof(
    fc.constant(minute),
    fc.constantFrom(-1, 0, 1, 30 * minute, 30 * minute + 1, 8 * hour, 8 * hour + 1, NaN),
  ),
  reason: fc.constantFrom('a bug', 'a bug', 'a bug', null, '', '  '),
  ticket: fc.constantFrom('OPS-1', 'OPS-1', 'OPS-1', null, '', 'OPS-1; drop', 'xOPS-1'),
  login: fc.record({
    authenticatedAt: fc.constantFrom(
      startedAt,
      startedAt - 10 * minute,
      startedAt - 10 * minute - 1,
      startedAt - 2 * hour,
    ),
    acr: fc.constantFrom(null, 'mfa', 'pwd'),
    interactive: fc.constantFrom(true, true, false),
    via: fc.constant('cli' as const),
    scopes: fc.constant(null),
    cidr: fc.constant(null),
  }),
})

const question = [anyRuleSet, anyPrincipal, anyResource, anyAsk] as const
const many = { numRuns: 5000 }

/** The rules as DESIGN and the configuration reference state them, said once more in other words. */
function selectedBy(selector: Selector, { id, account, kind, region, tags }: Resource): boolean {
  const demands: boolean[] = []
  if (selector.ids) demands.push(selector.ids.some((one) => one === id))
  if (selector.accounts) demands.push(selector.accounts.some((one) => one === account))
  if (selector.kinds) demands.push(selector.kinds.some((one) => one === kind))
  if (selector.regions) demands.push(selector.regions.some((one) => one === region))
  const pairs = Object.entries(selector.tags ?? {})
  for (const [key, value] of pairs) demands.push(tags[key] === value)
  if (selector.tags && pairs.length === 0) demands.push(false)
  return demands.length > 0 && demands.every(Boolean)
}

function expectedRule(rules: RuleSet, who: Principal, what: Resource, level: string): Rule | undefined {
  if (!who.active || who.lockedAt !== null) return undefined
  const levels = rules.levelSets.find((set) => selectedBy(set.for, what))?.levels
  if (!levels?.has(level)) return undefined
  return rules.rules.find(
    (rule) =>
      rule.levels.includes(level) &&
      selectedBy(rule.what, what) &&
      (rule.who.groups.some((group) => who.groups.includes(group)) ||
        rule.who.emails.some((email) => email === who.email) ||
        rule.who.principals.includes(who.id)),
  )
}

function meets({ maxDurationMs, require }: Rule, ask: Ask): boolean {
  const { login } = ask
  const needsSignIn = require.loginWithinMs !== null || require.acr.length > 0
  return [
    ask.durationMs > 0,
    ask.durationMs <= maxDurationMs,
    !require.reason || (ask.reason ?? '').trim() !== '',
    require.ticket === null || ask.ticket === 'OPS-1',
    !needsSignIn || login.interactive,
    require.loginWithinMs === null || startedAt - login.authenticatedAt <= require.loginWithinMs,
    require.acr.length === 0 || require.acr.some((acr) => acr === login.acr),
  ].every(Boolean)
}

t.test('allows exactly what the first matching rule allows, and nothing without one', async (t) => {
  let allowed = 0
  fc.assert(
    fc.property(...question, (rules, who, what, ask) => {
      const decision = decide(rules, who, what, ask, startedAt)
      const rule = expectedRule(rules, who, what, ask.level)
      if (decision.allowed) {
        allowed++
        return decision.rule === rule && meets(rule, ask)
      }
      return rule === undefined || !meets(rule, ask)
    }),
    many,
  )
  t.ok(allowed > 20, `${allowed} of the questions were answered with yes: the property is not empty`)
})

t.test('a denial always has a code, a condition and words', async () => {
  fc.assert(
    fc.property(...question, (rules, who, what, ask) => {
      const decision = decide(rules, who, what, ask, startedAt)
      return (
        decision.allowed ||
        (decision.code !== undefined && decision.condition !== undefined && decision.reason.length > 10)
      )
    }),
    many,
  )
})

t.test('is pure: the same answer again, and nothing that it was given is changed', async () => {
  fc.assert(
    fc.property(...question, (rules, who, what, ask) => {
      const frozen = [Object.freeze(rules), Object.freeze(who), Object.freeze(what), Object.freeze(ask)] as const
      const before = JSON.stringify(frozen)
      const first = decide(...frozen, startedAt)
      return isDeepStrictEqual(decide(...frozen, startedAt), first) && JSON.stringify(frozen) === before
    }),
    { numRuns: 300 },
  )
})

t.test('who is locked or inactive is denied, whatever the rules say', async () => {
  fc.assert(
    fc.property(...question, fc.boolean(), (rules, who, what, ask, isLocked) => {
      const barred = isLocked ? { ...who, lockedAt: 1 } : { ...who, active: false }
      return !decide(rules, barred, what, ask, startedAt).allowed
    }),
    many,
  )
})

t.test('taking a rule or a group away never opens anything', async () => {
  fc.assert(
    fc.property(...question, fc.nat(), fc.nat(), (rules, who, what, { level }, r, g) => {
      if (findRule(rules, who, what, level).allowed) return true
      const fewerRules = { ...rules, rules: rules.rules.filter((_, i) => i !== r % (rules.rules.length || 1)) }
      const fewerGroups = { ...who, groups: who.groups.filter((_, i) => i !== g % (who.groups.length || 1)) }
      return !findRule(fewerRules, who, what, level).allowed && !findRule(rules, fewerGroups, what, level).allowed
    }),
    many,
  )
})

t.test('the explanation names the rule that decides, and a failed condition of every rule before it', async () => {
  fc.assert(
    fc.property(...question, (rules, who, what, { level }) => {
      const found = findRule(rules, who, what, level)
      if (!found.allowed) return true
      const explained = explain(rules, who, what, level)
      const first = explained.findIndex(({ matches }) => matches)
      return (
        explained[first]?.name === found.rule.name &&
        explained.slice(0, first).every(({ conditions }) => conditions.some(({ ok }) => !ok))
      )
    }),
    many,
  )
})

t.test('what is offered to be asked for is what would be found', async () => {
  fc.assert(
    fc.property(anyRuleSet, anyPrincipal, anyResource, (rules, who, what) => {
      const offered = levelsToAskFor(rules, who, what)
      const expected = levelNames.filter((level) => expectedRule(rules, who, what, level) !== undefined)
      return isDeepStrictEqual([...offered].sort(), expected.sort())
    }),
    { numRuns: 500 },
  )
})

/** Null in grants from before it was kept. */
const anyTargetId = fc.constantFrom('db-1', 'db-1', null, 'db-2')

t.test('a grant stands only under its own rule, unchanged in who, what, level, meaning and target', async () => {
  fc.assert(
    fc.property(...question, fc.nat(6), fc.constantFrom('a', 'b'), anyTargetId, (...given) => {
      const [rules, who, what, { level }, n, levelDigest, targetId] = given
      const ruleName = `rule-${n}`
      const bound = { resourceId: what.id, targetId, level, ruleName, levelDigest }
      const decision = decideGrant(rules, who, { ...what, targetId: 'db-1' }, bound)
      const rule = rules.rules.find(({ name }) => name === ruleName)
      const standing = { ...who, active: true, lockedAt: null } // a grant outlives a lock; the check before it does not
      const alone = rule && expectedRule({ ...rules, rules: [rule] }, standing, what, level)
      const meaning = rules.levelSets.find((set) => selectedBy(set.for, what))?.levels.get(level)
      const holds = alone !== undefined && meaning?.digest === levelDigest && targetId !== 'db-2'
      return decision.allowed === holds && (decision.allowed || decision.reason.length > 10)
    }),
    many,
  )
})

t.test('reasons say what is missing', async (t) => {
  const file = {
    who: { groups: ['finance'] },
    what: { ids: [ordersId] },
    levels: ['readonly'],
    max_duration: '1h',
    require: { reason: true },
  }
  const parsed = new Map([['rds-postgres', {}]])
  const rules: RuleSet = {
    digest: '',
    rules: [parseRule({ name: 'finance-reads', ...file })],
    levelSets: [{ for: { ids: [ordersId] }, levels: new Map([['readonly', { raw: {}, digest: 'a', parsed }]]) }],
  }
  const ask = {
    level: 'readonly',
    durationMs: hour,
    reason: null,
    ticket: null,
    login: { authenticatedAt: startedAt, acr: null, interactive: true, via: 'cli' as const, scopes: null, cidr: null },
  }
  const alice = principal('alice', { groups: ['engineering'] })
  t.match(decide(rules, alice, resource(ordersId), ask, startedAt), {
    code: 'GRANT_DENIED',
    rule: 'finance-reads',
    reason: 'rule finance-reads needs group finance; you are in: engineering',
  })
  t.match(decide(rules, principal('fay', { groups: ['finance'] }), resource(ordersId), ask, startedAt), {
    reason: 'rule finance-reads needs a reason; add --reason',
  })
  t.match(decide(rules, alice, resource(ordersId), { ...ask, level: 'root' }, startedAt), {
    code: 'LEVEL_UNKNOWN',
    reason: `${ordersId} has no level "root"; it has: readonly`,
  })
})
