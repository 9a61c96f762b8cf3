/** An estate as large as the largest customers have, and AWS with its latency and the pace that each of its services bears. */
import { Paced } from '../../../src/aws/paced.ts'
import type { Resource } from '../../../src/catalog/resource.ts'
import type { Discovery, Place } from '../../../src/inventory/discovery.ts'
import type { VirtualTime } from './virtual-time.ts'

export const size = {
  accounts: 1000,
  regions: 17,
  activeRegions: 3,
  roles: 120,
  instances: 20,
  databases: 60,
  units: 100,
} as const
const latencyMs = 150
/** Of AWS Organizations: units, accounts by twenty, tags of both. */
const organizationCalls = 2 + size.units + 1 + size.accounts / 20 + size.accounts + size.units
/** Permission sets, their accounts, groups, members, and assignments by principal. */
const identityCenterCalls = 202 + 200 + 323 + 2300

const paces = {
  organizations: { perSecond: 4, burst: 8, atOnce: 1 },
  'identity-center': { perSecond: 10, burst: 10, atOnce: 4 },
  sts: { perSecond: 50, burst: 50, atOnce: 16 },
  iam: { perSecond: 5, burst: 10, atOnce: 2 },
  ec2: { perSecond: 10, burst: 20, atOnce: 4 },
  ssm: { perSecond: 5, burst: 10, atOnce: 2 },
  rds: { perSecond: 5, burst: 10, atOnce: 2 },
  eks: { perSecond: 5, burst: 10, atOnce: 2 },
} as const

export const accounts = Array.from({ length: size.accounts }, (_, i) => String(100_000_000_000 + i))
const regions = Array.from({ length: size.regions }, (_, i) => `eu-west-${i + 1}`)

/** Calls of one account whose units are read once, and of its regions, which are entered by the way. */
const active = { iam: 2, ec2: 2 * size.activeRegions, rds: 2 * size.activeRegions, eks: 1.5 } as const
const quiet = {
  ec2: size.regions - size.activeRegions,
  rds: 2 * (size.regions - size.activeRegions),
  eks: size.regions - 0.5,
} as const
const ofRegions = 2
const sum = (of: Readonly<Record<string, number>>) => Object.values(of).reduce((a, b) => a + b, 0)

/** What a reading of everything costs at the least, and how long it takes at the least with so many under way. */
export function fewestAtFirst(atOnce: number) {
  const inAccounts = size.accounts * (sum(active) + sum(quiet) + ofRegions)
  const seconds = Math.max(
    organizationCalls / paces.organizations.perSecond,
    identityCenterCalls / paces['identity-center'].perSecond,
    (inAccounts * latencyMs) / 1000 / atOnce,
  )
  return { calls: organizationCalls + identityCenterCalls + inAccounts, seconds }
}

/** What was empty once, everything else each interval. */
export function fewestADay(everyMs: number): number {
  const often = organizationCalls + identityCenterCalls + size.accounts * sum(active)
  return (86_400_000 / everyMs) * often + size.accounts * (sum(quiet) + ofRegions)
}

/** AWS on a clock of its own. */
export class SimulatedAws {
  readonly #time: VirtualTime
  readonly #paced = new Map<string, Paced>()
  calls = 0
  /** What has changed since: tags by id. */
  readonly tags = new Map<string, Resource['tags']>()

  constructor(time: VirtualTime) {
    this.#time = time
  }

  async call(service: keyof typeof paces, at: string): Promise<void> {
    const key = `${service}/${at}`
    const paced = this.#paced.get(key) ?? new Paced(paces[service], this.#time.pace)
    this.#paced.set(key, paced)
    await paced.run(new AbortController().signal, async () => {
      this.calls += 1
      await this.#time.after(latencyMs)
    })
  }

  async enter({ account: _ }: Place): Promise<void> {
    await this.call('sts', 'hub')
  }

  async regions({ account }: Place): Promise<readonly string[]> {
    await this.call('ec2', `${account}/eu-west-1`)
    return regions
  }

  /** Discoveries that make as many calls as the real ones. */
  discoveries(): Discovery[] {
    return [
      {
        name: 'organization',
        per: 'organization',
        service: 'organizations',
        isOn: () => true,
        read: () => this.#times('organizations', organizationCalls, 1),
      },
      {
        name: 'identity-center',
        per: 'organization',
        service: 'identity-center',
        isOn: () => true,
        read: () => this.#times('identity-center', identityCenterCalls, 4),
      },
      {
        ...{ name: 'iam-role', per: 'account', service: 'iam' },
        read: async ({ account }) => {
          for (let page = 0; page < 2; page += 1) await this.call('iam', account)
          return this.#made('iam-role', account, null, size.roles)
        },
        readOne: async ({ account }, id) => {
          await this.call('iam', account)
          return this.#made('iam-role', account, null, size.roles).find((one) => one.id === id) ?? null
        },
      },
      {
        ...{ name: 'ec2-instance', per: 'region', service: 'ec2' },
        read: async ({ account, region }) => {
          await this.call('ec2', `${account}/${region}`)
          if (isActive(region)) await this.call('ssm', `${account}/${region}`)
          return this.#made('ec2-instance', account, region, share(region, size.instances))
        },
      },
      {
        ...{ name: 'rds', per: 'region', service: 'rds' },
        read: async ({ account, region }) => {
          for (let list = 0; list < 2; list += 1) await this.call('rds', account)
          return this.#made('rds-postgres', account, region, share(region, size.databases))
        },
      },
      {
        ...{ name: 'eks-cluster', per: 'region', service: 'eks' },
        read: async ({ account, region }) => {
          await this.call('eks', account)
          const count = Number(account) % 2 === 0 && region === regions[0] ? 1 : 0
          for (let i = 0; i < 2 * count; i += 1) await this.call('eks', account)
          return this.#made('eks-cluster', account, region, count)
        },
      },
    ]
  }

  async #times(service: 'organizations' | 'identity-center', count: number, atOnce: number): Promise<Resource[]> {
    let left = count
    const worker = async () => {
      while (left-- > 0) await this.call(service, 'hub')
    }
    await Promise.all(Array.from({ length: atOnce }, worker))
    return []
  }

  #made(kind: string, account: string, region: string | null, count: number): Resource[] {
    return Array.from({ length: count }, (_, i): Resource => {
      const name = `${kind}-${i}`
      const id = [kind, account, ...(region === null ? [] : [region]), name].join('/')
      const attributes = { title: name, state: 'available', revision: 'a-value-of-the-usual-length' }
      return {
        ...{ id, kind, account, region, name, attributes },
        ...{ partition: 'aws', organization: null, tags: this.tags.get(id) ?? usualTags, source: 'discovery' },
      }
    })
  }
}

const usualTags = { env: 'prod', team: 'payments', 'cost-center': '4711' }

function isActive(region: string | null): boolean {
  return region !== null && regions.indexOf(region) < size.activeRegions
}

function share(region: string | null, count: number): number {
  return isActive(region) ? Math.ceil(count / size.activeRegions) : 0
}
