import type { DescribeInstancesResult, Instance, InstanceStateName } from '@aws-sdk/client-ec2'
import type { InstanceInformation } from '@aws-sdk/client-ssm'
import { BrokerError } from '../../../proxy/session.ts'
import { allPages } from '../pages.ts'
import { nullIf, type ServiceCall } from '../service-caller.ts'
import { type Ec2, ec2Caller } from './ec2.ts'
import { type AwsPlace, createPlaceCaller, type EstateDeps, type PlaceOptions } from './place-caller.ts'

/** An EC2 instance, with what Systems Manager knows of its agent. */
export interface InstanceSeen {
  /** `i-…`, which AWS never gives to another. */
  readonly id: string
  /** Its tag `Name`, which anyone who may tag it can change; null: it has none. */
  readonly title: string | null
  readonly state: InstanceState
  readonly platform: 'linux' | 'windows' | 'macos'
  /** Epoch milliseconds of its last start; 0 where AWS says nothing. */
  readonly launchedAt: number
  /** Null: none. */
  readonly vpc: string | null
  readonly privateAddress: string | null
  /** ARN of its instance profile; null: none. */
  readonly profile: string | null
  /** Its metadata with tokens alone (IMDSv2), also without, or not at all. */
  readonly imds: 'required' | 'optional' | 'off'
  /** Null: Systems Manager does not list it, as while it is stopped. */
  readonly agent: AgentSeen | null
  readonly tags: Readonly<Record<string, string>>
}

export type InstanceState = (typeof states)[number]

export interface AgentSeen {
  readonly isOnline: boolean
  /** e.g. `3.3.987.0` */
  readonly version: string
}

/** @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE, AWS_REGION_OFF; the signal's reason */
export interface InstanceReader {
  /**
   * All instances of a region that still exist, from every page, sorted by id.
   * @param onPage told how many were read so far
   */
  all(place: AwsPlace, signal: AbortSignal, onPage?: (done: number) => void): Promise<readonly InstanceSeen[]>
  /** Null: AWS does not know it, or it is ended for good. */
  one(place: AwsPlace, id: string, signal: AbortSignal): Promise<InstanceSeen | null>
}

/** In which an instance can still be used, now or later. */
const states = ['pending', 'running', 'stopping', 'stopped'] as const
const ended: readonly (InstanceStateName | undefined)[] = ['shutting-down', 'terminated']

/** A tenth of what one page may have: XML is parsed at once, and the daemon decides nothing meanwhile: five hundred take it 150 to 400 ms. */
const pageSize = 100
/** The most that Systems Manager gives. */
const agentPageSize = 50

type Ssm = Awaited<ReturnType<typeof loadSsm>>

/** The SDKs are imported with the first call. */
export function createInstanceReader(deps: EstateDeps): InstanceReader {
  const ec2At = ec2Caller(deps)
  const ssmAt = createPlaceCaller(deps, {
    service: 'ssm',
    title: 'Systems Manager',
    feature: 'discovery',
    pace: { perSecond: 5, burst: 10, atOnce: 2 },
    createClient: loadSsm,
  })
  return {
    all: async (place, signal, onPage = () => {}) => {
      const found = await listInstances(ec2At(place), signal, onPage)
      // Nothing is asked in a region that has none.
      const agents = found.size > 0 ? await listAgents(ssmAt(place), [], signal) : new Map()
      return [...found.values()].map((one) => toInstance(one, agents)).sort((a, b) => (a.id < b.id ? -1 : 1))
    },
    one: async (place, id, signal) => {
      const found = await nullIf(['InvalidInstanceID.NotFound', 'InvalidInstanceID.Malformed'], () =>
        findInstance(ec2At(place), id, signal),
      )
      if (!found || ended.includes(found.State?.Name)) return null
      return toInstance(found, await listAgents(ssmAt(place), [id], signal))
    },
  }
}

/** By id, since one that changes while pages are read may stand on two of them. */
async function listInstances(call: ServiceCall<Ec2>, signal: AbortSignal, onPage: (done: number) => void) {
  const operation = 'DescribeInstances'
  const found = new Map<string, Instance>()
  await allPages(operation, async (NextToken) => {
    const page = await call(operation, signal, ({ sdk, client }, options) =>
      client.send(
        new sdk.DescribeInstancesCommand({
          ...NextToken,
          MaxResults: pageSize,
          Filters: [{ Name: 'instance-state-name', Values: [...states] }],
        }),
        options,
      ),
    )
    for (const one of instancesOf(page)) found.set(checkedId(one, operation), one)
    onPage(found.size)
    return { items: [], nextToken: page.NextToken }
  })
  return found
}

async function findInstance(call: ServiceCall<Ec2>, id: string, signal: AbortSignal): Promise<Instance | undefined> {
  const answer = await call('DescribeInstances', signal, ({ sdk, client }, options) =>
    client.send(new sdk.DescribeInstancesCommand({ InstanceIds: [id] }), options),
  )
  return instancesOf(answer).find(({ InstanceId }) => InstanceId === id)
}

function instancesOf({ Reservations = [] }: DescribeInstancesResult) {
  return Reservations.flatMap(({ Instances = [] }) => Instances)
}

/** @param ids empty: all @returns by the ids of the instances */
async function listAgents(call: ServiceCall<Ssm>, ids: readonly string[], signal: AbortSignal) {
  const operation = 'DescribeInstanceInformation'
  const filter =
    ids.length > 0 ? { Key: 'InstanceIds', Values: [...ids] } : { Key: 'ResourceType', Values: ['EC2Instance'] }
  const found = await allPages(operation, async (NextToken) => {
    const page = await call(operation, signal, ({ sdk, client }, options) =>
      client.send(
        new sdk.DescribeInstanceInformationCommand({ ...NextToken, MaxResults: agentPageSize, Filters: [filter] }),
        options,
      ),
    )
    return { items: page.InstanceInformationList, nextToken: page.NextToken }
  })
  return new Map(found.map((one) => [one.InstanceId ?? '', one]))
}

function toInstance(one: Instance, agents: ReadonlyMap<string, InstanceInformation>): InstanceSeen {
  const id = checkedId(one, 'DescribeInstances')
  const tags = Object.fromEntries((one.Tags ?? []).map(({ Key = '', Value = '' }) => [Key, Value]))
  const agent = agents.get(id)
  return {
    id,
    title: tags.Name?.trim() || null,
    state: stateOf(id, one),
    platform: platformOf(one, agent),
    launchedAt: one.LaunchTime?.getTime() ?? 0,
    vpc: one.VpcId ?? null,
    privateAddress: one.PrivateIpAddress ?? null,
    profile: one.IamInstanceProfile?.Arn ?? null,
    imds: imdsOf(one),
    agent: agent ? { isOnline: agent.PingStatus === 'Online', version: agent.AgentVersion ?? '' } : null,
    tags,
  }
}

/** A state that no model knows is an error: to call it ended would end sessions, to call it running would keep them. */
function stateOf(id: string, { State }: Instance): InstanceState {
  const state = states.find((one) => one === State?.Name)
  if (state !== undefined) return state
  throw new BrokerError('AWS_UNAVAILABLE', `DescribeInstances: the state of ${id} is ${State?.Name ?? 'missing'}`)
}

/** EC2 says only of Windows what an instance runs. */
function platformOf(
  { Platform, PlatformDetails = '' }: Instance,
  agent?: InstanceInformation,
): InstanceSeen['platform'] {
  if (/^windows/i.test(Platform ?? PlatformDetails)) return 'windows'
  return agent?.PlatformType === 'MacOS' ? 'macos' : 'linux'
}

/** What says nothing is taken for what is less safe. */
function imdsOf({ MetadataOptions: { HttpEndpoint, HttpTokens } = {} }: Instance): InstanceSeen['imds'] {
  if (HttpEndpoint === 'disabled') return 'off'
  return HttpTokens === 'required' ? 'required' : 'optional'
}

/** Ids are used in further calls and stored. */
function checkedId({ InstanceId = '' }: Instance, operation: string): string {
  if (/^i-([0-9a-f]{8}|[0-9a-f]{17})$/.test(InstanceId)) return InstanceId
  throw new BrokerError('AWS_UNAVAILABLE', `${operation} answered with an id that is none: ${InstanceId.slice(0, 100)}`)
}

async function loadSsm(options: PlaceOptions) {
  const sdk = await import('@aws-sdk/client-ssm')
  return { sdk, client: new sdk.SSMClient(options) }
}
