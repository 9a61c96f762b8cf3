import { BrokerError, type PermitFacts } from '../../../proxy/session.ts'
import type { Aws, AwsCredentials } from '../../aws/aws.ts'
import { toEksError } from '../../aws/aws-errors.ts'
import { counted } from '../../aws/counted.ts'
import { Renewing } from '../../aws/renewing.ts'
import type { Config } from '../../config/config.ts'
import type { Identity } from '../../identity/create-identity.ts'
import { idTokensOf } from '../../identity/id-tokens.ts'
import type { KnownSession } from '../../sessions/session-kinds.ts'
import type { Clock } from '../../telemetry/clock.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import type { ClusterPlace } from './commands.ts'
import { type ClusterTarget, toHost } from './target.ts'
import { withEks } from './with-eks.ts'

export interface DescribeDeps {
  readonly aws: Pick<Aws, 'session' | 'spoke'>
  readonly clock: Clock
  readonly config: { readonly aws: Pick<Config['aws'], 'accounts' | 'endpoints'> }
  readonly identity: Pick<Identity, 'idToken' | 'loginOf'>
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'awsCallsTotal'>
}

/** Who asks; in an account that takes ID tokens alone it is asked by theirs. */
export interface DescribeSession {
  readonly facts: Pick<PermitFacts, 'principalName' | 'grantId' | 'requestId'>
  readonly credential: KnownSession['credential']
}

/** What AWS says of a cluster. */
export interface ClusterFacts {
  /** PEM. */
  readonly ca: string
  /** e.g. `1.33` */
  readonly version: string
  readonly authenticationMode: string
  readonly hasAuditLog: boolean
}

interface Kept {
  readonly facts: Renewing<ClusterFacts & { readonly expiresAt: number }>
  /** When AWS was last asked again since what it had said did not hold. */
  askedAgainAt: number
}

const keptMs = 600_000
const most = 10_000
/** A cluster that cannot be reached may go on being so. */
const againMs = 60_000

/** What AWS says of clusters, asked for at most each ten minutes. */
export class Clusters {
  readonly #deps: DescribeDeps
  readonly #byKey = new Map<string, Kept>()

  constructor(deps: DescribeDeps) {
    this.#deps = deps
  }

  /**
   * @param failedCa by which the cluster could not be reached: AWS is asked again, at most once a minute
   * @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE, LOGIN_REQUIRED; TARGET_UNTRUSTED: the cluster of that name is another one;
   *   TARGET_UNREACHABLE: there is none
   */
  async of(target: ClusterTarget, session: DescribeSession, failedCa?: string): Promise<ClusterFacts> {
    const { account, region, cluster, endpoint } = target
    const whose = this.#isPersonal(target) ? session.credential.id : null
    const key = JSON.stringify([account, region, cluster, endpoint, whose])
    let kept = this.#byKey.get(key)
    if (!kept) {
      kept = { facts: this.#keep(target, session), askedAgainAt: Number.NEGATIVE_INFINITY }
      if (this.#byKey.size >= most) this.#byKey.clear()
      this.#byKey.set(key, kept)
    } else if (failedCa !== undefined) this.#discard(kept, failedCa)
    return await kept.facts.get()
  }

  /** The same as it is now. @throws BrokerError likewise */
  async now(target: ClusterTarget, session: DescribeSession): Promise<ClusterFacts> {
    return await this.#describe(target, session)
  }

  /**
   * Credentials that read the access entries of a cluster: the broker's own, or by the person's token where the account takes nothing
   * else, for this cluster alone.
   * @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE, LOGIN_REQUIRED
   */
  async entryReader(place: ClusterPlace, session: DescribeSession): Promise<AwsCredentials> {
    const { partition, account, region, cluster } = place
    return await this.#credentials(place, session, [
      { Effect: 'Allow', Action: 'eks:ListAccessEntries', Resource: arnOf(place) },
      {
        Effect: 'Allow',
        Action: ['eks:DescribeAccessEntry', 'eks:ListAssociatedAccessPolicies'],
        Resource: `arn:${partition}:eks:${region}:${account}:access-entry/${cluster}/*`,
      },
    ])
  }

  #isPersonal({ account }: ClusterPlace): boolean {
    return this.#deps.config.aws.accounts[account]?.trust === 'web_identity'
  }

  #keep(target: ClusterTarget, session: DescribeSession): Kept['facts'] {
    const { clock, logger } = this.#deps
    return new Renewing({
      make: async () => ({ ...(await this.#describe(target, session)), expiresAt: clock.now() + keptMs }),
      clock,
      aheadMs: keptMs / 10,
      marginMs: 0,
      onLateRenewal: (error) =>
        logger.warn({ err: error, cluster: target.cluster }, 'a cluster could not be described ahead'),
    })
  }

  #discard(kept: Kept, failedCa: string): void {
    const now = this.#deps.clock.now()
    if (kept.facts.last?.ca !== failedCa || now < kept.askedAgainAt + againMs) return
    kept.askedAgainAt = now
    kept.facts.discard()
  }

  async #describe(target: ClusterTarget, session: DescribeSession): Promise<ClusterFacts> {
    const { region, cluster: name, endpoint } = target
    const { config, metrics } = this.#deps
    const { DescribeClusterCommand } = await import('@aws-sdk/client-eks')
    const credentials = await this.#credentials(target, session, [
      { Effect: 'Allow', Action: 'eks:DescribeCluster', Resource: arnOf(target) },
    ]).catch((error: unknown) => {
      const isDenied = this.#isPersonal(target) && error instanceof BrokerError && error.code === 'AWS_DENIED'
      throw isDenied ? withCaHint(error) : error
    })
    try {
      const { cluster = {} } = await withEks(config.aws, region, credentials, (client) =>
        counted(metrics, { service: 'eks', operation: 'DescribeCluster' }, () =>
          client.send(new DescribeClusterCommand({ name })),
        ),
      )
      const { certificateAuthority, version = '', accessConfig, logging } = cluster
      if (toHost(cluster.endpoint ?? '') !== endpoint)
        throw new BrokerError('TARGET_UNTRUSTED', `the cluster ${name} has another endpoint: it was made anew`, {
          hint: 'Put its endpoint into the configuration, if it is the one that people are to reach.',
        })
      const ca = Buffer.from(certificateAuthority?.data ?? '', 'base64').toString()
      const hasAuditLog = (logging?.clusterLogging ?? []).some(
        ({ enabled, types }) => enabled === true && types?.includes('audit'),
      )
      return { ca, version, authenticationMode: accessConfig?.authenticationMode ?? 'CONFIG_MAP', hasAuditLog }
    } catch (error) {
      throw toDescribeError(error, target, this.#isPersonal(target))
    }
  }

  /** Those of the spoke role: the broker's own, or by the person's token where the account takes nothing else. @param statements all that it may then do */
  async #credentials(
    place: ClusterPlace,
    { facts, credential }: DescribeSession,
    statements: readonly object[],
  ): Promise<AwsCredentials> {
    const { aws, clock, identity } = this.#deps
    const { partition, account } = place
    if (!this.#isPersonal(place)) return await aws.spoke({ partition, account })
    const { principalName: person, grantId, requestId } = facts
    const policy = JSON.stringify({ Version: '2012-10-17', Statement: statements })
    const until = clock.now() // STS gives 15 minutes at least
    const idToken = idTokensOf(identity, credential)
    return await aws.session({ partition, account, role: null, person, grantId, requestId, policy, until, idToken })
  }
}

function arnOf({ partition, account, region, cluster }: ClusterPlace): string {
  return `arn:${partition}:eks:${region}:${account}:cluster/${cluster}`
}

const ownCa = 'put the certificate authority of the cluster into the configuration: ca'

function withCaHint({ code, detail, hint = '', cause }: BrokerError): BrokerError {
  return new BrokerError(code, detail, { cause, hint: `${hint} Or ${ownCa}.`.trim() })
}

function toDescribeError(error: unknown, target: ClusterTarget, isPersonal: boolean): BrokerError {
  const { cluster, region } = target
  const named = error instanceof Error ? error.name : ''
  if (named === 'ResourceNotFoundException')
    return new BrokerError('TARGET_UNREACHABLE', `there is no cluster ${cluster} in ${region}`, { cause: error })
  const role = isPersonal ? 'the role that aws.connect_role names' : 'the spoke role'
  if (named.startsWith('AccessDenied'))
    return new BrokerError('AWS_DENIED', `${role} may not read ${arnOf(target)}`, {
      cause: error,
      hint: `Allow it eks:DescribeCluster; or ${ownCa}.`,
    })
  return toEksError(error, 'DescribeCluster', `${cluster} in ${region}`)
}
