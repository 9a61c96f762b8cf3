import type { AssumeRoleCommandInput } from '@aws-sdk/client-sts'
import { BrokerError } from '../../proxy/session.ts'
import type { RoleToTry } from '../catalog/role-to-try.ts'
import type { Config, TokenDemands } from '../config/config.ts'
import type { Aws, SessionAsk } from './aws.ts'
import type { Caller, Sts } from './sts.ts'

/** One check of an account. */
export interface Finding {
  readonly check: string
  /** `skipped`: an earlier check failed, so this one would prove nothing. */
  readonly outcome: 'ok' | 'failed' | 'skipped'
  readonly detail: string
  /** What to do; null: nothing. */
  readonly fix: string | null
}

export interface AccountReport {
  readonly account: string
  readonly trust: 'hub' | 'web_identity'
  readonly ok: boolean
  readonly findings: readonly Finding[]
}

export interface OnboardingDeps {
  readonly config: Config['aws']
  readonly externalId: string
  readonly sts: Sts
  /** ID token of the caller, for accounts that accept nothing else. @throws BrokerError LOGIN_REQUIRED */
  idToken(): Promise<string>
  readonly hub: Caller
  readonly session: Aws['session']
}

type Place = Pick<SessionAsk, 'partition' | 'account'>

const wrongExternalId = 'sallyport-onboarding-check-wrong'
/** The shortest that STS issues: these credentials are discarded. */
const common = { RoleSessionName: 'sallyport-onboarding', DurationSeconds: 900 }
/** A session that may do nothing at all. */
const nothing = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Deny', Action: '*', Resource: '*' }],
})

/**
 * Checks what an account allows the broker, and that it allows no more: the spoke role can be assumed with this installation's
 * ExternalId, but not without it or with another; brokered roles accept tags and SourceIdentity. The assumed sessions are
 * discarded.
 */
export async function checkAccount(
  deps: OnboardingDeps,
  account: string,
  tried: readonly RoleToTry[],
): Promise<Omit<AccountReport, 'features'>> {
  const known = deps.config.accounts[account]
  const { connectRole = deps.config.connectRole, partition = 'aws', trust = 'hub' } = known ?? {}
  const reach = `arn:${partition}:iam::${account}:role/${deps.config.reachRole}`
  const roles = tried.map((role) => (role.isReach ? { ...role, arn: reach } : role))
  const spoke = `arn:${partition}:iam::${account}:role/${connectRole}`
  const findings =
    trust === 'hub'
      ? await checkSpoke(deps, { partition, account }, spoke, roles)
      : await checkWebIdentity(deps, longestOf(roles, spoke), known?.idToken)
  return { account, trust, ok: findings.every(({ outcome }) => outcome === 'ok'), findings }
}

/** By ARN, the longest session that is asked of each role, in seconds. */
function longestOf(roles: readonly RoleToTry[], spoke: string): Map<string, number> {
  const longest = new Map<string, number>()
  for (const { arn, longestMs = 0 } of roles) {
    const role = arn ?? spoke
    longest.set(role, Math.max(longest.get(role) ?? common.DurationSeconds, Math.floor(longestMs / 1000)))
  }
  return longest
}

async function checkSpoke(
  deps: OnboardingDeps,
  place: Place,
  spoke: string,
  roles: readonly RoleToTry[],
): Promise<Finding[]> {
  const step = { what: 'the spoke role', arn: spoke, needs: 'sts:AssumeRole by the hub', wantsExternalId: true }
  const assume = (more: Partial<AssumeRoleCommandInput>) =>
    deps.sts.assumeRole(deps.hub, { RoleArn: spoke, ...common, ...more }, step)
  const rightly = await mayPass('spoke role with the ExternalId', () => assume({ ExternalId: deps.externalId }))
  if (rightly.outcome === 'failed')
    return [rightly, ...roles.map(({ arn }) => skipped(arn === null ? 'spoke role with tags' : `role ${arn}`))]
  const findings = [
    rightly,
    await mustFail('spoke role without an ExternalId', spoke, () => assume({})),
    await mustFail('spoke role with another ExternalId', spoke, () => assume({ ExternalId: wrongExternalId })),
  ]
  for (const role of roles) findings.push(await tryRole(deps, place, role))
  return findings
}

/** With the same request as for a person's session. */
async function tryRole(deps: OnboardingDeps, place: Place, role: RoleToTry): Promise<Finding> {
  const { arn, hasSourceIdentity, hasTransitiveTags: isTransitive, tagged } = role
  const check = `${arn === null ? 'spoke role' : `role ${arn}`} with ${tagged ? `the longest tags of level ${tagged.level}` : 'tags and SourceIdentity'}`
  const grant = { grantId: 'grt_onboarding', requestId: 'onboarding', sessionId: 'onboarding', until: 0 }
  const { idToken } = deps
  const ask = { ...place, ...grant, role: arn, person: common.RoleSessionName, policy: nothing, idToken }
  const flags = { isTransitive, hasSourceIdentity }
  if (!tagged) return await mayPass(check, () => deps.session({ ...ask, ...flags }))
  const { tags, policyArns } = tagged
  let percent = 0
  const finding = await mayPass(check, async () => {
    const made = await deps.session({ ...ask, ...flags, tags, policyArns, policy: tagged.policy ?? nothing })
    percent = made.packedPercent ?? 0
  })
  return percent > mostPacked ? tooFull(check, percent) : finding
}

/** Percent. What STS packs, and how, it does not say: beyond this a longer name may be one too many. */
const mostPacked = 80

function tooFull(check: string, percent: number): Finding {
  const detail = `session policy and tags fill ${percent} % of the space that STS has for them`
  return { check, outcome: 'failed', detail, fix: 'Shorten session_tags or session_policy of this level.' }
}

async function mayPass(check: string, run: () => Promise<unknown>): Promise<Finding> {
  try {
    await run()
    return { check, outcome: 'ok', detail: 'it can be assumed', fix: null }
  } catch (error) {
    return toFailure(check, error)
  }
}

/** Only a refusal proves anything; a missing answer does not. */
async function mustFail(check: string, arn: string, run: () => Promise<unknown>): Promise<Finding> {
  try {
    await run()
  } catch (error) {
    return isAccessDenied(error)
      ? { check, outcome: 'ok', detail: 'refused as expected', fix: null }
      : toFailure(check, error)
  }
  return {
    check,
    outcome: 'failed',
    detail: `the trust policy of ${arn} is too open: it lets the hub in without the right ExternalId`,
    fix: 'Add the condition StringEquals sts:ExternalId; `sallyport aws policies` prints the document.',
  }
}

function isAccessDenied(error: unknown): boolean {
  return error instanceof BrokerError && error.cause instanceof Error && error.cause.name.startsWith('AccessDenied')
}

/** @throws what is no answer of AWS's */
function toFailure(check: string, error: unknown): Finding {
  if (!(error instanceof BrokerError)) throw error
  return { check, outcome: 'failed', detail: error.message, fix: error.hint ?? null }
}

const skipped = (check: string): Finding => ({
  check,
  outcome: 'skipped',
  detail: 'the spoke role cannot be assumed',
  fix: null,
})

/** With the caller's token: what it carries, and whether the roles accept it. */
async function checkWebIdentity(
  deps: OnboardingDeps,
  roles: ReadonlyMap<string, number>,
  demands: TokenDemands | undefined,
): Promise<Finding[]> {
  let token: string
  try {
    token = await deps.idToken()
  } catch (error) {
    return [toFailure('your ID token', error)]
  }
  const findings = [...carried(token), remaining(demands)]
  for (const [arn, seconds] of roles) findings.push(await tryToken(deps, arn, token, seconds))
  return findings
}

function tryToken({ sts }: OnboardingDeps, arn: string, token: string, seconds: number): Promise<Finding> {
  const input = { RoleArn: arn, ...common, DurationSeconds: seconds, WebIdentityToken: token, Policy: nothing }
  return mayPass(`role ${arn} with your ID token`, () => sts.assumeRoleWithWebIdentity(input))
}

/** What no trust policy can prevent, so that it is read when an account is onboarded. */
function remaining({ sub, amr = null, tags = {} }: Partial<TokenDemands> = {}): Finding {
  const demands = [
    'aud',
    ...(sub === undefined ? [] : [`sub ${sub}`]),
    ...(amr === null ? [] : [`amr ${amr}`]),
    ...Object.entries(tags).map(([key, value]) => `tag ${key}=${value}`),
  ]
  const bound = `generated trust policies demand ${demands.join(', ')}`
  return {
    check: 'what an ID token alone can do',
    outcome: 'ok',
    detail: `anyone who holds one can obtain keys from STS without the broker: no grant, no recording, for as long as the role's MaxSessionDuration; ${bound}`,
    fix:
      amr === null && Object.keys(tags).length === 0
        ? 'Keep MaxSessionDuration short; if the provider sends amr or tags, demand them with id_token of the account and install the trust policy again.'
        : null,
  }
}

/** Tags and SourceIdentity can't be requested with a token: only the provider can add them. */
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
          ? 'none: CloudTrail shows the person only in the session name'
          : `the provider sends ${names.join(', ')}`,
      fix: null,
    },
    {
      check: 'SourceIdentity in the ID token',
      outcome: 'ok',
      detail: typeof source === 'string' ? 'the provider sends it' : 'none: these sessions have no SourceIdentity',
      fix: null,
    },
  ]
}
