import { eachOf } from '../../aws/bounded.ts'
import { DailyAnswers } from '../../aws/daily.ts'
import { createIdentityCenterCalls, identityCenterPace } from '../../aws/identity-center/identity-center-calls.ts'
import type { PermissionSetDetails } from '../../aws/identity-center/picture.ts'
import { readIdentityCenter } from '../../aws/identity-center/read-identity-center.ts'
import { type Pace, Paced } from '../../aws/paced.ts'
import type { Discovery, DiscoveryParts } from '../../inventory/discovery.ts'
import { identityCenterResources } from '../identity-center/resources.ts'

/** Where Identity Center may be at home without an opt-in of the account. */
const commonRegions = [
  ...['us-east-1', 'us-east-2', 'us-west-1', 'us-west-2', 'ca-central-1', 'sa-east-1'],
  ...['eu-west-1', 'eu-west-2', 'eu-west-3', 'eu-central-1', 'eu-north-1'],
  ...['ap-northeast-1', 'ap-northeast-2', 'ap-northeast-3', 'ap-southeast-1', 'ap-southeast-2', 'ap-south-1'],
]
const searchMs = 20_000

/** Groups and permission sets of IAM Identity Center, read in the account of the hub. @param pace left out: that of AWS */
export function identityCenterDiscovery(
  { aws, clock, config, metrics, organizations }: DiscoveryParts,
  pace: Pace = identityCenterPace,
): Discovery {
  const paced = new Paced(pace)
  const inRegion = new Map<string, ReturnType<typeof createIdentityCenterCalls>>()
  const callsIn = (region: string) => {
    const calls = inRegion.get(region) ?? createIdentityCenterCalls({ aws, config, metrics, region, paced })
    inRegion.set(region, calls)
    return calls
  }
  const details = new DailyAnswers<PermissionSetDetails>(clock)
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
  return {
    name: 'identity-center',
    per: 'organization',
    service: 'identity-center',
    isOn: ({ identityCenter }) => identityCenter !== undefined,
    read: async ({ account }, { signal, settings, isAsked = false, onProgress = () => {} }) => {
      const { region, import: mode } = settings.identityCenter ?? { region: null, import: 'provisioned' }
      const { id: organization, managementAccount } = await organizations.describe(signal)
      const picture = await readIdentityCenter(callsIn(region ?? config.regions[0] ?? 'us-east-1'), {
        managementAccount,
        assignments: account === managementAccount ? 'principals' : 'pairs',
        known: (arn) => (isAsked ? undefined : details.get(arn)),
        findHome: (signal) => findHome(managementAccount, signal),
        signal,
        onProgress,
      })
      details.keep(picture.permissionSets.map(({ arn, details: seen }) => [arn, seen]))
      const active = mode === 'all' ? await organizations.accounts(signal, () => {}) : []
      const mayAssign = ({ id, state }: (typeof active)[number]) =>
        state === 'ACTIVE' && (id !== managementAccount || account === managementAccount)
      return identityCenterResources(picture, {
        organization,
        accounts: active.filter(mayAssign).map(({ id }) => id),
      })
    },
  }
}
