/**
 * The roles of an account, read by GetAccountAuthorizationDetails (IAM API Reference, version 2010-05-08): with trust, policies, tags and last
 * use in one to three calls, where ListRoles would need several more for each role. Policies become facts here; none is kept.
 */
import type { GetAccountAuthorizationDetailsResponse, ManagedPolicyDetail, RoleDetail } from '@aws-sdk/client-iam'
import { BrokerError } from '../../../proxy/session.ts'
import { type NamedPolicy, type PolicyStatement, type Powers, powersOf, readPolicy } from '../policy-facts.ts'
import type { ServiceCall } from '../service-caller.ts'
import type { Iam } from './iam.ts'

export interface RoleSeen {
  /** With its path. */
  readonly arn: string
  readonly name: string
  /** `/` or `/teams/shop/` */
  readonly path: string
  /** `AROA…`, which AWS gives to no other role. */
  readonly id: string
  /** Epoch milliseconds. */
  readonly createdAt: number
  /** Epoch milliseconds; null: not within the last 400 days, as far as AWS keeps track. */
  readonly lastUsedAt: number | null
  readonly tags: Readonly<Record<string, string>>
  /** ARN of its permissions boundary. */
  readonly boundary: string | null
  /** Null: it is no policy that can be read. */
  readonly trust: readonly PolicyStatement[] | null
  readonly powers: Powers
  /** ARNs of the instance profiles that give it to instances. */
  readonly profiles: readonly string[]
  /** Whether the boundary takes something away, as far as it is known: AWS's own policies are not read. */
  readonly isBounded: boolean
}

export interface RoleReadOptions {
  readonly signal: AbortSignal
  /** Told how many roles were read so far. */
  readonly onPage?: (done: number) => void
}

const operation = 'GetAccountAuthorizationDetails'
/** More pages than an account has roles. */
const mostPages = 1000

/**
 * All roles of the account but those of AWS's own services, which only those can assume; sorted by ARN.
 * @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE, then nothing was read; the signal's reason once it is aborted
 */
export async function readRoles(
  call: ServiceCall<Iam>,
  account: string,
  { signal, onPage = () => {} }: RoleReadOptions,
): Promise<readonly RoleSeen[]> {
  const details: RoleDetail[] = []
  const managed = new Map<string, NamedPolicy>()
  for await (const page of pagesOf(call, signal)) {
    details.push(...(page.RoleDetailList ?? []))
    for (const policy of page.Policies ?? []) keepPolicy(managed, policy)
    onPage(details.length)
  }
  const roles = details.filter(({ Path = '/' }) => !Path.startsWith('/aws-service-role/'))
  return roles.map((role) => toRole(role, account, managed)).sort((a, b) => (a.arn < b.arn ? -1 : 1))
}

/** By markers, as IAM pages: a page may be empty, and only one that is not truncated is the last. */
async function* pagesOf(
  call: ServiceCall<Iam>,
  signal: AbortSignal,
): AsyncGenerator<GetAccountAuthorizationDetailsResponse> {
  const markers = new Set<string>()
  for (let marker: string | undefined; markers.size < mostPages; ) {
    const input = {
      Filter: ['Role' as const, 'LocalManagedPolicy' as const],
      MaxItems: 1000,
      ...(marker === undefined ? {} : { Marker: marker }),
    }
    const page = await call(operation, signal, ({ sdk, client }, options) =>
      client.send(new sdk.GetAccountAuthorizationDetailsCommand(input), options),
    )
    yield page
    if (!page.IsTruncated) return
    if (!page.Marker || markers.has(page.Marker)) break
    markers.add(page.Marker)
    marker = page.Marker
  }
  throw new BrokerError('AWS_UNAVAILABLE', `${operation}: the pages of the list do not end`)
}

function keepPolicy(managed: Map<string, NamedPolicy>, policy: ManagedPolicyDetail): void {
  const { Arn, PolicyVersionList = [], DefaultVersionId } = policy
  const version =
    PolicyVersionList.find(({ IsDefaultVersion }) => IsDefaultVersion) ??
    PolicyVersionList.find(({ VersionId }) => VersionId === DefaultVersionId)
  if (Arn) managed.set(Arn, { name: Arn.slice(Arn.lastIndexOf('/') + 1), statements: statementsOf(version?.Document) })
}

function toRole(role: RoleDetail, account: string, managed: ReadonlyMap<string, NamedPolicy>): RoleSeen {
  const { Arn = '', RoleId = '', RoleName: name = '', Path: path = '/', CreateDate, RoleLastUsed } = role
  const { AssumeRolePolicyDocument, RolePolicyList = [], AttachedManagedPolicies = [], Tags = [] } = role
  const { InstanceProfileList = [] } = role
  const boundary = role.PermissionsBoundary?.PermissionsBoundaryArn ?? null
  if (!isRoleArn(Arn, account, name) || !/^[A-Z0-9]{16,128}$/.test(RoleId))
    throw new BrokerError('AWS_UNAVAILABLE', `${operation} answered with a role that is none: ${Arn.slice(0, 200)}`)
  const attached = AttachedManagedPolicies.flatMap(({ PolicyArn }) => PolicyArn ?? [])
  const policies = [
    ...RolePolicyList.map(({ PolicyName = '', PolicyDocument }) => ({
      name: PolicyName,
      statements: statementsOf(PolicyDocument),
    })),
    ...attached.flatMap((arn) => managed.get(arn) ?? []),
  ]
  return {
    arn: Arn,
    name,
    path,
    id: RoleId,
    createdAt: CreateDate?.getTime() ?? 0,
    lastUsedAt: RoleLastUsed?.LastUsedDate?.getTime() ?? null,
    tags: Object.fromEntries(Tags.map(({ Key = '', Value = '' }) => [Key, Value])),
    boundary,
    trust: AssumeRolePolicyDocument === undefined ? null : readPolicy(AssumeRolePolicyDocument),
    powers: powersOf(policies, attached),
    profiles: InstanceProfileList.flatMap(({ Arn }) => Arn ?? []).sort(),
    isBounded: boundary !== null && bounds(boundary, managed),
  }
}

/** A boundary that allows everything takes nothing away. */
function bounds(boundary: string, managed: ReadonlyMap<string, NamedPolicy>): boolean {
  const known = managed.get(boundary)
  const { admin } = powersOf(known ? [known] : [], known ? [] : [boundary])
  return admin.length === 0
}

function statementsOf(document: string | undefined): readonly PolicyStatement[] {
  return (document === undefined ? null : readPolicy(document)) ?? []
}

function isRoleArn(arn: string, account: string, name: string): boolean {
  const [, , service, , owner, path = ''] = arn.split(':')
  return service === 'iam' && owner === account && path.startsWith('role/') && path.endsWith(`/${name}`) && name !== ''
}
