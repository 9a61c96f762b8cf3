import { clientOptions } from '../client-options.ts'
import { type CallDeps, identityOf, tryCall } from './calls.ts'
import type { Probes } from './check-role.ts'

export interface HubPlace {
  readonly partition: string
  /** The account that the hub is in. */
  readonly account: string
  /** Where Identity Center is looked for. */
  readonly identityCenterRegion: string
}

/** What the probes learn on the way. */
export interface Learned {
  /** Null: the organization could not be asked. */
  managementAccount: string | null
  organization: string | null
  /** ARN of the instance of Identity Center; null: there is none in the region, or it could not be asked. */
  instance: string | null
  identityStore: string | null
}

export interface HubProbes {
  readonly probes: Probes
  readonly learned: Learned
  close(): void
}

/** Organizations is one endpoint for each partition, and signs for this region. */
const organizationRegions: Readonly<Record<string, string>> = {
  'aws-cn': 'cn-northwest-1',
  'aws-us-gov': 'us-gov-west-1',
}
const nowhere = 'ou-0000-00000000'

/** What the hub reads of the organization and of Identity Center. */
export async function hubProbes(deps: CallDeps, place: HubPlace): Promise<HubProbes> {
  const learned: Learned = { managementAccount: null, organization: null, instance: null, identityStore: null }
  const organizations = await organizationProbes(deps, place, learned)
  const identityCenter = await identityCenterProbes(deps, place, learned)
  return {
    probes: { ...organizations.probes, ...identityCenter.probes },
    learned,
    close: () => {
      organizations.close()
      identityCenter.close()
    },
  }
}

async function organizationProbes(deps: CallDeps, { partition, account }: HubPlace, learned: Learned) {
  const sdk = await import('@aws-sdk/client-organizations')
  const client = new sdk.OrganizationsClient({
    ...(await clientOptions(deps.config, 'organizations')),
    ...(await identityOf(deps)),
    region: organizationRegions[partition] ?? 'us-east-1',
  })
  const at = (action: string, run: () => Promise<unknown>) => [action, () => tryCall(deps, action, run)] as const
  const probes: Probes = Object.fromEntries([
    at('organizations:DescribeOrganization', async () => {
      const { Organization } = await client.send(new sdk.DescribeOrganizationCommand({}))
      learned.managementAccount = Organization?.MasterAccountId ?? null
      learned.organization = Organization?.Id ?? null
    }),
    at('organizations:ListRoots', () => client.send(new sdk.ListRootsCommand({ MaxResults: 1 }))),
    at('organizations:ListAccounts', () => client.send(new sdk.ListAccountsCommand({ MaxResults: 1 }))),
    at('organizations:ListParents', () => client.send(new sdk.ListParentsCommand({ ChildId: account }))),
    at('organizations:ListTagsForResource', () =>
      client.send(new sdk.ListTagsForResourceCommand({ ResourceId: account })),
    ),
    at('organizations:DescribeOrganizationalUnit', () =>
      client.send(new sdk.DescribeOrganizationalUnitCommand({ OrganizationalUnitId: nowhere })),
    ),
  ])
  return { probes, close: () => client.destroy() }
}

async function identityCenterProbes(deps: CallDeps, { identityCenterRegion: region }: HubPlace, learned: Learned) {
  const [sso, store] = await Promise.all([import('@aws-sdk/client-sso-admin'), import('@aws-sdk/client-identitystore')])
  const identity = await identityOf(deps)
  const admin = new sso.SSOAdminClient({ ...(await clientOptions(deps.config, 'sso-admin')), ...identity, region })
  const people = new store.IdentitystoreClient({
    ...(await clientOptions(deps.config, 'identitystore')),
    ...identity,
    region,
  })
  const find = async () => {
    const { Instances: [first] = [] } = await admin.send(new sso.ListInstancesCommand({}))
    learned.instance = first?.InstanceArn ?? null
    learned.identityStore = first?.IdentityStoreId ?? null
  }
  const at = (action: string, run: () => Promise<unknown>) => [action, () => tryCall(deps, action, run)] as const
  const probes: Probes = Object.fromEntries([
    at('sso:ListInstances', find),
    at('sso:ListPermissionSets', async () => {
      if (learned.instance === null) await find()
      if (learned.instance === null) return
      await admin.send(new sso.ListPermissionSetsCommand({ InstanceArn: learned.instance, MaxResults: 1 }))
    }),
    ...(['ListUsers', 'ListGroups'] as const).map((operation) =>
      at(`identitystore:${operation}`, async () => {
        if (learned.identityStore === null) await find()
        if (learned.identityStore === null) return
        const input = { IdentityStoreId: learned.identityStore, MaxResults: 1 }
        if (operation === 'ListUsers') await people.send(new store.ListUsersCommand(input))
        else await people.send(new store.ListGroupsCommand(input))
      }),
    ),
  ])
  const close = () => {
    admin.destroy()
    people.destroy()
  }
  return { probes, close }
}
