/**
 * What is read of AWS Organizations (API version 2016-11-28), each call with its pages, pace, count and words for errors. It works in the
 * management account and in one that is a delegated administrator for any service. Nothing here changes anything.
 */
import type { Account, OrganizationalUnit } from '@aws-sdk/client-organizations'
import { BrokerError } from '../../../proxy/session.ts'
import type { Config } from '../../config/config.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import type { Aws } from '../aws.ts'
import { toOrganizationsError } from '../aws-errors.ts'
import { clientOptions, hubIdentity } from '../client-options.ts'
import { Paced, retries } from '../paced.ts'
import { allPages } from '../pages.ts'
import { partitionOfRegion } from '../partitions.ts'
import { createServiceCaller, nullIf } from '../service-caller.ts'
import { type AccountSeen, accountStates, type Tags, type UnitSeen } from './picture.ts'

/** An account without its place. */
export interface AccountRead extends Omit<AccountSeen, 'parent' | 'tags'> {
  /** The parent that its only path ends in; null where AWS gives no path, or several. */
  readonly pathParent: string | null
}

export type UnitRead = Omit<UnitSeen, 'parent' | 'tags'>

/**
 * Each answer is complete: all pages, or an error. What AWS does not find is null.
 * @throws BrokerError AWS_DENIED (which call, what to do), AWS_UNAVAILABLE; the signal's reason once it is aborted
 */
export interface OrganizationCalls {
  describe(signal: AbortSignal): Promise<{ readonly id: string; readonly managementAccount: string }>
  roots(signal: AbortSignal): Promise<readonly string[]>
  /** Directly beneath a unit or the root. */
  units(parent: string, signal: AbortSignal): Promise<readonly UnitRead[] | null>
  accountsIn(parent: string, signal: AbortSignal): Promise<readonly AccountRead[] | null>
  /** @param onPage told how many were read so far */
  accounts(signal: AbortSignal, onPage: (done: number) => void): Promise<readonly AccountRead[]>
  /** @param child an account or a unit */
  parentOf(child: string, signal: AbortSignal): Promise<string | null>
  unit(id: string, signal: AbortSignal): Promise<UnitRead | null>
  account(id: string, signal: AbortSignal): Promise<AccountRead | null>
  tags(id: string, signal: AbortSignal): Promise<Tags | null>
}

export interface OrganizationCallsDeps {
  readonly aws: Pick<Aws, 'hub'>
  readonly config: Pick<Config['aws'], 'endpoints' | 'hubRoleArn' | 'regions'>
  readonly metrics: Pick<Metrics, 'awsCallsTotal'>
  /** Left out: that of AWS. */
  readonly paced?: Paced
}

/**
 * For all callers together: Organizations answers `TooManyRequestsException` also to a few calls at the same time. Its limits
 * are those of the organization, whatever else reads it.
 */
const pace = { perSecond: 4, burst: 8, atOnce: 1 } as const

/** What a list gives at most in one page. */
const pageSize = 20
/** Organizations is one endpoint for each partition, and signs for this region. */
const regions: Readonly<Record<string, string>> = { 'aws-cn': 'cn-northwest-1', 'aws-us-gov': 'us-gov-west-1' }
const ids = {
  organization: /^o-[a-z0-9]{10,32}$/,
  account: /^\d{12}$/,
  root: /^r-[0-9a-z]{4,32}$/,
  unit: /^ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}$/,
  parent: /^(r-[0-9a-z]{4,32}|ou-[0-9a-z]{4,32}-[a-z0-9]{8,32})$/,
} as const

/** Which one an operation answers differs between the models and emulators. */
const notFound = ['Child', 'Parent', 'OrganizationalUnit', 'Account', 'Target'].map((what) => `${what}NotFound`)

/** Made once, so that all callers keep one pace. The SDK is imported with the first call. */
export function createOrganizationCalls(deps: OrganizationCallsDeps): OrganizationCalls {
  const call = createServiceCaller({
    service: 'organizations',
    metrics: deps.metrics,
    paced: deps.paced ?? new Paced(pace),
    createClient: () => createClient(deps),
    toError: toOrganizationsError,
  })
  const orNull = <T>(ask: () => Promise<T>) => nullIf(notFound, ask)
  return {
    describe: async (signal) => {
      const { Organization } = await call('DescribeOrganization', signal, ({ sdk, client }, options) =>
        client.send(new sdk.DescribeOrganizationCommand({}), options),
      )
      return {
        id: checked(ids.organization, Organization?.Id, 'DescribeOrganization'),
        managementAccount: checked(ids.account, Organization?.MasterAccountId, 'DescribeOrganization'),
      }
    },
    roots: async (signal) => {
      const found = await allPages('ListRoots', async (NextToken) => {
        const page = await call('ListRoots', signal, ({ sdk, client }, options) =>
          client.send(new sdk.ListRootsCommand({ ...NextToken, MaxResults: pageSize }), options),
        )
        return { items: page.Roots, nextToken: page.NextToken }
      })
      return found.map(({ Id }) => checked(ids.root, Id, 'ListRoots'))
    },
    units: (ParentId, signal) =>
      orNull(async () => {
        const operation = 'ListOrganizationalUnitsForParent'
        const found = await allPages(operation, async (NextToken) => {
          const page = await call(operation, signal, ({ sdk, client }, options) =>
            client.send(
              new sdk.ListOrganizationalUnitsForParentCommand({ ParentId, ...NextToken, MaxResults: pageSize }),
              options,
            ),
          )
          return { items: page.OrganizationalUnits, nextToken: page.NextToken }
        })
        return found.map((unit) => toUnit(unit, operation))
      }),
    accountsIn: (ParentId, signal) =>
      orNull(async () => {
        const operation = 'ListAccountsForParent'
        const found = await allPages(operation, async (NextToken) => {
          const page = await call(operation, signal, ({ sdk, client }, options) =>
            client.send(
              new sdk.ListAccountsForParentCommand({ ParentId, ...NextToken, MaxResults: pageSize }),
              options,
            ),
          )
          return { items: page.Accounts, nextToken: page.NextToken }
        })
        return found.map((account) => toAccount(account, operation))
      }),
    accounts: async (signal, onPage) => {
      let done = 0
      const found = await allPages('ListAccounts', async (NextToken) => {
        const page = await call('ListAccounts', signal, ({ sdk, client }, options) =>
          client.send(new sdk.ListAccountsCommand({ ...NextToken, MaxResults: pageSize }), options),
        )
        done += page.Accounts?.length ?? 0
        onPage(done)
        return { items: page.Accounts, nextToken: page.NextToken }
      })
      return found.map((account) => toAccount(account, 'ListAccounts'))
    },
    parentOf: (ChildId, signal) =>
      orNull(async () => {
        const found = await allPages('ListParents', async (NextToken) => {
          const page = await call('ListParents', signal, ({ sdk, client }, options) =>
            client.send(new sdk.ListParentsCommand({ ChildId, ...NextToken }), options),
          )
          return { items: page.Parents, nextToken: page.NextToken }
        })
        return checked(ids.parent, found[0]?.Id, 'ListParents')
      }),
    unit: (OrganizationalUnitId, signal) =>
      orNull(async () => {
        const operation = 'DescribeOrganizationalUnit'
        const { OrganizationalUnit: unit = {} } = await call(operation, signal, ({ sdk, client }, options) =>
          client.send(new sdk.DescribeOrganizationalUnitCommand({ OrganizationalUnitId }), options),
        )
        return toUnit(unit, operation)
      }),
    account: (AccountId, signal) =>
      orNull(async () => {
        const operation = 'DescribeAccount'
        const { Account: found = {} } = await call(operation, signal, ({ sdk, client }, options) =>
          client.send(new sdk.DescribeAccountCommand({ AccountId }), options),
        )
        return toAccount(found, operation)
      }),
    tags: (ResourceId, signal) =>
      orNull(async () => {
        const found = await allPages('ListTagsForResource', async (NextToken) => {
          const page = await call('ListTagsForResource', signal, ({ sdk, client }, options) =>
            client.send(new sdk.ListTagsForResourceCommand({ ResourceId, ...NextToken }), options),
          )
          return { items: page.Tags, nextToken: page.NextToken }
        })
        return Object.fromEntries(found.map(({ Key = '', Value = '' }) => [Key, Value]))
      }),
  }
}

async function createClient({ aws, config }: OrganizationCallsDeps) {
  const sdk = await import('@aws-sdk/client-organizations')
  const client = new sdk.OrganizationsClient({
    ...(await clientOptions(config, 'organizations')),
    ...retries,
    region: regions[partitionOf(config)] ?? 'us-east-1',
    credentials: await hubIdentity(aws),
  })
  return { sdk, client }
}

/** Of the hub role; without one, of the region that STS is called in. */
function partitionOf({ hubRoleArn, regions: [region = ''] }: OrganizationCallsDeps['config']): string {
  if (hubRoleArn !== null) return hubRoleArn.split(':')[1] ?? 'aws'
  return partitionOfRegion(region) ?? 'aws'
}

function toUnit({ Id, Arn = '', Name = '' }: OrganizationalUnit, operation: string): UnitRead {
  return { id: checked(ids.unit, Id, operation), arn: Arn, name: Name }
}

function toAccount(account: Account, operation: string): AccountRead {
  const { Id, Arn = '', Name = '', Email = '', State, Status, JoinedTimestamp, Paths = [] } = account
  const id = checked(ids.account, Id, operation)
  // `Status` is what `State` replaced, and has some of its values.
  const state = accountStates.find((one) => one === (State ?? Status))
  if (state === undefined)
    throw new BrokerError(
      'AWS_UNAVAILABLE',
      `${operation}: the state of account ${id} is ${State ?? Status ?? 'missing'}`,
    )
  return {
    id,
    arn: Arn,
    name: Name,
    email: Email,
    state,
    joinedAt: JoinedTimestamp?.getTime() ?? 0,
    pathParent: parentIn(Paths),
  }
}

/** `o-…/r-…/ou-…/ou-…/`, where the account itself may stand at the end. */
function parentIn(paths: readonly string[]): string | null {
  const [path, another] = paths
  if (path === undefined || another !== undefined) return null
  const parent = path.split('/').findLast((part) => part !== '' && !ids.account.test(part)) ?? ''
  return ids.parent.test(parent) ? parent : null
}

/** Ids are used in further calls and stored. */
function checked(pattern: RegExp, id: string | undefined, operation: string): string {
  if (id !== undefined && pattern.test(id)) return id
  throw new BrokerError('AWS_UNAVAILABLE', `${operation} answered with an id that is none: ${String(id).slice(0, 100)}`)
}
