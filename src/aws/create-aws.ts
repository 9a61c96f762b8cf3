import type { AssumeRoleCommandInput } from '@aws-sdk/client-sts'
import type { Config } from '../config/config.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Aws, AwsCredentials, SessionAsk } from './aws.ts'
import { Renewing } from './renewing.ts'
import { toSessionName, toTagValue } from './session-names.ts'
import { type Caller, createSts, type Sts } from './sts.ts'

export interface AwsDeps {
  readonly config: Config['aws']
  /** Of this installation; AWS gives it to every trust policy. */
  readonly externalId: string
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'awsCallsTotal'>
}

const brokerName = 'sallyport'
/** Role chaining has a hard cap of one hour, and STS gives nothing below 15 minutes. */
const longestMs = 3_600_000
const shortestMs = 900_000
const aheadMs = 600_000
const marginMs = 60_000

/** The broker's way into accounts: its own credentials, the hub role, one spoke role for each account, and from there tagged sessions. */
export function createAws(deps: AwsDeps): Aws {
  const sts = createSts(deps)
  const hub = hubCaller(deps, sts)
  const spokes = new Map<string, () => Promise<AwsCredentials>>()
  const spokeOf = (arn: string): (() => Promise<AwsCredentials>) => {
    let spoke = spokes.get(arn)
    if (!spoke) {
      const step = { what: 'the spoke role', arn, needs: 'sts:AssumeRole by the hub' }
      spoke = renewing(deps, () => sts.assumeRole(hub, withExternalId(deps, arn, brokerName), step))
      spokes.set(arn, spoke)
    }
    return spoke
  }
  return {
    session: async (ask) => {
      const spoke = spokeArn(deps.config, ask)
      const needs = 'sts:AssumeRole, sts:TagSession and sts:SetSourceIdentity by the broker'
      if (ask.role === null) {
        const input = { ...withExternalId(deps, spoke, toSessionName(ask.person)), ...decoration(deps, ask) }
        return await sts.assumeRole(hub, input, { what: 'the spoke role', arn: spoke, needs })
      }
      const input = { RoleArn: ask.role, RoleSessionName: toSessionName(ask.person), ...decoration(deps, ask) }
      return await sts.assumeRole(spokeOf(spoke), input, { what: 'the role of the target', arn: ask.role, needs })
    },
  }
}

function hubCaller(deps: AwsDeps, sts: Sts): Caller {
  const { hubRoleArn: arn } = deps.config
  if (arn === null) return undefined
  const step = { what: 'the hub role', arn, needs: 'sts:AssumeRole by the broker’s own identity' }
  return renewing(deps, () => sts.assumeRole(undefined, withExternalId(deps, arn, brokerName), step))
}

function renewing(deps: AwsDeps, make: () => Promise<AwsCredentials>): () => Promise<AwsCredentials> {
  const { clock, logger } = deps
  const onLateRenewal = (error: unknown) => logger.warn({ err: error }, 'credentials could not be renewed ahead')
  const cell = new Renewing({ make, clock, aheadMs, marginMs, onLateRenewal })
  return () => cell.get()
}

function withExternalId({ externalId }: AwsDeps, arn: string, name: string): AssumeRoleCommandInput {
  return { RoleArn: arn, RoleSessionName: name, ExternalId: externalId }
}

/** Who and why, on the last hop only: a key that was inherited transitively must not be set again. */
function decoration({ clock }: AwsDeps, ask: SessionAsk) {
  const leftMs = Math.min(longestMs, Math.max(shortestMs, ask.until - clock.now()))
  const tags = { user: ask.person, grant: ask.grantId, request: ask.requestId }
  return {
    DurationSeconds: Math.floor(leftMs / 1000),
    SourceIdentity: toSessionName(ask.person),
    Tags: Object.entries(tags).map(([key, value]) => ({ Key: `sallyport:${key}`, Value: toTagValue(value) })),
    Policy: ask.policy,
  }
}

function spokeArn(config: Config['aws'], { account, partition }: SessionAsk): string {
  const role = config.accounts[account]?.connectRole ?? config.connectRole
  return `arn:${partition}:iam::${account}:role/${role}`
}
