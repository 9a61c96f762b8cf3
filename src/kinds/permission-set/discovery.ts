import { eachOf } from '../../aws/bounded.ts'
import { DailyAnswers } from '../../aws/daily.ts'
import { createIdentityCenterCalls, type IdentityCenterCalls } from '../../aws/identity-center/identity-center-calls.ts'
import type { IdentityCenterPicture, PermissionSetDetails } from '../../aws/identity-center/picture.ts'
import { readIdentityCenter } from '../../aws/identity-center/read-identity-center.ts'
import { type Known, readGroup, readPermissionSet } from '../../aws/identity-center/read-one.ts'
import { type Pace, Paced } from '../../aws/paced.ts'
import type { Resource } from '../../catalog/resource.ts'
import type { Discovery, DiscoveryParts, Place, ReadingOptions } from '../../inventory/discovery.ts'
import { groupResource, identityCenterResources } from '../identity-center/resources.ts'

/** Where Identity Center may be at home without an opt-in of the account. */
const commonRegions = [
  ...['us-east-1', 'us-east-2', 'us-west-1', 'us-west-2', 'ca-central-1', 'sa-east-1'],
  ...['eu-west-1', 'eu-west-2', 'eu-west-3', 'eu-central-1', 'eu-north-1'],
  ...['ap-northeast-1', 'ap-northeast-2', 'ap-northeast-3', 'ap-southeast-1', 'ap-southeast-2', 'ap-south-1'],
]
const searchMs = 20_000

/** Groups and permission sets of IAM Identity Center, read in the account of the hub. @param pace left out: that of all who ask it */
export function identityCenterDiscovery(
  { aws, clock, config, metrics, organizations }: DiscoveryParts,
  pace?: Pace,
): Discovery {
  const paced = pace === undefined ? aws.identityCenterPaced : new Paced(pace)
  const inRegion = new Map<string, ReturnType<typeof createIdentityCenterCalls>>()
  const callsIn = (region: string) => {
    const calls = inRegion.get(region) ?? createIdentityCenterCalls({ aws, config, metrics, region, paced })
    inRegion.set(region, calls)
    return calls
  }
  const details = new DailyAnswers<PermissionSetDetails>(clock)
  let known: WholeReading | null = null
  /** Asks one region after the other; those that refuse are passed over. */
  const findHome = async (managementAccount: string, signal: AbortSignal): Promise<string | null> => {
    const homes: string[] = []
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(searchMs)])
    await eachOf([...new Set([...config.regions, ...commonRegions])], 4, async (region) => {
      const found =
        homes.length > 0
          ? []
          : await callsIn(region)
              .instances(deadline)
              .catch(() => [])
      if (found.some(({ ownerAccount }) => ownerAccount === managementAccount)) homes.push(region)
    })
    signal.throwIfAborted()
    return homes[0] ?? null
  }
  const discovery: Discovery = {
    name: 'identity-center',
    per: 'organization',
    service: 'identity-center',
    isOn: ({ identityCenter }) => identityCenter !== undefined,
    read: async ({ account }, { signal, settings, isAsked = false, onProgress = () => {} }) => {
      const { region, import: mode } = settings.identityCenter ?? { region: null, import: 'provisioned' }
      const { id: organization, managementAccount } = await organizations.describe(signal)
      const calls = callsIn(region ?? config.regions[0] ?? 'us-east-1')
      const picture = await readIdentityCenter(calls, {
        managementAccount,
        assignments: account === managementAccount ? 'principals' : 'pairs',
        known: (arn) => (isAsked ? undefined : details.get(arn)),
        findHome: (signal) => findHome(managementAccount, signal),
        signal,
        onProgress,
      })
      details.keep(picture.permissionSets.map(({ arn, details: seen }) => [arn, seen]))
      known = wholeReading(picture, { organization, managementAccount, region: calls.region })
      const active = mode === 'all' ? await organizations.accounts(signal, () => {}) : []
      const mayAssign = ({ id, state }: (typeof active)[number]) =>
        state === 'ACTIVE' && (id !== managementAccount || account === managementAccount)
      return identityCenterResources(picture, {
        organization,
        accounts: active.filter(mayAssign).map(({ id }) => id),
      })
    },
    readOne: async (place, resourceId, options) => {
      const arn = known?.permissionSets.get(resourceId.slice(resourceId.lastIndexOf('/') + 1))
      if (arn !== undefined) details.forget(arn)
      if (known) return await readOne(callsIn(known.region), known, { place, resourceId, ...options })
      const found = await discovery.read(place, options)
      return found.find(({ id }) => id === resourceId) ?? null
    },
  }
  return discovery
}

interface WholeReading extends Known {
  readonly organization: string
  readonly managementAccount: string
  readonly region: string
  /** How many assignments each group has, by its id. */
  readonly assignments: ReadonlyMap<string, number>
}

function wholeReading(
  { instance, groups, permissionSets, assignments }: IdentityCenterPicture,
  of: Pick<WholeReading, 'organization' | 'managementAccount' | 'region'>,
): WholeReading {
  const ofGroup = Map.groupBy(assignments, ({ principalId }) => principalId)
  return {
    ...of,
    instance,
    permissionSets: new Map(permissionSets.map(({ arn, name }) => [name, arn])),
    assignments: new Map(groups.map(({ id }) => [id, ofGroup.get(id)?.length ?? 0])),
  }
}

interface One extends ReadingOptions {
  readonly place: Place
  readonly resourceId: string
}

/** How many assignments a group has is asked for in the management account alone; elsewhere it stays as the last whole reading had it. */
async function readOne(calls: IdentityCenterCalls, known: WholeReading, one: One): Promise<Resource | null> {
  const { place, resourceId, settings, signal } = one
  const { instance, organization } = known
  const [kind, first = '', name = ''] = resourceId.split('/')
  const picture = { instance, users: [], groups: [], permissionSets: [], assignments: [] }
  if (kind === 'identity-center-group') {
    const group = await readGroup(calls, known, first, signal)
    const mayAsk = place.account === known.managementAccount
    const principal = { principalType: 'GROUP', principalId: first } as const
    const held = mayAsk
      ? ((await calls.assignmentsFor(instance, principal, signal)) ?? []).length
      : known.assignments.get(first)
    return group && groupResource(picture, { organization }, group, held ?? 0)
  }
  const read = await readPermissionSet(calls, known, { account: first, name }, signal)
  const around = { organization, accounts: settings.identityCenter?.import === 'all' ? [first] : [] }
  const found = read
    ? identityCenterResources({ ...picture, permissionSets: [read.set], assignments: read.assignments }, around)
    : []
  return found.find(({ id }) => id === resourceId) ?? null
}
