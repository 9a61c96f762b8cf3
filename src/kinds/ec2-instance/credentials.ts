import type { Aws, AwsCredentials } from '../../aws/aws.ts'
import { Renewing } from '../../aws/renewing.ts'
import { toSessionName } from '../../aws/session-names.ts'
import type { Config } from '../../config/config.ts'
import type { Identity } from '../../identity/create-identity.ts'
import { idTokensOf } from '../../identity/id-tokens.ts'
import type { KnownSession } from '../../sessions/session-kinds.ts'
import type { Clock } from '../../telemetry/clock.ts'
import type { Logger } from '../../telemetry/logger.ts'
import { documentsOf, type InstanceLevel } from './level.ts'
import type { InstanceTarget } from './target.ts'

export interface CredentialsDeps {
  readonly aws: Pick<Aws, 'session'>
  readonly clock: Clock
  readonly config: { readonly aws: Pick<Config['aws'], 'accounts' | 'connectRole'> }
  readonly identity: Pick<Identity, 'idToken' | 'loginOf'>
  readonly logger: Logger
}

/** A session with what its kind read of resource and level. */
export interface InstanceSession extends Pick<KnownSession, 'facts' | 'credential'> {
  readonly target: InstanceTarget
  readonly level: InstanceLevel
}

/** How much longer than the grant they last: to end what is still open when it is over. They never leave this process. */
const endingMs = 120_000
const most = 10_000
/** Names of Session Manager sessions begin with that of who started them. */
const namePrefix = 'sp-'

interface Held {
  readonly endsAt: number
  readonly credentials: Renewing<AwsCredentials>
}

/**
 * AWS credentials for shells, one for each (grant, instance, level): shared by that grant's sessions, renewed ahead, in memory only.
 * Where the account takes only the person's own ID token there is one for each login or token too.
 */
export class ShellCredentials {
  readonly #deps: CredentialsDeps
  readonly #byKey = new Map<string, Held>()

  constructor(deps: CredentialsDeps) {
    this.#deps = deps
  }

  /** For who holds the grant. @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE, LOGIN_REQUIRED, PROVIDER_UNAVAILABLE */
  of(session: InstanceSession): Renewing<AwsCredentials> {
    const { clock, aws, logger } = this.#deps
    const { endsAt } = session.facts
    const key = this.#keyOf(session)
    const known = this.#byKey.get(key)
    if (known && known.endsAt >= endsAt) return known.credentials
    if (this.#byKey.size >= most)
      for (const [old, held] of this.#byKey) if (held.endsAt + endingMs <= clock.now()) this.#byKey.delete(old)
    const ask = { ...askFor(session), idToken: idTokensOf(this.#deps.identity, session.credential) }
    const credentials = new Renewing({
      make: () => aws.session(ask),
      clock,
      aheadMs: 600_000, // so that AWS and the identity provider may fail for ten minutes
      until: endsAt + endingMs,
      marginMs: 60_000,
      onLateRenewal: (error) => logger.warn({ err: error }, 'credentials for shells could not be renewed ahead'),
    })
    this.#byKey.set(key, { endsAt, credentials })
    return credentials
  }

  /**
   * For nothing but ending a session: those that were there before its grant ended, if they still work.
   * @throws BrokerError as of {@link ShellCredentials.of}
   */
  async toEnd(session: InstanceSession): Promise<AwsCredentials> {
    const { aws, clock } = this.#deps
    const kept = this.#byKey.get(this.#keyOf(session))?.credentials.last
    if (kept && kept.expiresAt > clock.now()) return kept
    return await aws.session({
      ...askFor(session),
      until: clock.now(),
      idToken: idTokensOf(this.#deps.identity, session.credential),
    })
  }

  /** ARN by which AWS knows who started the sessions of this one's person. */
  ownerOf({ facts, target: { partition, account, role } }: InstanceSession): string {
    const { accounts, connectRole } = this.#deps.config.aws
    const spoke = accounts[account]?.connectRole ?? connectRole
    const name = (role ?? spoke).split('/').at(-1)
    return `arn:${partition}:sts::${account}:assumed-role/${name}/${sessionName(facts)}`
  }

  #keyOf({ facts: { grantId, resourceId, level: name }, credential, target, level }: InstanceSession): string {
    const isPersonal = this.#deps.config.aws.accounts[target.account]?.trust === 'web_identity'
    const { osUser, kmsKey } = level
    const what = [target, documentsOf(level), osUser, kmsKey]
    return JSON.stringify([grantId, resourceId, name, what, isPersonal ? credential.id : null])
  }
}

/** Agents decrypt data keys with it. */
export function keyContext(awsSessionId: string, instanceId: string) {
  return { 'aws:ssm:SessionId': awsSessionId, 'aws:ssm:TargetId': instanceId }
}

/** With it the ids of this person's Session Manager sessions begin. */
export function sessionName({ principalName }: InstanceSession['facts']): string {
  return toSessionName(`${namePrefix}${principalName}`)
}

/** The narrowest that AWS allows: the level's documents on this instance, and the sessions of this person. */
function askFor({ facts, target, level }: InstanceSession) {
  const { partition, account, role } = target
  return {
    partition,
    account,
    role,
    person: facts.principalName,
    namePrefix,
    runAs: level.osUser,
    grantId: facts.grantId,
    requestId: facts.requestId,
    policy: JSON.stringify({ Version: '2012-10-17', Statement: statements(facts, target, level) }),
    until: facts.endsAt + endingMs,
  }
}

function statements(
  facts: InstanceSession['facts'],
  { partition, account, region, instanceId }: InstanceTarget,
  level: InstanceLevel,
) {
  const documents = documentsOf(level).map((name) => `arn:${partition}:ssm:${region}:${account}:document/${name}`)
  const sessions = `arn:${partition}:ssm:${region}:${account}:session/${sessionName(facts)}-*`
  return [
    {
      Effect: 'Allow',
      Action: 'ssm:StartSession',
      Resource: [`arn:${partition}:ec2:${region}:${account}:instance/${instanceId}`, ...documents],
      Condition: { BoolIfExists: { 'ssm:SessionDocumentAccessCheck': 'true' } },
    },
    { Effect: 'Allow', Action: 'ssm:GetDocument', Resource: documents },
    { Effect: 'Allow', Action: ['ssm:TerminateSession', 'ssm:ResumeSession'], Resource: sessions },
    {
      Effect: 'Allow',
      Action: ['ssm:DescribeSessions', 'ssm:DescribeInstanceInformation', 'ssmmessages:OpenDataChannel'],
      Resource: '*',
    },
    ...(level.kmsKey === null ? [] : [dataKeyStatement(level.kmsKey, sessionName(facts), instanceId)]),
  ]
}

function dataKeyStatement(key: string, name: string, instanceId: string) {
  return {
    Effect: 'Allow',
    Action: 'kms:GenerateDataKey',
    Resource: key,
    Condition: {
      StringEquals: { 'kms:EncryptionContext:aws:ssm:TargetId': instanceId },
      StringLike: { 'kms:EncryptionContext:aws:ssm:SessionId': `${name}-*` },
    },
  }
}
