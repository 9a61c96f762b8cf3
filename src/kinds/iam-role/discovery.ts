import { iamCaller } from '../../aws/estate/iam.ts'
import { type RoleSeen, readRoles } from '../../aws/estate/roles.ts'
import { missingInTrust } from '../../aws/policy-facts.ts'
import type { Resource } from '../../catalog/resource.ts'
import type { Config } from '../../config/config.ts'
import type { Discovery, DiscoveryParts, Place } from '../../inventory/discovery.ts'
import { dateOf, roleFindings, unusedMs } from './findings.ts'

type AwsConfig = Pick<Config['aws'], 'accounts' | 'connectRole' | 'hubRoleArn' | 'reachRole' | 'revocationPolicy'>

/** What trust policies must allow the broker's sessions. */
const needed = ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity']

/** Roles of the accounts, as they are in IAM. One changed role is read with all of its account: that is one to three calls. */
export function roleDiscoveries(parts: DiscoveryParts): readonly Discovery[] {
  const { config, clock, isOwnAccount } = parts
  const callAt = iamCaller(parts)
  return [
    {
      name: 'iam-role',
      per: 'account',
      service: 'iam',
      read: async (place, { signal, onProgress }) => {
        const roles = await readRoles(callAt(place), place.account, {
          signal,
          onPage: (done) => onProgress?.({ phase: 'roles', done }),
        })
        return roles.map((role) => toResource(role, place, { config, isOwnAccount, now: clock.now() }))
      },
    },
  ]
}

export interface RoleMapping {
  readonly config: AwsConfig
  isOwnAccount(account: string): boolean
  /** Epoch milliseconds. */
  readonly now: number
}

/** Pure. */
export function toResource(
  role: RoleSeen,
  place: Pick<Place, 'partition' | 'account'>,
  { config, isOwnAccount, now }: RoleMapping,
): Resource {
  const { partition, account } = place
  const { arn, name, path, id, tags, trust, boundary, lastUsedAt } = role
  const broker = brokerRoles(config, place)
  const manager = managerOf(role, broker)
  const lacking = trust === null ? needed : missingInTrust(trust, spokeArn(config, place), needed)
  const own = new Set([...Object.keys(config.accounts), config.hubRoleArn?.split(':')[4]])
  const isOwn = (other: string) => own.has(other) || isOwnAccount(other)
  const risk = roleFindings(role, { account, broker, isOwnAccount: isOwn, now })
  return {
    id: `iam-role/${account}/${name}`,
    kind: 'iam-role',
    partition,
    organization: null,
    account,
    region: null,
    name,
    tags,
    attributes: {
      role_id: id,
      ...(path === '/' ? {} : { role: arn }),
      ...(boundary === `arn:${partition}:iam::${account}:policy/${config.revocationPolicy}` ? { revocable: true } : {}),
      ...(manager === null ? {} : { managed_by: manager }),
      ...(lacking.length === 0 ? {} : { lacking }),
      ...(lastUsedAt !== null && now - lastUsedAt > unusedMs ? { last_used: dateOf(lastUsedAt) } : {}),
    },
    source: 'discovery',
    ...(risk.length === 0 ? {} : { risk }),
  }
}

function managerOf({ arn, name, path }: RoleSeen, broker: ReadonlySet<string>) {
  if (broker.has(arn)) return 'sallyport'
  if (path.startsWith('/aws-reserved/sso.amazonaws.com/') || name.startsWith('AWSReservedSSO_'))
    return 'identity-center'
  return path.startsWith('/aws-reserved/') ? 'aws' : null
}

function spokeArn(
  { accounts, connectRole }: AwsConfig,
  { partition, account }: Pick<Place, 'partition' | 'account'>,
): string {
  return `arn:${partition}:iam::${account}:role/${accounts[account]?.connectRole ?? connectRole}`
}

/** The hub, the spoke of the account, and what opens its tunnels. */
function brokerRoles(config: AwsConfig, place: Pick<Place, 'partition' | 'account'>): ReadonlySet<string> {
  const { partition, account } = place
  const reach = `arn:${partition}:iam::${account}:role/${config.reachRole}`
  return new Set([spokeArn(config, place), reach, ...(config.hubRoleArn === null ? [] : [config.hubRoleArn])])
}
