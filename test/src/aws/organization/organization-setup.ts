import { pino } from 'pino'
import type { Test } from 'tap'
import { createAws } from '../../../../src/aws/create-aws.ts'
import { createOrganizationCalls, type OrganizationCalls } from '../../../../src/aws/organization/organization-calls.ts'
import { Paced } from '../../../../src/aws/paced.ts'
import type { Config } from '../../../../src/config/config.ts'
import { createMetrics } from '../../../../src/telemetry/metrics.ts'
import type { Organization, World } from '../../../sandbox/aws/world.ts'
import { type AwsDouble, type AwsOptions, startAws } from '../../../sandbox/aws.ts'
import { createClock, type SandboxClock } from '../../../sandbox/clock.ts'
import { arns, computeKeys, createWorld, externalId, region } from '../../../sandbox/default-world.ts'
import { createOrganization } from '../../../sandbox/organization-world.ts'

// The default provider chain looks here first.
process.env.AWS_ACCESS_KEY_ID = computeKeys.accessKeyId
process.env.AWS_SECRET_ACCESS_KEY = computeKeys.secretAccessKey
for (const name of ['AWS_SESSION_TOKEN', 'AWS_PROFILE']) delete process.env[name]

export interface Started {
  readonly aws: AwsDouble
  readonly world: World
  readonly organization: Organization
  readonly clock: SandboxClock
  readonly calls: OrganizationCalls
  readonly outcomes: () => Promise<Record<string, number>>
  /** Operations of Organizations so far, oldest first. */
  readonly operations: () => string[]
}

/** As fast as the double answers: the pace has a test of its own. */
export const unhurried = { perSecond: 1_000_000, burst: 1000, atOnce: 1 } as const

/** The broker's calls, by way of the hub role, against a referee. */
export async function startOrganization(
  t: Test,
  change: (organization: Organization, world: World) => void = () => {},
  { onExchange, paced = new Paced(unhurried) }: Pick<AwsOptions, 'onExchange'> & { paced?: Paced } = {},
): Promise<Started> {
  const clock = createClock()
  const world = createWorld()
  const organization = createOrganization()
  world.organization = organization
  change(organization, world)
  const aws = await startAws({ world, clock, ...(onExchange && { onExchange }) })
  t.teardown(() => aws.close())
  const metrics = createMetrics()
  const config = {
    hubRoleArn: arns.hub,
    connectRole: 'sallyport/SallyportConnect',
    externalId: null,
    regions: [region],
    accounts: {},
    endpoints: { '*': aws.url },
  } as Partial<Config['aws']> as Config['aws']
  const broker = createAws({ config, externalId, clock, logger: pino({ level: 'silent' }), metrics })
  return {
    aws,
    world,
    organization,
    clock,
    calls: createOrganizationCalls({ aws: broker, config, metrics, paced }),
    outcomes: async () => {
      const { values } = await metrics.awsCallsTotal.get()
      const ours = values.filter(({ labels }) => labels.service === 'organizations')
      return Object.fromEntries(ours.map(({ labels, value }) => [`${labels.operation} ${labels.outcome}`, value]))
    },
    operations: () => aws.calls.flatMap(({ action }) => (/^AssumeRole/.test(action) ? [] : [action])),
  }
}

export const signal = new AbortController().signal
