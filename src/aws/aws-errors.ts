import { BrokerError } from '../../proxy/session.ts'

/** The call that AWS refused, described for people. */
export interface AwsStep {
  /** e.g. `the hub role`, `the spoke role`, `the role for the database` */
  readonly what: string
  readonly arn: string
  /** What the role's trust policy must allow for this step. */
  readonly needs: string
  /** Whether the broker sends its ExternalId at this step, so that a mismatch may be the cause. */
  readonly wantsExternalId: boolean
}

const throttles = new Set([
  'Throttling',
  'Throttled',
  'RequestLimitExceeded',
  'TooManyRequests',
  'RequestThrottled',
  'SlowDown',
])
const badCredentials = new Set([
  'InvalidClientTokenId',
  'UnrecognizedClient',
  'SignatureDoesNotMatch',
  'InvalidSignature',
])
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
  return isDenial(error) ? 'denied' : 'error'
}

/** Whether no policy allows the call. @param error of AWS itself */
export function isDenial(error: unknown): boolean {
  const name = codeOfAws(error)
  return name.startsWith('AccessDenied') || name === 'UnauthorizedOperation' // of EC2
}

/** Translates AWS's error, with a hint. AWS's own text names roles and actions, never a secret; `cause` keeps it. */
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
    return denied(
      'the region is not enabled',
      'Enable it in this account, or list another region first in aws.regions.',
    )
  if (expired.has(name))
    return denied(
      'the broker’s own credentials have expired',
      'Check the clock of the machine and its AWS credentials.',
    )
  if (badCredentials.has(name))
    return denied(
      'AWS does not accept the broker’s own credentials',
      'Check the credentials and the clock of the machine.',
    )
  if (name === 'CredentialsProviderError')
    return denied(
      'the broker has no AWS credentials',
      'Give the daemon a role (IRSA, instance profile) or access keys.',
    )
  if (/MaxSessionDuration/.test(message))
    return denied(
      message.slice(0, 300),
      'Set max_session of the resource to the MaxSessionDuration of the role, or raise that of the role.',
    )
  if (badInput.has(name))
    return denied(message.slice(0, 300), 'Shorten the tags or the session policy of this level, or correct the ARN.')
  return new BrokerError('AWS_UNAVAILABLE', `STS did not answer (${codeOf(error)})`, { cause: error })
}

/** What stands in the way of a call, as far as AWS names it. */
export type Obstacle = 'organization' | 'boundary' | 'explicit-deny' | null

/** @param message of a refusal (IAM User Guide, "Troubleshoot access denied error messages") */
export function obstacleIn(message: string): Obstacle {
  const [, denying = '', lacking = ''] =
    /explicit deny in an? ([\w -]+)|because no ([\w -]+?) allows/.exec(message) ?? []
  const where = denying || lacking
  if (/service control|resource control/.test(where)) return 'organization'
  if (/permissions boundary/.test(where)) return 'boundary'
  return denying === '' ? null : 'explicit-deny'
}

/** AWS names the action, though never the condition that failed. */
function accessDenied(
  message: string,
  { needs, wantsExternalId }: AwsStep,
  denied: (detail: string, hint: string) => BrokerError,
): BrokerError {
  const action = /not authorized to perform: (sts:\w+)/.exec(message)?.[1]
  if (obstacleIn(message) === 'organization')
    return denied(
      `a policy of the organization denies ${action ?? 'it'}`,
      'Exempt the roles of the broker in the service control policy that denies it; only the management account can.',
    )
  if (action === 'sts:TagSession' || action === 'sts:SetSourceIdentity')
    return denied(
      `${action} is not allowed`,
      `Add a separate statement to its trust policy that allows ${action} to the broker (without a condition on sts:ExternalId, which never matches there), and give the caller the same permission. \`sallyport aws policies\` prints both.`,
    )
  const condition = wantsExternalId
    ? 'with this installation’s ExternalId (`sallyport aws validate` checks whether it matches)'
    : 'and its conditions, if any, must match a SourceIdentity and the tag sallyport:grant'
  return denied(
    'the broker may not assume it',
    `Its trust policy must allow ${needs}, ${condition}. Also check the caller’s permission, the tag sallyport:managed=true and the organization’s policies.`,
  )
}

const badTokens = new Set(['InvalidIdentityToken', 'IDPRejectedClaim'])

/** AWS's error about a person's ID token, with a hint. */
export function toWebIdentityError(error: unknown, arn: string): BrokerError {
  const { message } = error as Error
  const name = codeOfAws(error)
  if (expired.has(name))
    return new BrokerError('LOGIN_REQUIRED', 'AWS reports that your ID token has expired', {
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
  if (name === 'ValidationError' && /webIdentityToken/i.test(message))
    return denied(
      `AWS does not accept the form of the ID token (${message.replace(/Value '.*?' at/gs, 'value at').slice(0, 300)})`,
      'STS takes ID tokens of at most 20,000 characters: let the identity provider put fewer groups and claims into the tokens of this client, and set oidc.groups_source: userinfo if they are only there.',
    )
  if (name === 'IDPCommunicationError')
    return new BrokerError('AWS_UNAVAILABLE', 'AWS could not reach the identity provider; try again', { cause: error })
  if (name.startsWith('AccessDenied'))
    return denied(
      'its trust policy does not allow this person',
      'It must allow sts:AssumeRoleWithWebIdentity for this issuer and audience, and sts:TagSession and sts:SetSourceIdentity where the ID token carries tags or a source identity.',
    )
  return toAwsError(error, { what: 'the role of the target', arn, needs: '', wantsExternalId: false })
}

/** Translates an error of IAM about the policy that kills sessions. */
export function toIamError(error: unknown, operation: string, arn: string): BrokerError {
  if (error instanceof BrokerError) return error
  const name = codeOfAws(error)
  if (expired.has(name) || badCredentials.has(name))
    return new BrokerError('AWS_DENIED', `${arn}: AWS does not accept the spoke’s credentials`, {
      cause: error,
      hint: 'Check the clock of the machine.',
    })
  const hint =
    '`sallyport aws policies --feature revocation` prints the policy and the permissions that the spoke role needs'
  if (name.startsWith('AccessDenied'))
    return new BrokerError('AWS_DENIED', `${arn}: iam:${operation} is not allowed`, { cause: error, hint })
  if (name === 'NoSuchEntity')
    return new BrokerError('AWS_DENIED', `${arn}: there is no such policy`, { cause: error, hint })
  if (name === 'LimitExceeded' || name === 'MalformedPolicyDocument')
    return new BrokerError('AWS_DENIED', `${arn}: ${(error as Error).message.slice(0, 300)}`, { cause: error })
  return new BrokerError('AWS_UNAVAILABLE', `IAM did not answer (${codeOf(error)})`, { cause: error })
}

/** Translates an error of IAM about a role. */
export function toRoleError(error: unknown, operation: string, arn: string): BrokerError {
  if (error instanceof BrokerError) return error
  const name = codeOfAws(error)
  const denied = (detail: string, hint: string) => new BrokerError('AWS_DENIED', detail, { cause: error, hint })
  if (name === 'NoSuchEntity') return denied(`${arn}: there is no such role`, 'Create it, or remove the resource.')
  if (name.startsWith('AccessDenied'))
    return denied(
      `iam:${operation} is not allowed on ${arn}`,
      'Tag the role sallyport:managed=true, and let the spoke role do it as `sallyport aws policies` prints it.',
    )
  return toServiceError(error, 'IAM')
}

const badParameters = new Set(['InvalidParameters', 'ValidationError', 'Validation', 'BadRequest'])
const noDocument = new Set(['InvalidDocument', 'InvalidDocumentVersion'])

/** Translates an error of Session Manager. @param on what the operation was done to */
export function toSsmError(error: unknown, operation: string, on: string): BrokerError {
  if (error instanceof BrokerError) return error
  const name = codeOfAws(error)
  const { message } = error as Error
  const denied = (detail: string, hint: string) => new BrokerError('AWS_DENIED', detail, { cause: error, hint })
  if (name === 'TargetNotConnected')
    return new BrokerError('TARGET_UNREACHABLE', `the SSM agent of ${on} is not connected`, {
      cause: error,
      hint: 'Check that the instance runs, that its SSM agent does, and that its instance profile and network let it reach Session Manager.',
    })
  if (name.startsWith('AccessDenied')) {
    const action = /not authorized to perform: ([\w-]+:\w+)/.exec(message)?.[1] ?? `ssm:${operation}`
    const resource = /on resource: (\S+)/.exec(message)?.[1] ?? on
    return denied(
      `${action} is not allowed on ${resource}`,
      '`sallyport aws policies` prints the permissions that are needed.',
    )
  }
  if (noDocument.has(name))
    return denied(
      `there is no such session document for ${on}: ${message.slice(0, 300)}`,
      'It must be in the account and region of the instance; `sallyport aws policies` or `aws prepare` prints it.',
    )
  if (badParameters.has(name))
    return denied(
      `${operation} for ${on}: ${message.slice(0, 300)}`,
      'The session document may allow only some parameters.',
    )
  return toServiceError(error, 'Session Manager')
}

/** Translates an error of EKS. @param on the cluster and its region */
export function toEksError(error: unknown, operation: string, on: string): BrokerError {
  if (error instanceof BrokerError) return error
  const name = codeOfAws(error)
  const denied = (detail: string, hint: string) => new BrokerError('AWS_DENIED', detail, { cause: error, hint })
  if (name.startsWith('AccessDenied'))
    return denied(
      `eks:${operation} is not allowed on the cluster ${on}`,
      'The spoke role needs it: `sallyport aws policies --feature clusters` prints the statement.',
    )
  if (name === 'InvalidRequest')
    return denied(`the cluster ${on}: ${(error as Error).message.slice(0, 300)}`, 'See: sallyport aws prepare')
  return toServiceError(error, 'EKS')
}

/** Translates an error of Organizations. */
export function toOrganizationsError(error: unknown, operation: string): BrokerError {
  if (error instanceof BrokerError) return error
  const name = codeOfAws(error)
  const denied = (detail: string, hint: string) => new BrokerError('AWS_DENIED', detail, { cause: error, hint })
  if (name === 'AWSOrganizationsNotInUse')
    return denied(
      'the account of the hub belongs to no organization',
      'Put the hub role into the management account of the organization, or into one that is a delegated administrator.',
    )
  if (name.startsWith('AccessDenied'))
    return denied(
      `organizations:${operation} is not allowed`,
      'The hub role needs it, as `sallyport aws policies --feature organization` prints, and its account must be the management account or a delegated administrator of the organization.',
    )
  return toServiceError(error, 'Organizations')
}

/**
 * Translates an error of Identity Center, also of its identity store.
 * @param action with its service: `sso:ListInstances`
 */
export function toIdentityCenterError(error: unknown, action: string): BrokerError {
  if (error instanceof BrokerError) return error
  if (!codeOfAws(error).startsWith('AccessDenied')) return toServiceError(error, 'Identity Center')
  const isKey = /kms:Decrypt/i.test((error as Error).message)
  return new BrokerError(
    'AWS_DENIED',
    isKey ? `kms:Decrypt is not allowed for ${action}` : `${action} is not allowed`,
    {
      cause: error,
      hint: isKey
        ? 'Identity Center is encrypted under a key of its owner: its key policy and the hub role must allow kms:Decrypt, as `sallyport aws policies --feature identity-center-key` prints.'
        : `The hub role needs it, as \`sallyport aws policies --feature ${identityCenterFeature(action)}\` prints, and its account must be the management account or a delegated administrator of Identity Center.`,
    },
  )
}

/** What is changed, and what is asked for it, is in policies of its own. */
function identityCenterFeature(action: string): string {
  if (/^sso:(Create|Delete|\w+Status$)/.test(action)) return 'push-permission-sets'
  return /^identitystore:(?!List|DescribeGroup$)/.test(action) ? 'push-groups' : 'identity-center'
}

const unusableKeys = new Set(['NotFound', 'Disabled', 'KMSInvalidState', 'KeyUnavailable', 'InvalidKeyUsage'])

/** Translates an error of KMS. @param key its ARN */
export function toKmsError(error: unknown, operation: string, key: string): BrokerError {
  if (error instanceof BrokerError) return error
  const name = codeOfAws(error)
  const denied = (detail: string, hint: string) => new BrokerError('AWS_DENIED', detail, { cause: error, hint })
  if (name.startsWith('AccessDenied'))
    return denied(
      `kms:${operation} is not allowed on ${key}`,
      'The role needs it, as `sallyport aws policies` prints, and the policy of the key must let its account’s roles use it.',
    )
  if (unusableKeys.has(name))
    return denied(`${key} cannot be used (${name})`, 'Check that the key exists, is enabled and symmetric.')
  return toServiceError(error, 'KMS')
}

const noQueue = new Set(['QueueDoesNotExist', 'AWS.SimpleQueueService.NonExistentQueue', 'InvalidAddress'])

/** Translates an error of SQS. @param queue its name */
export function toSqsError(error: unknown, operation: string, queue: string): BrokerError {
  if (error instanceof BrokerError) return error
  const name = codeOfAws(error)
  const denied = (detail: string, hint: string) => new BrokerError('AWS_DENIED', detail, { cause: error, hint })
  if (noQueue.has(name))
    return denied(
      `there is no queue ${queue}`,
      'Make it again, as `sallyport aws policies --terraform` or `--cloudformation` prints it, or correct inventory.events.queue.',
    )
  if (/^KMS.?AccessDenied/i.test(name))
    return denied(
      `kms:Decrypt is not allowed on the key of the queue ${queue}`,
      'The hub role and the key’s policy must allow it, or encrypt the queue under a key of SQS’s own.',
    )
  if (name.startsWith('AccessDenied') || name.startsWith('403'))
    return denied(
      `sqs:${operation} is not allowed on the queue ${queue}`,
      'The hub role needs it, as `sallyport aws policies --feature events` prints; a queue of another account must allow it too.',
    )
  return toServiceError(error, 'SQS')
}

/** Translates an error of S3. */
export function toS3Error(error: unknown, operation: string): BrokerError {
  if (error instanceof BrokerError) return error
  const name = codeOfAws(error)
  const denied = (detail: string, hint: string) => new BrokerError('AWS_DENIED', detail, { cause: error, hint })
  const isKey = /kms:Decrypt/i.test((error as Error).message)
  if (name.startsWith('AccessDenied') || /^KMS/i.test(name))
    return denied(
      isKey ? 'kms:Decrypt is not allowed on the key of CloudTrail’s records' : `s3:${operation} is not allowed`,
      isKey
        ? 'The hub role and the key’s policy must allow it; `sallyport aws policies --feature events` prints the statement.'
        : 'The hub role needs it on the records of CloudTrail, as `sallyport aws policies --feature events` prints; the policy of a bucket in another account must allow it too.',
    )
  if (name === 'NoSuchKey' || name === 'NoSuchBucket' || name === 'NotFound')
    return denied('CloudTrail’s records are no longer there', 'Keep the objects of the bucket for a day at least.')
  return toServiceError(error, 'S3')
}

/** What any service may say: that credentials are not taken, that it is asked too often, or nothing. */
export function toServiceError(error: unknown, service: string): BrokerError {
  const name = codeOfAws(error)
  if (expired.has(name) || badCredentials.has(name)) {
    const hint = 'Check the clock of the machine.'
    return new BrokerError('AWS_DENIED', `${service} does not accept the credentials`, { cause: error, hint })
  }
  const what = throttles.has(name) ? 'is throttling; try again in a moment' : `did not answer (${codeOf(error)})`
  return new BrokerError('AWS_UNAVAILABLE', `${service} ${what}`, { cause: error })
}

/** AWS no longer knows what was asked for. */
export function isGone(error: unknown): boolean {
  return isCode(error, 'DoesNotExist')
}

/** Whether AWS answered with this code. @param error as it was translated @param code without `Exception` */
export function isCode(error: unknown, code: string): boolean {
  return error instanceof BrokerError && error.cause instanceof Error && codeOfAws(error.cause) === code
}

/** Whether AWS says that the credentials have expired. @param error of AWS itself */
export function isExpired(error: unknown): boolean {
  return expired.has(codeOfAws(error))
}

function codeOf(error: unknown): string {
  const { code, name } = error as Error & { code?: string }
  return code ?? name
}
