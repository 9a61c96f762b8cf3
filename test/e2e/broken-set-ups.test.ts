/** AWS, rules and targets set up wrongly, one way after the other: each is named by a validation, with what to do. */
import { readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { parse, stringify } from 'yaml'
import type { ConfigFile } from '../../src/config/schema.ts'
import type { TargetReport, Validation, ValidationReport } from '../../src/contract/aws.ts'
import type { Organization, Role, World } from '../sandbox/aws/world.ts'
import { clusterId, resourceId, roleId, shellId } from '../sandbox/daemon-files.ts'
import { accounts, allow, arns, policy, region } from '../sandbox/default-world.ts'
import { createOrganization } from '../sandbox/organization-world.ts'
import { waitUntil } from '../wait-until.ts'
import { type Company, startCompany } from './company.ts'

t.setTimeout(600_000)

interface Finding {
  readonly check: string
  readonly status: string
  readonly detail: string
  readonly fix: string | null
}

interface Broken {
  readonly what: string
  /** What is validated: a subject, or a resource at a level. */
  readonly at: string | readonly [resource: string, level: string]
  /** Of an AWS that is as it should be; it is put right afterwards. */
  breakIt(world: World, organization: Organization, company: Company): void | Promise<void>
  readonly found: {
    readonly check: string | RegExp
    readonly status?: string
    readonly detail?: RegExp
    readonly fix: RegExp
  }
}

const data = `account/${accounts.data}`
const role = (world: World, arn: string): Role => {
  const found = world.roles.find((one) => one.arn === arn)
  if (!found) throw new Error(`no role ${arn}`)
  return found
}
const spoke = (world: World) => role(world, arns.connect)
const replaceIn = (document: object, from: string | RegExp, to: string) =>
  JSON.parse(JSON.stringify(document).replaceAll(from, to)) as Role['trust']
const deny = (action: string | string[], more: object = {}) =>
  policy({ Effect: 'Deny', Action: action, Resource: '*', ...more })
const without = (one: Role, action: string) => {
  one.policies = one.policies.map((document) => replaceIn(document, `"${action}"`, '"s3:Nothing"'))
}

const broken: readonly Broken[] = [
  {
    what: 'there is no spoke role',
    at: data,
    breakIt: (world) => {
      world.roles = world.roles.filter(({ arn }) => arn !== arns.connect)
    },
    found: { check: 'spoke role with the ExternalId', detail: /may not assume it/, fix: /sts:AssumeRole by the hub/ },
  },
  {
    what: 'the spoke role has another ExternalId',
    at: data,
    breakIt: (world) => {
      spoke(world).trust = replaceIn(spoke(world).trust, /9f8c7b6a[\w-]+/g, 'other')
    },
    found: { check: 'spoke role with the ExternalId', fix: /ExternalId/ },
  },
  {
    what: 'the spoke role asks for no ExternalId',
    at: data,
    breakIt: (world) => {
      const Action = ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity']
      spoke(world).trust = policy({ Effect: 'Allow', Principal: { AWS: arns.hub }, Action })
    },
    found: { check: 'spoke role without an ExternalId', detail: /too open/, fix: /StringEquals sts:ExternalId/ },
  },
  {
    what: 'a role does not allow sts:TagSession',
    at: data,
    breakIt: (world) => {
      const reports = role(world, arns.reports)
      reports.trust = replaceIn(reports.trust, '"sts:TagSession",', '')
    },
    found: { check: /ReportsReader/, detail: /sts:TagSession is not allowed/, fix: /separate statement/ },
  },
  {
    what: 'a role does not allow sts:SetSourceIdentity',
    at: data,
    breakIt: (world) => {
      const deploy = role(world, arns.deploy)
      deploy.trust = replaceIn(deploy.trust, ',"sts:SetSourceIdentity"', '')
    },
    found: { check: /Deployer/, detail: /sts:SetSourceIdentity is not allowed/, fix: /separate statement/ },
  },
  {
    what: 'the organization denies roles',
    at: data,
    breakIt: (world) => {
      world.serviceControlPolicies = [{ accounts: [accounts.data], document: deny('sts:AssumeRole') }]
    },
    found: {
      check: /Deployer/,
      detail: /a policy of the organization denies sts:AssumeRole/,
      fix: /management account/,
    },
  },
  {
    what: 'the organization denies a permission that is only simulated',
    at: data,
    breakIt: (world) => {
      world.serviceControlPolicies = [{ accounts: [accounts.data], document: deny('iam:CreatePolicyVersion') }]
    },
    found: { check: 'iam:CreatePolicyVersion', detail: /service control policy/, fix: /exempt .*SallyportConnect/ },
  },
  {
    what: 'the organization closes a region',
    at: data,
    breakIt: (world) => {
      const Condition = { StringNotEquals: { 'aws:RequestedRegion': region } }
      const document = policy({ Effect: 'Deny', NotAction: ['iam:*', 'sts:*'], Resource: '*', Condition })
      world.serviceControlPolicies = [{ accounts: [accounts.data], document }]
    },
    found: { check: 'eks:DescribeCluster', detail: /in us-east-1/, fix: /service control policy/ },
  },
  {
    what: 'a permissions boundary is around the spoke role',
    at: data,
    breakIt: (world) => {
      spoke(world).boundary = allow(['sts:*', 'eks:*', 'iam:Get*', 'iam:Simulate*', 'iam:List*'], '*')
    },
    found: { check: 'iam:CreatePolicyVersion', detail: /permissions boundary/, fix: /permissions boundary of .*allow/ },
  },
  {
    what: 'the spoke role may not read clusters',
    at: data,
    breakIt: (world) => without(spoke(world), 'eks:DescribeCluster'),
    found: {
      check: 'eks:DescribeCluster',
      detail: /refused/,
      fix: /allow eks:DescribeCluster .*`sallyport aws policies`/,
    },
  },
  {
    what: 'the spoke role may not write the deny list',
    at: data,
    breakIt: (world) => without(spoke(world), 'iam:CreatePolicyVersion'),
    found: { check: 'iam:CreatePolicyVersion', detail: /by simulation/, fix: /allow iam:CreatePolicyVersion/ },
  },
  {
    what: 'the spoke role may not be simulated',
    at: data,
    breakIt: (world) => void spoke(world).policies.push(deny('iam:SimulatePrincipalPolicy')),
    found: { check: 'iam:CreatePolicyVersion', status: 'unknown', fix: /allow iam:SimulatePrincipalPolicy/ },
  },
  {
    what: 'the region of STS is off',
    at: data,
    breakIt: (_world, _organization, { sandbox }) => sandbox.aws.faults.fail('AssumeRole', 'RegionDisabledException'),
    found: { check: 'spoke role with the ExternalId', detail: /region is not enabled/, fix: /aws.regions/ },
  },
  {
    what: 'a role is shorter than max_session says',
    at: `account/${accounts.web}`,
    breakIt: (world) => {
      role(world, arns.personal).maxSessionSeconds = 7200
    },
    found: { check: /role\/Personal/, detail: /MaxSessionDuration/, fix: /max_session of the resource/ },
  },
  {
    what: 'the audience of the OpenID provider is another one',
    at: `account/${accounts.web}`,
    breakIt: (world) => {
      for (const provider of world.oidcProviders) provider.clientIds = ['other']
    },
    found: { check: /role\/Personal/, detail: /audience|ID token/, fix: /OIDC provider/ },
  },
  {
    what: 'a revocable role has no permissions boundary',
    at: roleId('ReportsReader'),
    breakIt: (world) => {
      delete role(world, arns.reports).boundary
    },
    found: { check: 'permissions boundary', detail: /would not be ended/, fix: /put-role-permissions-boundary/ },
  },
  {
    what: 'another account may assume a role',
    at: roleId('Deployer'),
    breakIt: (world) => {
      const deploy = role(world, arns.deploy)
      const statements = deploy.trust.Statement as object[]
      const other = { Effect: 'Allow', Principal: { AWS: 'arn:aws:iam::999900001111:root' }, Action: 'sts:AssumeRole' }
      deploy.trust = policy(...statements, other)
    },
    found: {
      check: 'who may assume it',
      status: 'warning',
      detail: /without the broker, too: arn:aws:iam::999900001111:root/,
      fix: /SallyportConnect alone/,
    },
  },
  {
    what: 'a role is not tagged as managed',
    at: roleId('Deployer'),
    breakIt: (world) => {
      role(world, arns.deploy).tags = {}
    },
    found: { check: 'role', detail: /iam:GetRole is not allowed/, fix: /sallyport:managed=true/ },
  },
  {
    what: 'the hub may not list the accounts of the organization',
    at: 'hub',
    breakIt: (world) => without(role(world, arns.hub), 'organizations:ListAccounts'),
    found: { check: 'organizations:ListAccounts', detail: /refused/, fix: /permissions of the hub role/ },
  },
  {
    what: 'the hub is in an account that administers nothing',
    at: 'hub',
    breakIt: (_world, organization) => {
      organization.managementAccount = accounts.data
    },
    found: {
      check: 'organization',
      detail: /neither the management account .* nor/,
      fix: /register-delegated-administrator/,
    },
  },
  {
    what: 'there is no organization',
    at: 'hub',
    breakIt: (world) => {
      delete world.organization
    },
    found: { check: 'organization', detail: /cannot be read/, fix: /management account/ },
  },
  {
    what: 'nobody may approve',
    at: 'rules',
    breakIt: () => {},
    found: { check: 'rule ghosts, stage 1', detail: /group:ghosts/, fix: /name other approvers/ },
  },
  {
    what: 'an account is of another organization',
    at: 'account/999900001111',
    breakIt: () => {},
    found: { check: 'organization', detail: /not in the organization o-exampleorgid/, fix: /a broker of its own/ },
  },
  {
    what: 'an account is suspended',
    at: 'account/000000000012',
    breakIt: () => {},
    found: { check: 'organization', detail: /SUSPENDED/, fix: /reopen it/ },
  },
  {
    what: 'a database user is not there',
    at: [resourceId('orders'), 'absent'],
    breakIt: () => {},
    found: { check: 'sign-in', detail: /no such user/, fix: /GRANT rds_iam/ },
  },
  {
    what: 'the database takes passwords, and no tokens',
    at: [resourceId('orders'), 'readonly'],
    breakIt: (_world, _organization, { sandbox }) => sandbox.databases.orders.faults.md5(true),
    found: { check: 'sign-in', detail: /asks sallyport_ro for a password/, fix: /rds_iam/ },
  },
  {
    what: 'the agent of an instance is offline',
    at: [shellId, 'readonly'],
    breakIt: (world) => {
      for (const instance of world.instances) instance.isOnline = false
    },
    found: { check: /i-/, detail: /not connected|offline|lost/, fix: /agent/ },
  },
  {
    what: 'the agents of the instances before a database are too old',
    at: [resourceId('billing'), 'readonly'],
    breakIt: (world) => {
      for (const instance of world.instances) instance.agentVersion = '3.0.1390.0'
    },
    found: { check: /i-/, detail: /3\.0\.1390/, fix: /3\.1\.1374|update/i },
  },
  {
    what: 'a session document was changed',
    at: [shellId, 'readonly'],
    breakIt: (world) => {
      const shell = world.sessionDocuments.find(({ name }) => name === 'Sallyport-Shell')
      const [content] = shell?.versions ?? []
      if (content) shell?.versions.push({ ...content, inputs: { ...content.inputs, runAsDefaultUser: 'root' } })
    },
    found: { check: 'document Sallyport-Shell', detail: /./, fix: /document|aws prepare/ },
  },
  {
    what: 'a cluster takes no access entries',
    at: [clusterId, 'readonly'],
    breakIt: (world) => {
      for (const cluster of world.clusters) cluster.authenticationMode = 'CONFIG_MAP'
    },
    found: { check: 'authentication mode', status: 'warn', detail: /CONFIG_MAP/, fix: /update-cluster-config/ },
  },
  {
    what: 'a cluster has no entry for the role',
    at: [clusterId, 'readonly'],
    breakIt: (world) => {
      for (const cluster of world.clusters) cluster.accessEntries = []
    },
    found: { check: 'sign-in', detail: /no access entry maps/, fix: /create-access-entry/ },
  },
  {
    what: 'the entry is of a role that had the name before',
    at: [clusterId, 'readonly'],
    breakIt: (world) => {
      for (const { accessEntries } of world.clusters)
        for (const entry of accessEntries) entry.principalId = 'AROATHEONETHATWASHERE'
    },
    found: { check: 'sign-in', detail: /made anew|another role/, fix: /access-entry/ },
  },
  {
    what: 'the clock of the machine is behind',
    at: 'hub',
    breakIt: (_world, _organization, { sandbox }) => sandbox.clock.advance(180_000),
    found: {
      check: 'clock',
      status: 'warning',
      detail: /180 s behind|17\d s behind|18\d s behind/,
      fix: /time server/,
    },
  },
]

t.test('broken set-ups', async (t) => {
  const ghosts = {
    name: 'ghosts',
    who: { groups: ['engineering'] },
    what: { kinds: ['rds-postgres'] },
    levels: ['readonly'],
    max_duration: '1h',
    approval: { stages: [{ any_of: ['group:ghosts'], count: 1 }] },
  }
  const company = await startCompany({
    sandbox: { shells: true, cluster: true },
    overrides: {
      inventory: { organization: true, every: '24h' },
      aws: {
        regions: [region, 'us-east-1'],
        accounts: { [accounts.data]: {}, [accounts.web]: { trust: 'web_identity' }, '999900001111': {} },
      },
      access: [ghosts],
    },
  })
  t.teardown(() => company.close())
  const { world, faults } = company.sandbox.aws
  const organization = createOrganization()
  world.organization = organization
  t.equal((await company.commands.dave.run(['sync', '--watch'])).code, 0)
  await addLevel(company)
  const { instances: _, ...rest } = world
  const good = structuredClone(rest)
  const states = world.instances.map(({ isOnline, agentVersion }) => ({ isOnline, agentVersion }))

  const look = async (at: Broken['at']): Promise<readonly Finding[]> => {
    if (typeof at === 'string') {
      const path = '/api/v1/validations/run'
      const { validations } = await company.api<ValidationReport>('dave', 'POST', path, { subject: at })
      return validations
    }
    const [resource, level] = at
    const report = await company.api<TargetReport>('dave', 'POST', '/api/v1/aws/preflight', { resource, level })
    return report.checks.map(({ outcome, ...check }) => ({ ...check, status: outcome === 'fail' ? 'failed' : outcome }))
  }
  const repair = () => {
    faults.clear()
    company.sandbox.databases.orders.faults.md5(false)
    const { clusters, ...others } = structuredClone(good)
    Object.assign(world, others)
    if (!good.serviceControlPolicies) delete world.serviceControlPolicies
    world.organization = Object.assign(organization, structuredClone(good.organization))
    company.sandbox.clock.advance(Date.now() - company.sandbox.clock.now())
    for (const [index, cluster] of clusters.entries()) Object.assign(world.clusters[index] ?? {}, cluster)
    for (const [index, state] of states.entries()) Object.assign(world.instances[index] ?? {}, state)
  }

  const isLasting = (one: Broken) => one.breakIt.length === 0
  for (const at of new Map(broken.filter((one) => !isLasting(one)).map(({ at }) => [`${at}`, at])).values())
    await t.test(`rightly: ${at}`, async (t) => {
      const failed = (await look(at)).filter(({ status }) => status === 'failed')
      t.same(failed, [])
    })

  for (const one of broken)
    await t.test(one.what, async (t) => {
      await one.breakIt(world, organization, company)
      try {
        const found = await look(one.at)
        const { check, status = 'failed', ...more } = one.found
        const named = found.filter((finding) => finding.status === status && fits(check, finding.check))
        t.match(named[0], { status, ...more }, JSON.stringify(found.filter((finding) => finding.status !== 'ok')))
      } finally {
        repair()
      }
    })

  await t.test('what the last runs found is kept, in pages, for admins, and shown by the command line', async (t) => {
    const path = '/api/v1/validations?status=failed&limit=2'
    const page = await company.api<{ items: Validation[]; next: string | null; total: number }>('dave', 'GET', path)
    t.equal(page.items.length, 2)
    t.ok(page.total > 4)
    t.ok(page.items.every(({ fix, ranAt, since }) => fix !== null && ranAt >= since))
    t.equal((await company.call('alice', 'GET', '/api/v1/validations')).status, 403)
    const last = await company.commands.dave.run(['aws', 'validate', '--last'])
    t.equal(last.code, 1)
    t.match(last.stdout, /^rules\n {2}FAILED {2}rule ghosts, stage 1: /m)
    t.match(last.stdout, /level absent: sign-in/)
    const text = await (await fetch(`${company.daemon.metricsUrl}/metrics`)).text()
    t.match(text, /sallyport_validations_failing/)
  })
})

/** With a user that policies allow, and that is in no database. */
async function addLevel({ daemon }: Company): Promise<void> {
  const config = parse(readFileSync(daemon.configFile, 'utf8')) as ConfigFile
  for (const level of config.levels ?? [])
    if (level.for.kinds?.includes('rds-postgres'))
      Object.assign(level, { absent: { db_user: 'sallyport_absent', databases: ['*'] } })
  writeFileSync(daemon.configFile, stringify(config))
  daemon.signal('SIGHUP')
  await waitUntil(() => daemon.log().includes('rules reloaded'), 'the rules are reloaded', 30_000)
}

function fits(wanted: string | RegExp, check: string): boolean {
  return typeof wanted === 'string' ? wanted === check : wanted.test(check)
}
