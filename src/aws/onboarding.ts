import type { AssumeRoleCommandInput } from '@aws-sdk/client-sts'
import { BrokerError } from '../../proxy/session.ts'
import type { Config } from '../config/config.ts'
import type { AwsStep } from './aws-errors.ts'
import type { Caller, Sts } from './sts.ts'

/** One thing that was tried in an account. */
export interface Finding {
  readonly check: string
  /** `skipped`: an earlier one failed, so that this would say nothing. */
  readonly outcome: 'ok' | 'failed' | 'skipped'
  readonly detail: string
  /** What to do; null when there is nothing. */
  readonly fix: string | null
}

export interface AccountReport {
  readonly account: string
  readonly trust: 'hub' | 'web_identity'
  readonly ok: boolean
  readonly findings: readonly Finding[]
}

export interface RoleToTry {
  readonly arn: string
  readonly hasSourceIdentity: boolean
  readonly hasTransitiveTags: boolean
}

export interface OnboardingDeps {
  readonly config: Config['aws']
  readonly externalId: string
  readonly sts: Sts
  /** ID token of whoever asks for the check, for accounts that take nothing else. @throws BrokerError LOGIN_REQUIRED */
  idToken(): Promise<string>
  readonly hub: Caller
  spokeCaller(arn: string): Caller
}

const wrongExternalId = 'sallyport-onboarding-check-wrong'
/** Shortest that STS gives: nobody is handed these. */
const seconds = 900
const probe = { Tags: tags(), SourceIdentity: 'sallyport-onboarding', DurationSeconds: seconds }

/**
 * Proves what an account lets the broker do, and what it must not: the spoke role opens with this installation's ExternalId, not
 * without and not with another; brokered roles accept tags and SourceIdentity. Nothing that is assumed is kept.
 */
export async function checkAccount(
  deps: OnboardingDeps,
  account: string,
  roles: readonly RoleToTry[],
): Promise<AccountReport> {
  const { connectRole, partition, trust } = deps.config.accounts[account] ?? {
    connectRole: deps.config.connectRole,
    partition: 'aws',
    trust: 'hub' as const,
  }
  if (trust === 'web_identity') return await checkWebIdentity(deps, account, roles)
  const arn = `arn:${partition}:iam::${account}:role/${connectRole}`
  const assume = (check: string, more: Partial<AssumeRoleCommandInput>) =>
    attempt(deps, check, deps.hub, { RoleArn: arn, RoleSessionName: 'sallyport-onboarding', ...more }, 'the spoke role')
  const rightly = await assume('spoke role with the ExternalId', { ExternalId: deps.externalId })
  const findings: Finding[] = [rightly]
  if (rightly.outcome === 'ok') {
    findings.push(mustFail(await assume('spoke role without an ExternalId', {}), arn))
    findings.push(mustFail(await assume('spoke role with another ExternalId', { ExternalId: wrongExternalId }), arn))
    const spoke = deps.spokeCaller(arn)
    for (const role of roles) findings.push(await tryRole(deps, spoke, role))
  } else for (const role of roles) findings.push(skipped(`role ${role.arn}`))
  return { account, trust, ok: findings.every(({ outcome }) => outcome === 'ok'), findings }
}

async function tryRole(deps: OnboardingDeps, spoke: Caller, role: RoleToTry): Promise<Finding> {
  const { SourceIdentity, ...others } = probe
  const input = {
    RoleArn: role.arn,
    RoleSessionName: 'sallyport-onboarding',
    ...others,
    ...(role.hasSourceIdentity ? { SourceIdentity } : {}),
    ...(role.hasTransitiveTags ? { TransitiveTagKeys: ['sallyport:grant', 'sallyport:session'] } : {}),
    Policy: nothing,
  }
  return await attempt(deps, `role ${role.arn} with tags and SourceIdentity`, spoke, input, 'the role of the target')
}

/** A session that may do nothing at all. */
const nothing = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Deny', Action: '*', Resource: '*' }],
})

function tags() {
  return ['user', 'grant', 'session', 'request'].map((key) => ({
    Key: `sallyport:${key}`,
    Value: key === 'grant' ? 'grt_onboarding' : 'onboarding',
  }))
}

async function attempt(
  deps: OnboardingDeps,
  check: string,
  caller: Caller,
  input: AssumeRoleCommandInput,
  what: string,
): Promise<Finding> {
  const step: AwsStep = {
    what,
    arn: input.RoleArn ?? '',
    needs:
      what === 'the spoke role'
        ? 'sts:AssumeRole by the hub'
        : 'sts:AssumeRole, sts:TagSession and sts:SetSourceIdentity by the spoke role',
    wantsExternalId: what === 'the spoke role',
  }
  try {
    await deps.sts.assumeRole(caller, { DurationSeconds: seconds, ...input }, step)
    return { check, outcome: 'ok', detail: 'it may be assumed', fix: null }
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error
    return { check, outcome: 'failed', detail: error.message, fix: error.hint ?? null }
  }
}

/** Only a refusal proves anything: that AWS did not answer doesn't. */
function mustFail(found: Finding, arn: string): Finding {
  const { check } = found
  if (found.outcome === 'ok')
    return {
      check,
      outcome: 'failed',
      detail: `the trust policy of ${arn} is open: whoever may call as the hub gets in`,
      fix: 'Add the condition StringEquals sts:ExternalId; `sallyport aws policies` prints the whole document.',
    }
  return /may not assume it/.test(found.detail)
    ? { check, outcome: 'ok', detail: 'it is refused, as it should be', fix: null }
    : found
}

const skipped = (check: string): Finding => ({
  check,
  outcome: 'skipped',
  detail: 'the spoke role cannot be assumed',
  fix: null,
})

/** With the token of whoever asks: what it carries, and whether the roles let it in. */
async function checkWebIdentity(
  deps: OnboardingDeps,
  account: string,
  roles: readonly RoleToTry[],
): Promise<AccountReport> {
  const findings: Finding[] = []
  try {
    const token = await deps.idToken()
    findings.push(...carried(token))
    for (const role of roles) findings.push(await tryToken(deps, role.arn, token))
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error
    findings.push({ check: 'your ID token', outcome: 'failed', detail: error.message, fix: error.hint ?? null })
  }
  return { account, trust: 'web_identity', ok: findings.every(({ outcome }) => outcome === 'ok'), findings }
}

/** Tags and SourceIdentity can't be asked for with a token: they are there only if the provider puts them there. */
function carried(token: string): Finding[] {
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>
  const { principal_tags: tags = {} } = (claims['https://aws.amazon.com/tags'] ?? {}) as { principal_tags?: object }
  const names = Object.keys(tags)
  const source = claims['https://aws.amazon.com/source_identity']
  return [
    {
      check: 'session tags in the ID token',
      outcome: 'ok',
      detail:
        names.length === 0
          ? 'none: CloudTrail shows the person by the session name alone'
          : `the provider sends ${names.join(', ')}`,
      fix: null,
    },
    {
      check: 'SourceIdentity in the ID token',
      outcome: 'ok',
      detail: typeof source === 'string' ? 'the provider sends it' : 'none: it is not set on these sessions',
      fix: null,
    },
  ]
}

async function tryToken({ sts }: OnboardingDeps, arn: string, token: string): Promise<Finding> {
  const check = `role ${arn} with your ID token`
  try {
    await sts.assumeRoleWithWebIdentity({
      RoleArn: arn,
      RoleSessionName: 'sallyport-onboarding',
      WebIdentityToken: token,
      DurationSeconds: seconds,
      Policy: nothing,
    })
    return { check, outcome: 'ok', detail: 'it may be assumed', fix: null }
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error
    return { check, outcome: 'failed', detail: error.message, fix: error.hint ?? null }
  }
}
