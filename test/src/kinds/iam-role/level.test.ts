import { test } from 'tap'
import type { Resource } from '../../../../src/catalog/resource.ts'
import { iamRole } from '../../../../src/kinds/iam-role/kind.ts'
import { roleLevel } from '../../../../src/kinds/iam-role/level.ts'
import { sessionPolicy } from '../../../../src/kinds/iam-role/session-policy.ts'
import { roleTarget } from '../../../../src/kinds/iam-role/target.ts'
import { parsePolicy } from '../../../sandbox/aws/policy.ts'

const resource = (attributes: Record<string, unknown> = {}, name = 'Deployer'): Resource => ({
  id: `iam-role/111122223333/${name}`,
  kind: 'iam-role',
  partition: 'aws',
  organization: null,
  account: '111122223333',
  region: null,
  name,
  tags: {},
  attributes,
  source: 'config',
})

const pathsOf = (parsed: { ok: true } | { ok: false; problems: readonly { path: string }[] }) =>
  parsed.ok ? [] : parsed.problems.map(({ path }) => path)

test('a role is named by its id; the ARN is only needed for a path', (t) => {
  t.match(roleTarget.read(resource()), { ok: true, value: { roleArn: 'arn:aws:iam::111122223333:role/Deployer' } })
  const withPath = 'arn:aws:iam::111122223333:role/teams/shop/Deployer'
  t.match(roleTarget.read(resource({ role: withPath, max_session: '12h', revocable: true })), {
    ok: true,
    value: {
      roleArn: withPath,
      maxSessionMs: 43_200_000,
      isRevocable: true,
      hasTransitiveTags: true,
      hasSourceIdentity: true,
    },
  })
  t.match(roleTarget.read(resource({ transitive_tags: false, source_identity: false })), {
    value: { hasTransitiveTags: false, hasSourceIdentity: false, isRevocable: false, maxSessionMs: 3_600_000 },
  })
  for (const role of [
    'arn:aws:iam::444455556666:role/Deployer',
    'arn:aws-cn:iam::111122223333:role/Deployer',
    'arn:aws:iam::111122223333:role/Other',
    'arn:aws:iam::111122223333:user/Deployer',
  ])
    t.same(pathsOf(roleTarget.read(resource({ role }))), ['role'], role)
  t.same(pathsOf(roleTarget.read(resource({}, 'x'.repeat(64)))), [])
  t.same(pathsOf(roleTarget.read(resource({}, 'x'.repeat(65)))), ['id'])
  t.same(pathsOf(roleTarget.read(resource({ port: 5432, database: 'x' }))), ['port', 'database'])
  t.end()
})

const statement = { Effect: 'Allow', Action: 's3:Get*', Resource: '*' }
const policy = (more: unknown = statement) => ({ Version: '2012-10-17', Statement: more })
const arn = (i: number) => `arn:aws:iam::aws:policy/P${i}`

test('a level says less than the role may, within what STS takes', (t) => {
  t.same(roleLevel.read({}), {
    ok: true,
    value: { sessionPolicy: null, policyArns: [], sessionMs: null, sessionTags: {} },
  })
  t.match(roleLevel.read({ session_policy: policy(), policy_arns: [arn(1)], session: '15m' }), {
    ok: true,
    value: { sessionPolicy: JSON.stringify(policy()), sessionMs: 900_000 },
  })
  t.same(pathsOf(roleLevel.read({ policy_arns: Array.from({ length: 10 }, (_, i) => arn(i)) })), [])
  t.same(pathsOf(roleLevel.read({ policy_arns: Array.from({ length: 11 }, (_, i) => arn(i)) })), ['policy_arns'])
  t.same(pathsOf(roleLevel.read({ policy_arns: ['ReadOnlyAccess'] })), ['policy_arns'])
  for (const session of ['14m', '13h', 'soon']) t.same(pathsOf(roleLevel.read({ session })), ['session'], session)
  for (const wrong of [
    { Statement: statement },
    { ...policy(), Id: 'x' },
    'Allow',
    { Version: '2008-10-17', Statement: [] },
  ])
    t.same(pathsOf(roleLevel.read({ session_policy: wrong })), ['session_policy'], JSON.stringify(wrong))
  t.same(pathsOf(roleLevel.read({ session_policy: policy([]) })), ['session_policy'])
  t.same(pathsOf(roleLevel.read({ session_policy: policy([statement, { Effect: 'Perhaps' }]) })), [
    'session_policy.Statement[1]',
  ])
  t.same(pathsOf(roleLevel.read({ session_policy: policy({ ...statement, Principal: '*' }) })), [
    'session_policy.Statement[0]',
  ])
  t.same(pathsOf(roleLevel.read({ session_policy: policy({ ...statement, Resource: 'arn:aws:s3:::\u{1F600}' }) })), [
    'session_policy',
  ])
  t.same(pathsOf(roleLevel.read({ db_user: 'x' })), ['db_user'])
  for (const nothing of [null, [], 'full']) t.same(pathsOf(roleLevel.read(nothing)), [''])
  t.end()
})

test('policies and ARNs together have room for the end of the grant: one below the limit, one above', (t) => {
  const sized = (size: number) => {
    const empty = policy({ ...statement, Resource: '' })
    return policy({ ...statement, Resource: 'x'.repeat(size - JSON.stringify(empty).length) })
  }
  const room = 2048 - 160
  t.same(pathsOf(roleLevel.read({ session_policy: sized(room) })), [])
  t.same(pathsOf(roleLevel.read({ session_policy: sized(room + 1) })), ['session_policy'])
  t.same(pathsOf(roleLevel.read({ session_policy: sized(room), policy_arns: [arn(1)] })), ['session_policy'])
  const level = roleLevel.read({ session_policy: sized(room) })
  if (!level.ok) throw new Error('refused')
  t.ok((sessionPolicy(level.value, Date.now()) ?? '').length <= 2048, 'with the end it is what STS takes')
  t.end()
})

test('near the end of a grant the session policy says when it ends, and takes nothing else away', (t) => {
  const endsAt = Date.parse('2026-11-24T12:00:00.500Z')
  const end = {
    Effect: 'Deny',
    Action: '*',
    Resource: '*',
    Condition: { DateGreaterThanEquals: { 'aws:CurrentTime': '2026-11-24T12:00:00Z' } },
  }
  const read = (text: string | null) => (JSON.parse(text ?? 'null') as { Statement: unknown }).Statement
  const plain = { sessionPolicy: null, policyArns: [], sessionTags: {}, sessionMs: null }
  t.equal(sessionPolicy(plain, null), null)
  t.same(read(sessionPolicy(plain, endsAt)), [{ Effect: 'Allow', Action: '*', Resource: '*' }, end])
  t.same(read(sessionPolicy({ ...plain, policyArns: [arn(1)] }, endsAt)), [end], 'managed ones say what is allowed')
  const inline = { ...plain, sessionPolicy: JSON.stringify(policy()) }
  t.equal(sessionPolicy(inline, null), inline.sessionPolicy)
  t.same(read(sessionPolicy(inline, endsAt)), [statement, end])
  for (const level of [plain, inline])
    t.doesNotThrow(() => parsePolicy(JSON.parse(sessionPolicy(level, endsAt) ?? ''), 'identity'))
  t.end()
})

test('a level whose session is longer than credentials can last says so', async (t) => {
  const target = {
    ...{ partition: 'aws', account: '111122223333', roleArn: 'arn:aws:iam::111122223333:role/R', roleId: null },
    ...{ isRevocable: false, hasTransitiveTags: true, hasSourceIdentity: true, managedBy: null, lacking: [] },
    ...{ lastUsed: null },
  }
  const limits = (maxSession: number, session: number | null, trust: 'hub' | 'web_identity') =>
    iamRole.limits?.(
      { ...target, maxSessionMs: maxSession },
      { sessionPolicy: null, policyArns: [], sessionTags: {}, sessionMs: session },
      { aws: { accounts: { '111122223333': { trust } } } },
    )
  const hour = 3_600_000
  t.same(limits(hour, hour, 'hub'), [])
  t.same(limits(12 * hour, null, 'hub'), [])
  t.match(limits(12 * hour, 4 * hour, 'hub'), [/says 4h, and credentials last 1h: .*chained/])
  t.same(limits(12 * hour, 4 * hour, 'web_identity'), [])
  t.match(limits(hour, 4 * hour, 'web_identity'), [/says 4h, and credentials last 1h: .*max_session/])
})
