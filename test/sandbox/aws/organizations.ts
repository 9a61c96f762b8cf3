/**
 * What reads AWS Organizations (JSON 1.1, API version 2016-11-28): the tree, its accounts and their tags, in pages. Left out: all that
 * changes it (tests change the world instead), handshakes, policies, resource policies.
 */
import { callerContext, refusal } from './authorize.ts'
import { AwsFault } from './aws-fault.ts'
import type { Caller } from './callers.ts'
import {
  type Input,
  invalid,
  type OrganizationOperation,
  operations,
  readOrganizationInput,
} from './organizations-input.ts'
import { createPager } from './pager.ts'
import type { Organization, OrganizationAccount, OrganizationUnit, World } from './world.ts'

export interface OrganizationsDouble {
  /** @throws AwsFault */
  answer(caller: Caller, region: string, operation: string, input: Readonly<Record<string, unknown>>): object
}

interface Deps {
  readonly world: World
  isDenied(action: string): boolean
  now(): number
}

interface Ask {
  readonly world: World
  readonly organization: Organization
  readonly input: Input
  readonly page: <T>(items: readonly T[], keyOf: (item: T) => string) => { items: T[]; NextToken?: string }
}

export function createOrganizations(deps: Deps): OrganizationsDouble {
  const pager = createPager(() => invalid('INVALID_NEXT_TOKEN', 'the token is of no such list'))
  return {
    answer: (caller, _region, name, given) => {
      const operation = operations.find((one) => one === name)
      if (operation === undefined) throw new AwsFault('UnknownOperationException', 400, name)
      const input = readOrganizationInput(operation, given)
      const { world } = deps
      const { organization } = world
      authorize(deps, caller, operation, input)
      if (!organization?.accounts.some(({ id }) => id === caller.account))
        throw new AwsFault('AWSOrganizationsNotInUseException', 400, 'Your account is not a member of an organization.')
      mayRead(organization, caller, operation)
      const list = [
        caller.account,
        operation,
        input.ParentId,
        input.ChildId,
        input.ResourceId,
        input.ServicePrincipal,
      ].join()
      const size = Math.min(organization.pageSize, input.MaxResults ?? 20)
      const ask = { list, token: input.NextToken, size, hasEmptyPages: organization.hasEmptyPages }
      return answers[operation]({ world, organization, input, page: (items, keyOf) => pager(ask, items, keyOf) })
    },
  }
}

const answers: Readonly<Record<OrganizationOperation, (ask: Ask) => object>> = {
  DescribeOrganization: ({ world, organization }) => {
    const account = organization.accounts.find(({ id }) => id === organization.managementAccount)
    return {
      Organization: {
        Id: world.organizationId,
        Arn: `arn:aws:organizations::${organization.managementAccount}:organization/${world.organizationId}`,
        FeatureSet: 'ALL',
        MasterAccountId: organization.managementAccount,
        MasterAccountArn: arnOf(world, organization, `account`, organization.managementAccount),
        MasterAccountEmail: account?.email ?? '',
        AvailablePolicyTypes: [{ Type: 'SERVICE_CONTROL_POLICY', Status: 'ENABLED' }],
      },
    }
  },
  ListRoots: ({ world, organization, page }) => {
    const { root } = organization
    const { items, ...token } = page([root], (id) => id)
    const shown = items.map((Id) => ({
      Id,
      Arn: arnOf(world, organization, 'root', Id),
      Name: 'Root',
      PolicyTypes: [],
    }))
    return { Roots: shown, ...token }
  },
  ListAccounts: (ask) => accountPage(ask, ask.organization.accounts),
  ListAccountsForParent: (ask) =>
    accountPage(
      ask,
      ask.organization.accounts.filter(({ parent }) => parent === parentOf(ask)),
    ),
  ListOrganizationalUnitsForParent: (ask) => {
    const parent = parentOf(ask)
    const { items, ...token } = ask.page(
      ask.organization.units.filter((unit) => unit.parent === parent),
      ({ id }) => id,
    )
    return { OrganizationalUnits: items.map((unit) => shownUnit(ask, unit)), ...token }
  },
  ListParents: ({ organization: { accounts, units }, input, page }) => {
    const found = [...accounts, ...units].find(({ id }) => id === input.ChildId)
    if (!found) throw new AwsFault('ChildNotFoundException', 400, 'You specified a child that does not exist.')
    const { items, ...token } = page([found.parent], (id) => id)
    return { Parents: items.map((Id) => ({ Id, Type: /^r-/.test(Id) ? 'ROOT' : 'ORGANIZATIONAL_UNIT' })), ...token }
  },
  ListTagsForResource: ({ organization: { accounts, units, root }, input, page }) => {
    const found = [{ id: root, tags: {} }, ...accounts, ...units].find(({ id }) => id === input.ResourceId)
    if (!found) throw new AwsFault('TargetNotFoundException', 400, 'You specified a target that does not exist.')
    const { items, ...token } = page(Object.entries(found.tags), ([key]) => key)
    return { Tags: items.map(([Key, Value]) => ({ Key, Value })), ...token }
  },
  DescribeAccount: (ask) => {
    const account = ask.organization.accounts.find(({ id }) => id === ask.input.AccountId)
    if (!account) throw new AwsFault('AccountNotFoundException', 400, 'You specified an account that does not exist.')
    return { Account: shownAccount(ask, account) }
  },
  DescribeOrganizationalUnit: (ask) => {
    const unit = ask.organization.units.find(({ id }) => id === ask.input.OrganizationalUnitId)
    if (!unit)
      throw new AwsFault('OrganizationalUnitNotFoundException', 400, 'You specified an OU that does not exist.')
    return { OrganizationalUnit: shownUnit(ask, unit) }
  },
  ListDelegatedAdministrators: (ask) => {
    const { organization, input, page } = ask
    const { items, ...token } = page(
      organization.accounts.filter(({ id }) => {
        const services = organization.delegatedAdministrators[id] ?? []
        return input.ServicePrincipal === undefined ? services.length > 0 : services.includes(input.ServicePrincipal)
      }),
      ({ id }) => id,
    )
    const shown = items.map((account) => {
      const { Paths: _, ...rest } = shownAccount(ask, account)
      return { ...rest, DelegationEnabledDate: account.joinedAt / 1000 }
    })
    return { DelegatedAdministrators: shown, ...token }
  },
}

function accountPage(ask: Ask, accounts: readonly OrganizationAccount[]): object {
  const { items, ...token } = ask.page(accounts, ({ id }) => id)
  return { Accounts: items.map((account) => shownAccount(ask, account)), ...token }
}

/** @throws AwsFault ParentNotFoundException */
function parentOf({ organization: { root, units }, input }: Ask): string {
  const found = [root, ...units.map(({ id }) => id)].find((id) => id === input.ParentId)
  if (found === undefined)
    throw new AwsFault('ParentNotFoundException', 400, 'You specified a parent that does not exist.')
  return found
}

function shownAccount({ world, organization }: Ask, account: OrganizationAccount) {
  const { id, name, email, state, joinedAt, parent } = account
  return {
    Id: id,
    Arn: arnOf(world, organization, 'account', id),
    Email: email,
    Name: name,
    State: state,
    JoinedMethod: 'CREATED',
    JoinedTimestamp: joinedAt / 1000,
    ...(organization.hasPaths ? { Paths: [`${pathTo(world, organization, parent)}${id}/`] } : {}),
  }
}

function shownUnit({ world, organization }: Ask, { id, name }: OrganizationUnit) {
  return {
    Id: id,
    Arn: arnOf(world, organization, 'ou', id),
    Name: name,
    ...(organization.hasPaths ? { Path: pathTo(world, organization, id) } : {}),
  }
}

function pathTo(world: World, organization: Organization, id: string): string {
  const unit = organization.units.find((one) => one.id === id)
  const above = unit ? pathTo(world, organization, unit.parent) : `${world.organizationId}/`
  return `${above}${id}/`
}

function arnOf({ organizationId }: World, { managementAccount }: Organization, type: string, id: string): string {
  return `arn:aws:organizations::${managementAccount}:${type}/${organizationId}/${id}`
}

/** Members may only ask which organization it is; a delegated administrator of any service may read. */
function mayRead(organization: Organization, caller: Caller, operation: OrganizationOperation): void {
  const isReader =
    caller.account === organization.managementAccount ||
    (organization.delegatedAdministrators[caller.account] ?? []).length > 0
  if (isReader || operation === 'DescribeOrganization') return
  throw new AwsFault(
    'AccessDeniedException',
    400,
    "You don't have permissions to access this resource.",
    'neither the management account nor a delegated administrator',
  )
}

function authorize(deps: Deps, caller: Caller, operation: OrganizationOperation, input: Input): void {
  const action = `organizations:${operation}`
  const { organization } = deps.world
  const id = input.ParentId ?? input.ChildId ?? input.ResourceId ?? input.AccountId ?? input.OrganizationalUnitId
  const resource = organization && id !== undefined ? arnOf(deps.world, organization, typeOf(id), id) : '*'
  const context = callerContext(deps.world, caller, deps.now(), resource)
  const why = deps.isDenied(action)
    ? 'denied by a fault knob'
    : refusal(deps.world, caller, { action, resource, context })
  if (why)
    throw new AwsFault(
      'AccessDeniedException',
      400,
      `User: ${caller.arn} is not authorized to perform: ${action}${resource === '*' ? '' : ` on resource: ${resource}`}`,
      why,
    )
}

function typeOf(id: string): string {
  if (/^\d/.test(id)) return 'account'
  return id.startsWith('r-') ? 'root' : 'ou'
}
