import { pino } from 'pino'
import type { Test } from 'tap'
import type { Aws } from '../../../src/aws/aws.ts'
import { createAws } from '../../../src/aws/create-aws.ts'
import type { Config } from '../../../src/config/config.ts'
import { createMetrics, type Metrics } from '../../../src/telemetry/metrics.ts'
import type { World } from '../../sandbox/aws/world.ts'
import { type AwsDouble, type AwsOptions, startAws } from '../../sandbox/aws.ts'
import { createClock, type SandboxClock } from '../../sandbox/clock.ts'
import { arns, computeKeys, externalId, region } from '../../sandbox/default-world.ts'
import { startMoto } from '../../sandbox/moto.ts'

// The default provider chain looks here first.
process.env.AWS_ACCESS_KEY_ID = computeKeys.accessKeyId
process.env.AWS_SECRET_ACCESS_KEY = computeKeys.secretAccessKey
for (const name of ['AWS_SESSION_TOKEN', 'AWS_PROFILE']) delete process.env[name]

/** The broker at a hub role. */
export interface Hub {
  readonly url: string
  readonly broker: Aws
  readonly config: Config['aws']
  readonly metrics: Metrics
  /** Calls of these services by `operation outcome`. */
  outcomes(...services: string[]): Promise<Record<string, number>>
}

export interface SandboxHub extends Hub {
  readonly aws: AwsDouble
  readonly clock: SandboxClock
}

/** As fast as the double answers: the pace has a test of its own. */
export const unhurried = { perSecond: 1_000_000, burst: 1000, atOnce: 4 } as const
export const signal = new AbortController().signal

/** Against a referee. */
export async function startHub(
  t: Test,
  world: World,
  { onExchange }: Pick<AwsOptions, 'onExchange'> = {},
): Promise<SandboxHub> {
  const clock = createClock()
  const aws = await startAws({ world, clock, ...(onExchange && { onExchange }) })
  t.teardown(() => aws.close())
  return { ...hubAt(aws.url, clock), aws, clock }
}

/** Against an AWS that others wrote. */
export async function startMotoHub(t: Test): Promise<Hub> {
  const moto = await startMoto()
  t.teardown(() => moto.stop())
  return hubAt(moto.url, createClock())
}

function hubAt(url: string, clock: SandboxClock): Hub {
  const metrics = createMetrics()
  const config = {
    hubRoleArn: arns.hub,
    connectRole: 'sallyport/SallyportConnect',
    externalId: null,
    regions: [region],
    accounts: {},
    endpoints: { '*': url },
  } as Partial<Config['aws']> as Config['aws']
  const outcomes: Hub['outcomes'] = async (...services) => {
    const { values } = await metrics.awsCallsTotal.get()
    const ours = values.filter(({ labels }) => services.includes(`${labels.service}`))
    return Object.fromEntries(ours.map(({ labels, value }) => [`${labels.operation} ${labels.outcome}`, value]))
  }
  const broker = createAws({ config, externalId, clock, logger: pino({ level: 'silent' }), metrics })
  return { url, broker, config, metrics, outcomes }
}
