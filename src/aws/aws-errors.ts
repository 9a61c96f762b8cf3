import { BrokerError } from '../../proxy/session.ts'

/** What was being done when AWS refused, in words for people. */
export interface AwsStep {
  /** e.g. `the hub role`, `the spoke role`, `the role for the database` */
  readonly what: string
  readonly arn: string
  /** What the role's trust policy must allow for this step. */
  readonly needs: string
  /** Whether the broker shows its ExternalId at this step, so that it may be what does not match. */
  readonly wantsExternalId: boolean
}

const throttles = new Set(['Throttling', 'Throttled', 'RequestLimitExceeded', 'TooManyRequests'])
const badCredentials = new Set(['InvalidClientTokenId', 'UnrecognizedClient', 'SignatureDoesNotMatch'])
const expired = new Set(['ExpiredToken', 'RequestExpired'])
const badInput = new Set(['PackedPolicyTooLarge', 'MalformedPolicyDocument', 'ValidationError'])

/** The SDK gives modelled errors a name in `…Exception`, and others the code of the answer, which mostly has none. */
function codeOfAws(error: unknown): string {
  return (error as Error).name.replace(/Exception$/, '')
}

/** Value of the label `outcome` of `aws_calls_total`. */
export function outcomeOf(error: unknown): 'denied' | 'throttled' | 'error' {
  const name = codeOfAws(error)
  if (throttles.has(name)) return 'throttled'
  return name.startsWith('AccessDenied') ? 'denied' : 'error'
}

/** AWS's error as ours, with what to do about it. AWS's own text names roles and actions, never a secret; it is in `cause` too. */
export function toAwsError(error: unknown, step: AwsStep): BrokerError {
  if (error instanceof BrokerError) return error
  const { message } = error as Error
  const name = codeOfAws(error)
  const denied = (detail: string, hint: string) =>
    new BrokerError('AWS_DENIED', `${step.what} ${step.arn}: ${detail}`, { cause: error, hint })
  if (name.startsWith('AccessDenied')) return accessDenied(message, step, denied)
  if (throttles.has(name))
    return new BrokerError('AWS_UNAVAILABLE', 'STS is throttling; try again in a moment', { cause: error })
  if (name === 'RegionDisabled')
    return denied('the region is not enabled', 'Enable it in this account, or list another first under aws.regions.')
  if (expired.has(name))
    return denied(
      'the broker’s own credentials have expired',
      'Check the clock of the machine and its AWS credentials.',
    )
  if (badCredentials.has(name))
    return denied('AWS does not accept the broker’s own credentials', 'Check them, and the clock of the machine.')
  if (name === 'CredentialsProviderError')
    return denied('the broker has no AWS credentials', 'Give the daemon a role (IRSA, instance role) or keys.')
  if (badInput.has(name))
    return denied(message.slice(0, 300), 'Shorten tags and session policy of this level, or correct the ARN.')
  return new BrokerError('AWS_UNAVAILABLE', `STS did not answer (${codeOf(error)})`, { cause: error })
}

/** AWS names the action, though never the condition that failed. */
function accessDenied(
  message: string,
  { needs, wantsExternalId }: AwsStep,
  denied: (detail: string, hint: string) => BrokerError,
): BrokerError {
  const action = /not authorized to perform: (sts:\w+)/.exec(message)?.[1]
  if (action === 'sts:TagSession' || action === 'sts:SetSourceIdentity')
    return denied(
      `${action} is not allowed`,
      `Give its trust policy a statement of its own that allows the broker ${action} (without a condition on sts:ExternalId, which never matches there), and the caller the same permission. \`sallyport aws policies\` prints both.`,
    )
  const condition = wantsExternalId
    ? 'with this installation’s ExternalId (`sallyport aws validate` shows whether it is the one)'
    : 'for a SourceIdentity and the tag sallyport:grant, if it has conditions'
  return denied(
    'the broker may not assume it',
    `Its trust policy must allow ${needs}, ${condition}; a permission of the caller, the tag sallyport:managed=true or an organization policy may be missing as well.`,
  )
}

const badTokens = new Set(['InvalidIdentityToken', 'IDPRejectedClaim'])

/** What AWS said of somebody's ID token, with what to do about it. */
export function toWebIdentityError(error: unknown, arn: string): BrokerError {
  const { message } = error as Error
  const name = codeOfAws(error)
  if (expired.has(name))
    return new BrokerError('LOGIN_REQUIRED', 'AWS says that your ID token has expired', {
      cause: error,
      hint: 'run: sallyport login',
    })
  const denied = (detail: string, hint: string) =>
    new BrokerError('AWS_DENIED', `the role of the target ${arn}: ${detail}`, { cause: error, hint })
  if (badTokens.has(name))
    return denied(
      `AWS does not accept the ID token (${message.slice(0, 300)})`,
      'The account needs an IAM OIDC provider for this issuer with the broker’s client id as audience; `sallyport aws policies --trust web_identity` prints it.',
    )
  if (name === 'IDPCommunicationError')
    return new BrokerError('AWS_UNAVAILABLE', 'AWS could not reach the identity provider; try again', { cause: error })
  if (name.startsWith('AccessDenied'))
    return denied(
      'its trust policy does not let this person in',
      'It must allow sts:AssumeRoleWithWebIdentity for this issuer and audience, and sts:TagSession and sts:SetSourceIdentity where the ID token carries tags or a source identity.',
    )
  return toAwsError(error, { what: 'the role of the target', arn, needs: '', wantsExternalId: false })
}

/** A call of IAM's that failed, on the policy by which sessions are killed. */
export function toIamError(error: unknown, operation: string, arn: string): BrokerError {
  if (error instanceof BrokerError) return error
  const name = codeOfAws(error)
  if (expired.has(name) || badCredentials.has(name))
    return new BrokerError('AWS_DENIED', `${arn}: AWS does not accept the spoke’s credentials`, {
      cause: error,
      hint: 'Check the clock of the machine.',
    })
  const hint = '`sallyport aws policies --feature revocation` prints the policy, and what the spoke role needs'
  if (name.startsWith('AccessDenied'))
    return new BrokerError('AWS_DENIED', `${arn}: iam:${operation} is not allowed`, { cause: error, hint })
  if (name === 'NoSuchEntity')
    return new BrokerError('AWS_DENIED', `${arn}: there is no such policy`, { cause: error, hint })
  if (name === 'LimitExceeded' || name === 'MalformedPolicyDocument')
    return new BrokerError('AWS_DENIED', `${arn}: ${(error as Error).message.slice(0, 300)}`, { cause: error })
  return new BrokerError('AWS_UNAVAILABLE', `IAM did not answer (${codeOf(error)})`, { cause: error })
}

function codeOf(error: unknown): string {
  const { code, name } = error as Error & { code?: string }
  return code ?? name
}
