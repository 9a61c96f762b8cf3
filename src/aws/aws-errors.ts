import { BrokerError } from '../../proxy/session.ts'

/** What was being done when AWS refused, in words for people. */
export interface AwsStep {
  /** e.g. `the hub role`, `the spoke role`, `the role for the database` */
  readonly what: string
  readonly arn: string
  /** What the role's trust policy must allow for this step. */
  readonly needs: string
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
  if (name.startsWith('AccessDenied'))
    return denied(
      'the broker may not assume it',
      `Its trust policy must allow ${step.needs}, with this installation’s ExternalId; a permission of the caller or an organization policy may be missing as well.`,
    )
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

function codeOf(error: unknown): string {
  const { code, name } = error as Error & { code?: string }
  return code ?? name
}
