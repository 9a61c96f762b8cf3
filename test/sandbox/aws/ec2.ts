/**
 * What reads EC2 (the protocol `ec2`, version 2016-11-15): instances in pages, by id or by filters, and the regions of an account. Left out:
 * all that changes it (tests change the world instead), reservations of several instances, most members and filters.
 */
import { ec2Answer, type Xml } from './answers.ts'
import { callerContext, refusal } from './authorize.ts'
import { AwsFault } from './aws-fault.ts'
import type { Caller } from './callers.ts'
import { type Ec2Filter, type Ec2Input, invalidParameter, readEc2Input } from './ec2-input.ts'
import { createPager, type Pager } from './pager.ts'
import { type Instance, instanceState, type World } from './world.ts'

interface Deps {
  readonly world: World
  isDenied(action: string): boolean
}

interface Ask {
  readonly parameters: ReadonlyMap<string, string>
  readonly region: string
  readonly now: number
}

const pagers = new WeakMap<World, Pager>()

function pagerOf(world: World): Pager {
  const pager = pagers.get(world) ?? createPager(() => invalidParameter('the token is of no such list'))
  pagers.set(world, pager)
  return pager
}

/** @throws AwsFault */
export function answerEc2({ world, isDenied }: Deps, caller: Caller, { parameters, region, now }: Ask): string {
  const input = readEc2Input(parameters)
  const action = `ec2:${input.action}`
  const access = { action, resource: '*', context: callerContext(world, caller, now, '*') }
  const why = isDenied(action) ? 'denied by a fault knob' : refusal(world, caller, access)
  if (why)
    throw new AwsFault(
      'UnauthorizedOperation',
      403,
      `You are not authorized to perform this operation. User: ${caller.arn} is not authorized to perform: ${action} because no identity-based policy allows the ${action} action`,
      why,
    )
  const place = { account: caller.account, region }
  return input.action === 'DescribeRegions'
    ? ec2Answer('DescribeRegions', [['regionInfo', regions(world, place.account, input)]])
    : ec2Answer('DescribeInstances', instances(world, place, input))
}

interface Place {
  readonly account: string
  readonly region: string
}

function regions({ regions, regionsOff = {} }: World, account: string, { allRegions }: Ec2Input): Xml[] {
  const off = regionsOff[account] ?? []
  return regions
    .filter((name) => allRegions || !off.includes(name))
    .map((name) => [
      'item',
      [
        ['regionName', name],
        ['regionEndpoint', `ec2.${name}.amazonaws.com`],
        ['optInStatus', off.includes(name) ? 'not-opted-in' : 'opt-in-not-required'],
      ],
    ])
}

function instances(world: World, { account, region }: Place, input: Ec2Input): Xml[] {
  const { instanceIds, maxResults, nextToken, filters } = input
  const here = world.instances.filter((one) => one.account === account && one.region === region)
  if (instanceIds.length > 0 && maxResults !== null)
    throw new AwsFault(
      'InvalidParameterCombination',
      400,
      'The parameter instancesSet cannot be used with the parameter maxResults',
    )
  const unknown = instanceIds.find((id) => !here.some((one) => one.id === id))
  if (unknown !== undefined)
    throw new AwsFault('InvalidInstanceID.NotFound', 400, `The instance ID '${unknown}' does not exist`)
  const found = here
    .filter(({ id }) => instanceIds.length === 0 || instanceIds.includes(id))
    .filter((one) => filters.every((filter) => passes(one, filter)))
  const { pageSize, hasEmptyPages } = world.lists
  const size = maxResults === null ? Number.POSITIVE_INFINITY : Math.min(pageSize, maxResults)
  const list = [account, region, JSON.stringify(filters)].join()
  const { items, NextToken } = pagerOf(world)(
    { list, token: nextToken ?? undefined, size, hasEmptyPages: hasEmptyPages && maxResults !== null },
    found,
    ({ id }) => id,
  )
  return [
    ['reservationSet', items.map((one) => reservation(one))],
    ...(NextToken === undefined ? [] : [['nextToken', NextToken] as const]),
  ]
}

function passes(instance: Instance, { name, values }: Ec2Filter): boolean {
  if (name === 'instance-state-name') return values.includes(instanceState(instance))
  if (name === 'instance-id') return values.includes(instance.id)
  if (name === 'tag-key') return Object.keys(instance.tags).some((key) => values.includes(key))
  const value = instance.tags[name.replace(/^tag:/, '')]
  return value !== undefined && values.includes(value)
}

const stateCodes = { pending: 0, running: 16, 'shutting-down': 32, terminated: 48, stopping: 64, stopped: 80 } as const

function reservation(one: Instance): Xml {
  const state = instanceState(one)
  const { id, account, region, tags, platform = 'Linux' } = one
  const { vpc = 'vpc-0a1b2c3d4e5f60718', privateAddress = '10.0.0.10', profile, imds = 'required' } = one
  const launchedAt = one.launchedAt ?? Date.parse('2026-03-01T09:30:00Z')
  const shown: Xml[] = [
    ['instanceId', id],
    ['imageId', 'ami-0a1b2c3d4e5f60718'],
    ...element('instanceState', [
      ['code', String(stateCodes[state])],
      ['name', state],
    ]),
    ['instanceType', 't3.micro'],
    ['launchTime', new Date(launchedAt).toISOString()],
    ...element('placement', [
      ['availabilityZone', `${region}a`],
      ['tenancy', 'default'],
    ]),
    ...(platform === 'Windows' ? [['platform', 'Windows'] as const] : []),
    ['platformDetails', platform === 'Windows' ? 'Windows' : 'Linux/UNIX'],
    ['subnetId', 'subnet-0a1b2c3d4e5f60718'],
    ['vpcId', vpc],
    // What runs no more has given its address back.
    ...(state === 'terminated' ? [] : [['privateIpAddress', privateAddress] as const]),
    ...(profile === undefined
      ? []
      : element('iamInstanceProfile', [
          ['arn', profile],
          ['id', 'AIPASANDBOXPROFILE0001'],
        ])),
    ...element('metadataOptions', [
      ['state', 'applied'],
      ['httpTokens', imds === 'optional' ? 'optional' : 'required'],
      ['httpPutResponseHopLimit', '2'],
      ['httpEndpoint', imds === 'off' ? 'disabled' : 'enabled'],
    ]),
    ...element(
      'tagSet',
      Object.entries(tags).map(([key, value]) => [
        'item',
        [
          ['key', key],
          ['value', value],
        ],
      ]),
    ),
  ]
  return [
    'item',
    [
      ['reservationId', `r-${id.slice(2)}`],
      ['ownerId', account],
      ['instancesSet', [['item', shown]]],
    ],
  ]
}

function element(name: string, content: readonly Xml[]): Xml[] {
  return content.length === 0 ? [] : [[name, content]]
}
