import { BrokerError } from '../../proxy/session.ts'

/** What was being done when AWS refused, in words for people. */
export interface AwsStep {
  /** e.g. `the hub role`, `the spoke role`, `the role for the database` */
  readonly what: string
  readonly arn: string
  /** What the role's trust policy must allow for this step. */
  readonly needs: string
}

const throttles = new Set([
  'Throttling',
  'ThrottlingException',
  'ThrottledException',
  'RequestLimitExceeded',
  'TooManyRequestsException',
])
const badCredentials = new Set(['InvalidClientTokenId', 'UnrecognizedClientException', 'SignatureDoesNotMatch'])

/** Value of the label `outcome` of `aws_calls_total`. */
export function outcomeOf(error: unknown): 'denied' | 'throttled' | 'error' {
  const { name } = error as Error
  if (throttles.has(name)) return 'throttled'
  return name.startsWith('AccessDenied') ? 'denied' : 'error'
}

/** AWS's error as ours, with what to do about it. AWS's own text names roles and actions, never a secret; it is in `cause` too. */
export function toAwsError(error: unknown, step: AwsStep): BrokerError {
  if (error instanceof BrokerError) return error
  const { name, message } = error as Error
  const denied = (detail: string, hint: string) =>
    new BrokerError('AWS_DENIED', `${step.what} ${step.arn}: ${detail}`, { cause: error, hint })
  if (name.startsWith('AccessDenied'))
    return denied(
      'the broker may not assume it',
      `Its trust policy must allow ${step.needs}, with this installation’s ExternalId; a permission of the caller or an organization policy may be missing as well.`,
    )
  if (throttles.has(name))
    return new BrokerError('AWS_UNAVAILABLE', 'STS is throttling; try again in a moment', { cause: error })
  if (name === 'RegionDisabledException')
    return denied('the region is not enabled', 'Enable it in this account, or list another first under aws.regions.')
  if (name === 'ExpiredToken' || name === 'ExpiredTokenException' || name === 'RequestExpired')
    return denied(
      'the broker’s own credentials have expired',
      'Check the clock of the machine and its AWS credentials.',
    )
  if (badCredentials.has(name))
    return denied('AWS does not accept the broker’s own credentials', 'Check them, and the clock of the machine.')
  if (name === 'CredentialsProviderError')
    return denied('the broker has no AWS credentials', 'Give the daemon a role (IRSA, instance role) or keys.')
  if (name === 'PackedPolicyTooLarge' || name === 'MalformedPolicyDocument' || name === 'ValidationError')
    return denied(message.slice(0, 300), 'Shorten tags and session policy of this level, or correct the ARN.')
  return new BrokerError('AWS_UNAVAILABLE', `STS did not answer (${codeOf(error)})`, { cause: error })
}

function codeOf(error: unknown): string {
  const { code, name } = error as Error & { code?: string }
  return code ?? name
}
