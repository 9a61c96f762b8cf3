/**
 * IAM's GetAccountAuthorizationDetails (query protocol, version 2010-05-08): roles with trust, policies, tags and last use, and the customer's
 * policies, in pages by markers. Documents are percent-encoded. Left out: users and groups, AWS's own policies.
 */
import type { Xml } from './answers.ts'
import { AwsFault } from './aws-fault.ts'
import { createPager, type Pager } from './pager.ts'
import { accountOf, type ManagedPolicy, type PolicyDocument, type Role, type World } from './world.ts'

type Parameters = ReadonlyMap<string, string>

const filters = ['User', 'Role', 'Group', 'LocalManagedPolicy', 'AWSManagedPolicy']
const pagers = new WeakMap<World, Pager>()

function pagerOf(world: World): Pager {
  const pager = pagers.get(world) ?? createPager(() => invalid('Invalid Marker'))
  pagers.set(world, pager)
  return pager
}

type Item = { readonly key: string } & ({ readonly role: Role } | { readonly policy: ManagedPolicy })

/** @throws AwsFault ValidationError */
export function authorizationDetails(world: World, account: string, parameters: Parameters): readonly Xml[] {
  const chosen = filtersOf(parameters)
  const size = Number(parameters.get('MaxItems') ?? '100')
  if (!Number.isInteger(size) || size < 1 || size > 1000) throw invalid('MaxItems is not within 1 to 1000')
  const isChosen = (filter: string) => chosen.length === 0 || chosen.includes(filter)
  const items: Item[] = [
    ...(isChosen('Role') ? world.roles : [])
      .filter(({ arn }) => accountOf(arn) === account)
      .map((role) => ({ key: `1 ${role.arn}`, role })),
    ...(isChosen('LocalManagedPolicy') ? world.managedPolicies : [])
      .filter(({ arn }) => accountOf(arn) === account)
      .map((policy) => ({ key: `2 ${policy.arn}`, policy })),
  ]
  const { pageSize, hasEmptyPages } = world.lists
  const ask = {
    list: [account, ...chosen].join(),
    token: parameters.get('Marker'),
    size: Math.min(pageSize, size),
    hasEmptyPages,
  }
  const page = pagerOf(world)(ask, items, ({ key }) => key)
  const roles = page.items.flatMap((item) => ('role' in item ? [item.role] : []))
  const policies = page.items.flatMap((item) => ('policy' in item ? [item.policy] : []))
  return [
    ['UserDetailList', []],
    ['GroupDetailList', []],
    ['RoleDetailList', roles.map((role): Xml => ['member', roleDetail(world, role)])],
    ['Policies', policies.map((policy): Xml => ['member', policyDetail(policy)])],
    ['IsTruncated', String(page.NextToken !== undefined)],
    ...(page.NextToken === undefined ? [] : [['Marker', page.NextToken] as const]),
  ]
}

function filtersOf(parameters: Parameters): string[] {
  const chosen: string[] = []
  for (const [name, value] of parameters) {
    if (/^(Action|Version|MaxItems|Marker)$/.test(name)) continue
    if (!/^Filter\.member\.\d+$/.test(name)) throw invalid(`there is no parameter ${name}`)
    if (!filters.includes(value)) throw invalid(`${value} is no filter`)
    chosen.push(value)
  }
  return chosen
}

function profileDetail(arn: string): Xml[] {
  return [
    ['Path', '/'],
    ['InstanceProfileName', arn.slice(arn.lastIndexOf('/') + 1)],
    ['InstanceProfileId', 'AIPASANDBOXPROFILE0001'],
    ['Arn', arn],
    ['CreateDate', '2026-01-15T12:00:00Z'],
    ['Roles', []],
  ]
}

function roleDetail(world: World, role: Role): Xml[] {
  const { arn, roleId, policies, boundary, tags, attached = [], profiles = [] } = role
  const path = arn.slice(arn.indexOf(':role/') + 5)
  const names = role.policyNames ?? []
  return [
    ['Path', path.slice(0, path.lastIndexOf('/') + 1)],
    ['RoleName', path.slice(path.lastIndexOf('/') + 1)],
    ['RoleId', roleId],
    ['Arn', arn],
    ['CreateDate', instant(role.createdAt ?? Date.parse('2024-03-01T09:30:00Z'))],
    ['AssumeRolePolicyDocument', documentText(role.trust)],
    ['InstanceProfileList', profiles.map((one) => ['member', profileDetail(one)])],
    [
      'RolePolicyList',
      policies.map((document, index) => [
        'member',
        [
          ['PolicyName', names[index] ?? `inline-${index + 1}`],
          ['PolicyDocument', documentText(document)],
        ],
      ]),
    ],
    [
      'AttachedManagedPolicies',
      attached.map((one) => [
        'member',
        [
          ['PolicyName', one.slice(one.lastIndexOf('/') + 1)],
          ['PolicyArn', one],
        ],
      ]),
    ],
    ...(boundary === undefined
      ? []
      : ([
          [
            'PermissionsBoundary',
            [
              ['PermissionsBoundaryType', 'PermissionsBoundaryPolicy'],
              ['PermissionsBoundaryArn', boundaryArn(world, boundary)],
            ],
          ],
        ] as const)),
    [
      'Tags',
      Object.entries(tags).map(([key, value]) => [
        'member',
        [
          ['Key', key],
          ['Value', value],
        ],
      ]),
    ],
    lastUseOf(role),
  ]
}

function policyDetail({ arn, versions, defaultVersion }: ManagedPolicy): Xml[] {
  const path = arn.slice(arn.indexOf(':policy/') + 7)
  const createdAt = instant(versions[0]?.createdAt ?? 0)
  return [
    ['PolicyName', path.slice(path.lastIndexOf('/') + 1)],
    ['PolicyId', 'ANPASANDBOX0000000001'],
    ['Arn', arn],
    ['Path', path.slice(0, path.lastIndexOf('/') + 1)],
    ['DefaultVersionId', defaultVersion],
    ['AttachmentCount', '0'],
    ['PermissionsBoundaryUsageCount', '0'],
    ['IsAttachable', 'true'],
    ['CreateDate', createdAt],
    ['UpdateDate', createdAt],
    [
      'PolicyVersionList',
      versions.map(({ id, document, createdAt: at }) => [
        'member',
        [
          ['Document', documentText(document)],
          ['VersionId', id],
          ['IsDefaultVersion', String(id === defaultVersion)],
          ['CreateDate', instant(at)],
        ],
      ]),
    ],
  ]
}

/** A boundary that the world has as a document alone stands here for one of AWS's. */
function boundaryArn({ managedPolicies }: World, boundary: PolicyDocument | string): string {
  if (typeof boundary === 'string') return managedPolicies.find(({ arn }) => arn === boundary)?.arn ?? boundary
  return 'arn:aws:iam::aws:policy/AdministratorAccess'
}

/** As RFC 3986 has it. */
function documentText(document: PolicyDocument): string {
  return encodeURIComponent(JSON.stringify(document))
}

function instant(at: number): string {
  return new Date(at).toISOString().replace(/\.\d+Z$/, 'Z')
}

function invalid(message: string): AwsFault {
  return new AwsFault('ValidationError', 400, message)
}

export function lastUseOf({ lastUsedAt }: Role): Xml {
  if (lastUsedAt === undefined) return ['RoleLastUsed', []]
  return [
    'RoleLastUsed',
    [
      ['LastUsedDate', instant(lastUsedAt)],
      ['Region', 'eu-west-1'],
    ],
  ]
}
