/** Session tags of the organization's own choosing: what AWS is sent, what approvers see, and what `aws validate` says of them. */
import t from 'tap'
import type { Validation } from '../../src/contract/aws.ts'
import { accounts, arns, policy } from '../sandbox/default-world.ts'
import { startCompany } from './company.ts'

interface Granted {
  readonly request: {
    readonly id: string
    readonly digest: string
    readonly sessionTags: Record<string, string> | null
  }
  readonly grant: { readonly id: string } | null
}

const session_tags = { ticket: '{ticket}', team: '{claim:team}', env: 'prod' }
const rule = { who: { groups: ['engineering'] }, what: { kinds: ['iam-role'] }, max_duration: '8h' }
const company = await startCompany({
  overrides: {
    oidc: { tag_claims: ['team'] },
    levels: [
      {
        for: { names: ['ReportsReader'] },
        readonly: { session_tags },
        reviewed: { session_tags: { ...session_tags } },
      },
      { for: { kinds: ['iam-role'] }, readonly: {}, full: {} },
      { for: { kinds: ['rds-postgres'] }, readonly: { db_user: 'sallyport_ro' } },
    ],
    access: [
      { ...rule, name: 'own', levels: ['readonly'] },
      {
        ...structuredClone(rule),
        name: 'reviewed',
        levels: ['reviewed'],
        approval: { stages: [{ any_of: ['group:database-owners'] }] },
      },
    ],
  },
})
t.teardown(() => company.close())
const { sandbox, api, call } = company
const ask = (more: object) => ({ resource: 'ReportsReader', level: 'readonly', ...more })
const sent = () =>
  sandbox.aws.calls.filter(({ outcome, assumeRole }) => outcome === 'ok' && assumeRole?.roleArn === arns.reports)

await t.test('without the claim, or without a ticket, the request is refused', async (t) => {
  const refused = async (more: object) => await (await call('alice', 'POST', '/api/v1/requests', ask(more))).json()
  t.match(await refused({ ticket: 'OPS-1' }), {
    code: 'SESSION_TAG_UNUSABLE',
    detail: /brought no team/,
    hint: /--fresh/,
  })
  sandbox.oidc.knobs.setClaims('alice', { team: 'payments' })
  await company.signIn(['alice'])
  t.match(await refused({}), { code: 'SESSION_TAG_UNUSABLE', hint: 'add --ticket' })
  const { code, stderr } = await company.commands.alice.run(['request', 'ReportsReader', '--level', 'readonly'])
  t.equal(code, 4)
  t.match(stderr, /the ticket of the request[\s\S]*--ticket/)
})

await t.test('they are in the session that AWS is asked for, beside the broker’s own', async (t) => {
  const { grant } = await api<Granted>('alice', 'POST', '/api/v1/requests', ask({ ticket: 'OPS-17' }))
  t.ok(grant)
  await api('alice', 'POST', '/api/v1/aws/credentials', ask({}))
  t.match(sent().at(-1)?.assumeRole, {
    tags: { ticket: 'OPS-17', team: 'payments', env: 'prod', 'sallyport:grant': grant?.id },
    transitiveTagKeys: ['sallyport:grant', 'sallyport:session'].filter((key) =>
      sent().at(-1)?.assumeRole?.transitiveTagKeys.includes(key),
    ),
  })
  t.notOk(
    sent()
      .at(-1)
      ?.assumeRole?.transitiveTagKeys.some((key) => key in session_tags),
  )
  await api('dave', 'POST', `/api/v1/grants/${grant?.id}/revoke`, { reason: 'done' })
})

await t.test('an approver sees them, and they are what was approved', async (t) => {
  const { request } = await api<Granted>(
    'alice',
    'POST',
    '/api/v1/requests',
    ask({ level: 'reviewed', ticket: 'OPS-18' }),
  )
  t.same(request.sessionTags, { ticket: 'OPS-18', team: 'payments', env: 'prod' })
  const { code, stdout, stderr } = await company.commands.bob.run(['approve', request.id, '--yes'])
  t.equal(code, 0, stderr)
  t.match(stdout, /^tag +env=prod\ntag +team=payments\ntag +ticket=OPS-18$/m)
  await api('alice', 'POST', '/api/v1/aws/credentials', ask({ level: 'reviewed' }))
  t.match(sent().at(-1)?.assumeRole, { tags: request.sessionTags })
})

await t.test('aws validate tries the longest; a trust policy that does not allow the keys is named', async (t) => {
  const validate = async () => {
    const { stdout } = await company.commands.dave.run(['aws', 'validate', accounts.data, '--json'])
    const [report] = JSON.parse(stdout) as { validations: readonly Validation[] }[]
    return report?.validations.filter(({ check }) => /longest tags/.test(check))
  }
  const role = sandbox.aws.world.roles.find(({ arn }) => arn === arns.reports)
  if (!role) throw new Error('the role is there')
  const before = role.trust
  t.match(await validate(), [
    { check: `role ${arns.reports} with the longest tags of level readonly`, status: 'ok' },
    { check: `role ${arns.reports} with the longest tags of level reviewed`, status: 'ok' },
  ])
  t.equal(sent().at(-1)?.assumeRole?.tags.ticket?.length, 256)
  role.trust = policy(
    { Effect: 'Allow', Principal: { AWS: arns.connect }, Action: ['sts:AssumeRole', 'sts:SetSourceIdentity'] },
    {
      Effect: 'Allow',
      Principal: { AWS: arns.connect },
      Action: 'sts:TagSession',
      Condition: { 'ForAllValues:StringLike': { 'aws:TagKeys': ['sallyport:*', 'team'] } },
    },
  )
  t.match((await validate())?.[0], { status: 'failed', detail: /sts:TagSession is not allowed/, fix: /trust policy/ })
  role.trust = before
})
