/** Which uses in AWS were by a grant: what calls say of themselves counts only where the broker's own role made them. */
import t from 'tap'
import type { GrantView } from '../../../src/contract/grants.ts'
import { readUses } from '../../../src/kinds/ec2-instance/uses.ts'
import { joinUses } from '../../../src/kinds/join-uses.ts'
import type { SeenUse } from '../../../src/kinds/seen-use.ts'

const hour = 3_600_000
const at = Date.parse('2026-11-20T10:00:00Z')
const range = { since: at - 10 * hour, until: at + hour }
const resource = 'iam-role/111122223333/Reports'

const grant = (id: string, name: string, more: Partial<GrantView> = {}) =>
  ({
    ...{ id, principal: { id: name, name }, resourceId: resource, level: 'readonly', state: 'active' },
    ...{ startsAt: at - hour, endsAt: at + hour, endedAt: null },
    ...more,
  }) as GrantView

function use(more: Partial<SeenUse>): SeenUse {
  const base = { at, endedAt: null, region: 'eu-west-1', by: 'x', sessionName: null, sourceIdentity: null }
  return { ...base, proof: null, claim: null, ...more }
}

const claim = (more: Partial<NonNullable<SeenUse['claim']>>) => ({
  claim: { grantId: null, sessionId: null, person: null, ...more },
})

const others = new Map([['grt_other', grant('grt_other', 'dora@example.com')]])

async function join(uses: readonly SeenUse[], grants: readonly GrantView[] = []) {
  const deps = {
    grant: async (id: string) => grants.find((one) => one.id === id) ?? others.get(id),
    session: async (id: string) =>
      id === 'ses_1' ? { grantId: 'grt_1', resourceId: resource } : { grantId: 'grt_2', resourceId: 'elsewhere' },
    useOf: async () => new Map([['grt_idle', { sessions: 2, open: 0, firstAt: 1, lastAt: 2 }]]),
  }
  return await joinUses(deps, resource, { uses, isWhole: true }, grants, range)
}

t.test('each way, the strongest first', async (t) => {
  const alice = grant('grt_1', 'alice@example.com')
  const cases: [string, Partial<SeenUse>, string | null, string | null][] = [
    [
      'keys of the books',
      { proof: { grantId: 'grt_9', sessionId: 'ses_9', match: 'key' }, ...claim({ grantId: 'grt_1' }) },
      'grt_9',
      'key',
    ],
    ['keys that came of them', { proof: { grantId: 'grt_9', sessionId: 'ses_9', match: 'chain' } }, 'grt_9', 'chain'],
    ['a session of the broker', claim({ sessionId: 'ses_1' }), 'grt_1', 'session'],
    ['a session of another resource', claim({ sessionId: 'ses_2' }), null, null],
    ['its own role names the grant', claim({ grantId: 'grt_1', person: 'mallory' }), 'grt_1', 'tags'],
    ['one of another resource, which is reached by this role', claim({ grantId: 'grt_other' }), 'grt_other', 'tags'],
    ['one that there is not', claim({ grantId: 'grt_forged', person: 'alice@example.com' }), null, null],
    ['its own role names the person', claim({ person: 'alice@example.com' }), 'grt_1', 'source-identity'],
    ['another person', claim({ person: 'mallory@example.com' }), null, null],
    ['after the grant', { at: at + 2 * hour, ...claim({ grantId: 'grt_1' }) }, null, null],
    ['before it', { at: at - 2 * hour, ...claim({ person: 'alice@example.com' }) }, null, null],
    ['another role', { sourceIdentity: 'alice@example.com' }, null, null],
  ]
  for (const [what, seen, grantId, match] of cases)
    t.match((await join([use(seen)], [alice])).uses, [{ grantId, match }], what)
  const two = [alice, grant('grt_3', 'alice@example.com')]
  t.match((await join([use(claim({ person: 'alice@example.com' }))], two)).uses, [{ grantId: null }], 'which of two')
  const ended = grant('grt_1', 'alice@example.com', { state: 'revoked', endedAt: at - hour / 2 })
  t.match((await join([use(claim({ grantId: 'grt_1' }))], [ended])).uses, [{ grantId: null }], 'it had been revoked')
})

t.test('grants without a use', async (t) => {
  const found = await join(
    [use({ proof: { grantId: 'grt_1', sessionId: 'ses_1', match: 'key' } })],
    [
      grant('grt_1', 'alice@example.com'),
      grant('grt_idle', 'bob@example.com', { endedAt: at }),
      grant('grt_new', 'bob@example.com', { startsAt: range.until - 60_000, endsAt: range.until + hour }),
      grant('grt_old', 'bob@example.com', { startsAt: range.since - 2 * hour, endsAt: range.since - hour }),
    ],
  )
  t.match(found.unused, [{ grantId: 'grt_idle', endsAt: at, sessions: 2, principal: { name: 'bob@example.com' } }])
  t.equal(found.unused.length, 1)
})

t.test(
  'on an instance the reason is believed of the broker\u2019s own role alone, and tunnels are left out',
  async (t) => {
    const session = `ses_${'0'.repeat(26)}`
    const owner = (role: string, name: string) => `arn:aws:sts::111122223333:assumed-role/${role}/${name}`
    const seen = (who: string, reason: string | null) => ({ awsSessionId: 'x', at, endedAt: null, owner: who, reason })
    const sessions = [
      seen(owner('Shells', 'sp-alice@example.com'), `sallyport ${session}`),
      seen(owner('Admin', 'sp-alice@example.com'), `sallyport ${session}`),
      seen(owner('Shells', 'mallory'), `sallyport ${session}`),
      seen(owner('Shells', 'sp-alice@example.com'), 'anything'),
      seen(owner('sallyport-reach', 'sp-alice@example.com'), 'a database'),
    ]
    const target = {
      ...{ partition: 'aws', account: '111122223333', region: 'eu-west-1', instanceId: 'i-0' },
      role: 'arn:aws:iam::111122223333:role/sallyport/Shells',
    }
    const deps = {
      readHistory: async () => ({ sessions, isWhole: true }),
      spokeOf: () => 'Connect',
      reachRole: 'sallyport-reach',
    }
    const { uses } = await readUses(deps, target, range, AbortSignal.timeout(1000))
    t.same(
      uses.map((one) => one.claim?.sessionId),
      [session, undefined, undefined, null],
    )
  },
)
