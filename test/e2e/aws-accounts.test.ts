import { test } from 'tap'
import type { Validation } from '../../src/contract/aws.ts'

import { accounts, arns, externalId, policy, region } from '../sandbox/default-world.ts'
import { waitUntil } from '../wait-until.ts'
import { type AwsKeys, listBuckets } from './aws-tool.ts'
import { type Company, startCompany } from './company.ts'

/** Accounts as they are set up, rightly and wrongly: what the onboarding check and a person who asks are told. */
interface Report {
  readonly ok: boolean
  readonly validations: readonly Validation[]
}

const roleOf = (company: Company, arn: string) => {
  const role = company.sandbox.aws.world.roles.find((one) => one.arn === arn)
  if (!role) throw new Error(`no role ${arn}`)
  return role
}

const validate = async (company: Company): Promise<Report> => {
  const { code, stdout } = await company.commands.dave.run(['aws', 'validate', accounts.data, '--json'])
  const [report] = JSON.parse(stdout) as Report[]
  if (!report || report.ok !== (code === 0)) throw new Error(`${code}: ${stdout}`)
  return report
}

const findingsOf = ({ validations }: Report) => validations.filter(({ about }) => about === 'trust')
const outcomes = (report: Report) => findingsOf(report).map(({ status }) => status)

test('accounts', async (t) => {
  const company = await startCompany()
  t.teardown(() => company.close())
  const { aws } = company.sandbox
  const ask = (resource: string, level = 'readonly') =>
    company.call('alice', 'POST', '/api/v1/aws/credentials', { resource, level })
  const reason = async (resource: string) =>
    (await (await ask(resource)).json()) as { code: string; hint?: string; detail: string }

  await t.test('set up rightly', async (t) => {
    const report = await validate(company)
    t.same(outcomes(report), ['ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'ok'])
    t.same(
      findingsOf(report).map(({ check }) => check.slice(0, 40)),
      [
        'spoke role with the ExternalId',
        'spoke role without an ExternalId',
        'spoke role with another ExternalId',
        `role ${arns.deploy}`.slice(0, 40),
        `role ${arns.reports}`.slice(0, 40),
        'spoke role with tags and SourceIdentity',
        `role ${arns.databases}`.slice(0, 40),
      ],
    )
    const { code, stdout } = await company.commands.dave.run(['aws', 'validate'])
    t.equal(code, 0)
    t.match(stdout, new RegExp(`^account/${accounts.web}$`, 'm'))
    t.match(stdout, /permissions allowed: \d+ by a call/)
    t.match(stdout, /session tags in the ID token: none/)
    t.match(stdout, /role\/Personal with your ID token: it can be assumed/)
    t.equal((await company.commands.alice.run(['aws', 'validate'])).code, 4, 'for admins')
  })

  await t.test('an open trust policy', async (t) => {
    const spoke = roleOf(company, arns.connect)
    const before = spoke.trust
    spoke.trust = policy({
      Effect: 'Allow',
      Principal: { AWS: arns.hub },
      Action: ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'],
    })
    const report = await validate(company)
    t.same(outcomes(report), ['ok', 'failed', 'failed', 'ok', 'ok', 'ok', 'ok'])
    t.match(findingsOf(report)[1], { detail: /open/, fix: /sts:ExternalId/ })
    spoke.trust = before
  })

  await t.test('another ExternalId', async (t) => {
    const spoke = roleOf(company, arns.connect)
    const before = spoke.trust
    spoke.trust = JSON.parse(JSON.stringify(before).replaceAll(externalId, 'somebody-else')) as typeof before
    const report = await validate(company)
    t.same(outcomes(report), ['failed', 'unknown', 'unknown', 'unknown', 'unknown'])
    t.match(findingsOf(report)[0], { detail: /SallyportConnect/, fix: /ExternalId/ })
    spoke.trust = before
  })

  await t.test('no sts:TagSession: for the check and for a person, with its own message', async (t) => {
    const role = roleOf(company, arns.reports)
    const before = role.trust
    role.trust = JSON.parse(JSON.stringify(before).replaceAll('"sts:TagSession",', '')) as typeof before
    const report = await validate(company)
    t.same(outcomes(report), ['ok', 'ok', 'ok', 'ok', 'failed', 'ok', 'ok'])
    t.match(findingsOf(report)[4], { detail: /sts:TagSession is not allowed/, fix: /separate statement/ })
    const grant = await company.grant(3_600_000, 'ReportsReader')
    t.match(await reason('ReportsReader'), {
      code: 'AWS_DENIED',
      detail: /sts:TagSession/,
      hint: /separate statement/,
    })
    const open = () => company.api<{ sessions: unknown[] }>('carol', 'GET', '/api/v1/sessions?open=true')
    await waitUntil(async () => (await open()).sessions.length === 0, 'a session that never ran is not left open')
    role.trust = before
    t.equal((await ask('ReportsReader')).status, 200, 'and works once it is mended')
    await company.api('bob', 'POST', `/api/v1/grants/${grant.id}/revoke`, { reason: 'done' })
  })

  await t.test('a region that is not enabled, throttling, AWS down', async (t) => {
    await company.grant(3_600_000, 'Deployer')
    aws.faults.fail('AssumeRole', 'RegionDisabledException')
    t.match(await reason('Deployer'), { code: 'AWS_DENIED', detail: /region is not enabled/, hint: /aws.regions/ })
    aws.faults.clear()
    aws.faults.throttle(100)
    t.match(await reason('Deployer'), { code: 'AWS_UNAVAILABLE', detail: /throttling; try again/ })
    aws.faults.clear()
    const { code, stderr } = await company.commands.alice.run([
      'aws',
      'Deployer',
      'credential-process',
      '--level',
      'full',
    ])
    t.equal(code, 4)
    t.match(stderr, /no live grant|not granted/)
    t.equal((await ask('Deployer')).status, 200)
  })

  await t.test(
    'web identity: the person’s own token, for more than an hour, and never with the broker’s keys',
    async (t) => {
      const grant = await company.grant(4 * 3_600_000, 'Personal')
      const issued = (await (await ask('Personal')).json()) as AwsKeys & { expiresAt: number }
      t.ok(issued.expiresAt > Date.now() + 3 * 3_600_000, 'not chained, so it lasts as long as the grant')
      t.same(await listBuckets(aws.url, issued), ['personal-notes'])
      const call = aws.calls.findLast(({ action }) => action === 'AssumeRoleWithWebIdentity')
      t.match(call, { caller: null, outcome: 'ok', parameters: { RoleSessionName: 'alice@example.com' } })
      await company.api('bob', 'POST', `/api/v1/grants/${grant.id}/revoke`, { reason: 'done' })
    },
  )

  await t.test('web identity: an ID token that AWS calls expired, and one that it does not know', async (t) => {
    await company.grant(3_600_000, 'Personal')
    aws.faults.fail('AssumeRoleWithWebIdentity', 'ExpiredTokenException')
    t.match(await reason('Personal'), {
      code: 'LOGIN_REQUIRED',
      detail: /ID token has expired/,
      hint: /sallyport login/,
    })
    aws.faults.clear()
    const [provider] = aws.world.oidcProviders
    if (!provider) throw new Error('no provider')
    const before = provider.clientIds
    provider.clientIds = ['somebody-else']
    t.match(await reason('Personal'), { code: 'AWS_DENIED', detail: /audience/, hint: /OIDC provider/ })
    provider.clientIds = before
    aws.faults.fail('AssumeRoleWithWebIdentity', 'IDPCommunicationError')
    t.match(await reason('Personal'), { code: 'AWS_UNAVAILABLE', detail: /identity provider/ })
    aws.faults.clear()
    company.sandbox.oidc.knobs.down(true)
    t.match(await reason('Personal'), { code: 'PROVIDER_UNAVAILABLE' })
    company.sandbox.oidc.knobs.down(false)
    t.equal((await ask('Personal')).status, 200)
  })

  await t.test(
    'web identity: tags and SourceIdentity where the provider sends them, and the check says so',
    async (t) => {
      const claims = {
        'https://aws.amazon.com/tags': { principal_tags: { team: ['shop'] }, transitive_tag_keys: ['team'] },
        'https://aws.amazon.com/source_identity': 'alice',
      }
      for (const name of ['alice', 'dave'] as const) company.sandbox.oidc.knobs.setClaims(name, claims)
      const { stdout } = await company.commands.dave.run(['aws', 'validate', accounts.web])
      t.match(stdout, /session tags in the ID token: the provider sends team/)
      t.match(stdout, /SourceIdentity in the ID token: the provider sends it/)
      t.equal((await ask('Personal', 'full')).status, 403, 'of another level there is no grant')
      await company.grant(3_600_000, 'Personal')
      const { sessions } = await company.api<{ sessions: { id: string; resourceId: string }[] }>(
        'carol',
        'GET',
        '/api/v1/sessions?open=true',
      )
      for (const { id } of sessions) await company.api('dave', 'POST', `/api/v1/sessions/${id}/kill`, {})
      t.equal((await ask('Personal')).status, 200)
      t.match(aws.callers.issued.at(-1)?.session, {
        tags: { team: 'shop' },
        transitiveTagKeys: ['team'],
        sourceIdentity: 'alice',
      })
      for (const name of ['alice', 'dave'] as const) company.sandbox.oidc.knobs.setClaims(name, {})
    },
  )

  await t.test('web identity: a program with an API token has no ID token', async (t) => {
    const { token } = await company.api<{ token: string }>('alice', 'POST', '/api/v1/tokens', {
      name: 'ci',
      scopes: ['connect'],
      durationMs: 3_600_000,
    })
    const response = await fetch(`${company.daemon.url}/api/v1/aws/credentials`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ resource: 'Personal', level: 'readonly' }),
    })
    t.match(await response.json(), { code: 'LOGIN_REQUIRED', detail: /API tokens have none/ })
  })

  await t.test('policies, with what this installation is called', async (t) => {
    const { code, stdout } = await company.commands.dave.run(['aws', 'policies'])
    t.equal(code, 0)
    t.ok(stdout.includes(externalId))
    t.match(stdout, /iam:CreatePolicyVersion: adds a revoked grant/)
    const offline = await company.commands.alice.run([
      'aws',
      'policies',
      '--offline',
      '--trust',
      'web_identity',
      '--json',
    ])
    t.match(JSON.parse(offline.stdout), [{ name: 'roleWebIdentityTrust' }])
    t.equal((await company.commands.alice.run(['aws', 'policies'])).code, 4, 'the ExternalId is for admins')
    const installation = await company.api('dave', 'GET', '/api/v1/aws/installation')
    t.match(installation, { features: ['databases', 'revocation', 'roles'] })
    const terraform = await company.commands.dave.run(['aws', 'policies', '--format', 'terraform'])
    t.match(terraform.stdout, /# account\/main\.tf[\s\S]*rds-db:connect/, 'what the resources need')
    const chosen = await company.commands.alice.run(['aws', 'policies', '--format', 'terraform', '--feature', 'roles'])
    t.equal(chosen.code, 0, 'nobody need be asked')
    t.notMatch(chosen.stdout, /rds-db:connect/)
  })

  await t.test('console: a link that signs in to the page that was asked for, and no other place', async (t) => {
    const { alice } = company.commands
    const printed = await alice.run(['aws', 'Deployer', 'console', '--service', 's3', '--print'])
    t.equal(printed.code, 0, printed.stderr)
    const response = await fetch(printed.stdout.trim(), { redirect: 'manual' })
    t.equal(response.headers.get('location'), `https://console.aws.amazon.com/s3/home?region=${region}`)
    t.match(aws.federation.signIns.at(-1), {
      arn: /assumed-role\/Deployer\/alice@example.com/,
      issuer: `${company.daemon.url}/`,
    })
    const elsewhere = await alice.run(['aws', 'Deployer', 'console', '--service', 'https://evil.example/', '--print'])
    t.equal(elsewhere.code, 1)
    t.match(elsewhere.stderr, /expected a service such as s3/)
    const { events } = await company.api<{ events: unknown[] }>(
      'carol',
      'GET',
      '/api/v1/audit/events?type=console.opened',
    )
    t.equal(events.length, 1)
  })
})
