import type { AssumeRoleCommandInput } from '@aws-sdk/client-sts'
import type { Config } from '../config/config.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { type Aws, type AwsCredentials, type SessionAsk, stsLimits } from './aws.ts'
import { identityCenterPace } from './identity-center/identity-center-callers.ts'
import { checkAccount } from './onboarding.ts'
import { Paced } from './paced.ts'
import { Renewing } from './renewing.ts'
import { toSessionName, toTagValue } from './session-names.ts'
import { type Caller, createSts, type Sts } from './sts.ts'

export interface AwsDeps {
  readonly config: Config['aws']
  /** Of this installation; AWS passes it to every trust policy. */
  readonly externalId: string
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'awsCallsTotal'>
}

const brokerName = 'sallyport'
const { shortestMs, chainedMs } = stsLimits
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
      const step = { what: 'the spoke role', arn, needs: 'sts:AssumeRole by the hub', wantsExternalId: true }
      spoke = renewing(deps, () => sts.assumeRole(hub, withExternalId(deps, arn, brokerName), step))
      spokes.set(arn, spoke)
    }
    return spoke
  }
  const session: Aws['session'] = async (ask) => {
    const spoke = spokeArn(deps.config, ask)
    if (deps.config.accounts[ask.account]?.trust === 'web_identity')
      return await sts.assumeRoleWithWebIdentity({
        RoleArn: ask.role ?? spoke,
        RoleSessionName: sessionNameOf(ask),
        WebIdentityToken: await ask.idToken(),
        DurationSeconds: durationSeconds(deps, ask, ask.longestMs ?? chainedMs),
        ...policies(ask),
      })
    const needs = 'sts:AssumeRole, sts:TagSession and sts:SetSourceIdentity by the broker'
    if (ask.role === null) {
      const input = { ...withExternalId(deps, spoke, sessionNameOf(ask)), ...decoration(deps, ask) }
      return await sts.assumeRole(hub, input, { what: 'the spoke role', arn: spoke, needs, wantsExternalId: true })
    }
    const input = { RoleArn: ask.role, RoleSessionName: sessionNameOf(ask), ...decoration(deps, ask) }
    const step = { what: 'the role of the target', arn: ask.role, needs, wantsExternalId: false }
    return await sts.assumeRole(spokeOf(spoke), input, step)
  }
  return {
    session,
    hub: hub ?? null,
    checkAccount: (account, roles, idToken) => checkAccount({ ...deps, sts, hub, session, idToken }, account, roles),
    spoke: (place) => spokeOf(spokeArn(deps.config, place))(),
    identityCenterPaced: new Paced(identityCenterPace),
  }
}

function hubCaller(deps: AwsDeps, sts: Sts): Caller {
  const { hubRoleArn: arn } = deps.config
  if (arn === null) return undefined
  const needs = 'sts:AssumeRole by the broker’s own identity'
  const step = { what: 'the hub role', arn, needs, wantsExternalId: true }
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

function sessionNameOf(ask: Pick<SessionAsk, 'sessionName' | 'namePrefix' | 'person'>): string {
  const { namePrefix = '', person, sessionName = toSessionName(`${namePrefix}${person}`) } = ask
  return sessionName
}

/** Person and reason, on the last hop only: a transitively inherited key must not be set again. */
function decoration(deps: AwsDeps, ask: SessionAsk) {
  const { sessionId, isTransitive = false, hasSourceIdentity = true, runAs, tags: own = {} } = ask
  const tags = {
    user: ask.person,
    grant: ask.grantId,
    request: ask.requestId,
    ...(sessionId && { session: sessionId }),
  }
  const revocable = Object.keys(tags).filter((key) => revocationTags.includes(key))
  return {
    DurationSeconds: durationSeconds(deps, ask, Math.min(chainedMs, ask.longestMs ?? chainedMs)),
    Tags: [
      ...Object.entries(tags).map(([key, value]) => ({ Key: `sallyport:${key}`, Value: toTagValue(value) })),
      ...Object.entries(own).map(([Key, Value]) => ({ Key, Value })),
      ...(runAs === undefined ? [] : [{ Key: 'SSMSessionRunAs', Value: runAs }]),
    ],
    ...(isTransitive ? { TransitiveTagKeys: revocable.map((key) => `sallyport:${key}`) } : {}),
    ...(hasSourceIdentity ? { SourceIdentity: toSessionName(ask.person) } : {}),
    ...policies(ask),
  }
}

/** Tags used to kill a session; person and reason stay with the first role. */
const revocationTags = ['grant', 'session']

function durationSeconds({ clock }: AwsDeps, { until }: { readonly until: number }, longest: number): number {
  return Math.floor(Math.max(shortestMs, Math.min(longest, until - clock.now())) / 1000)
}

function policies({ policy, policyArns = [] }: Pick<SessionAsk, 'policy' | 'policyArns'>) {
  return {
    ...(policy === null ? {} : { Policy: policy }),
    ...(policyArns.length === 0 ? {} : { PolicyArns: policyArns.map((arn) => ({ arn })) }),
  }
}

function spokeArn(config: Config['aws'], { account, partition }: Pick<SessionAsk, 'account' | 'partition'>): string {
  const role = config.accounts[account]?.connectRole ?? config.connectRole
  return `arn:${partition}:iam::${account}:role/${role}`
}
