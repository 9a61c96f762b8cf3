import { BrokerError } from '../../../proxy/session.ts'
import type { Aws } from '../../aws/aws.ts'
import { toAwsError } from '../../aws/aws-errors.ts'
import { clientOptions, toIdentity } from '../../aws/client-options.ts'
import { counted } from '../../aws/counted.ts'
import { Renewing } from '../../aws/renewing.ts'
import type { Config } from '../../config/config.ts'
import type { Clock } from '../../telemetry/clock.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import { type ClusterTarget, toHost } from './target.ts'

export interface DescribeDeps {
  readonly aws: Pick<Aws, 'spoke'>
  readonly clock: Clock
  readonly config: { readonly aws: Pick<Config['aws'], 'endpoints'> }
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'awsCallsTotal'>
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

interface Kept extends ClusterFacts {
  readonly expiresAt: number
}

const keptMs = 600_000
const most = 10_000

/** What AWS says of clusters, asked for at most each ten minutes. */
export class Clusters {
  readonly #deps: DescribeDeps
  readonly #byKey = new Map<string, Renewing<Kept>>()

  constructor(deps: DescribeDeps) {
    this.#deps = deps
  }

  /**
   * @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE; TARGET_UNTRUSTED: the cluster of that name is another one;
   *   TARGET_UNREACHABLE: there is none
   */
  async of(target: ClusterTarget): Promise<ClusterFacts> {
    const { account, region, cluster, endpoint } = target
    const key = JSON.stringify([account, region, cluster, endpoint])
    let kept = this.#byKey.get(key)
    if (!kept) {
      const { clock, logger } = this.#deps
      kept = new Renewing({
        make: async () => ({ ...(await this.#describe(target)), expiresAt: clock.now() + keptMs }),
        clock,
        aheadMs: keptMs / 10,
        marginMs: 0,
        onLateRenewal: (error) => logger.warn({ err: error, cluster }, 'a cluster could not be described ahead'),
      })
      if (this.#byKey.size >= most) this.#byKey.clear()
      this.#byKey.set(key, kept)
    }
    return await kept.get()
  }

  async #describe({ partition, account, region, cluster: name, endpoint }: ClusterTarget): Promise<ClusterFacts> {
    const { aws, config, metrics } = this.#deps
    const { EKSClient, DescribeClusterCommand } = await import('@aws-sdk/client-eks')
    const credentials = toIdentity(await aws.spoke({ partition, account }))
    const client = new EKSClient({ region, credentials, ...(await clientOptions(config.aws, 'eks')) })
    try {
      const { cluster = {} } = await counted(metrics, { service: 'eks', operation: 'DescribeCluster' }, () =>
        client.send(new DescribeClusterCommand({ name })),
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
      throw toEksError(error, { partition, account, region, name })
    } finally {
      client.destroy()
    }
  }
}

interface Named {
  readonly partition: string
  readonly account: string
  readonly region: string
  readonly name: string
}

function toEksError(error: unknown, { partition, account, region, name }: Named): BrokerError {
  if (error instanceof Error && error.name === 'ResourceNotFoundException')
    return new BrokerError('TARGET_UNREACHABLE', `there is no cluster ${name} in ${region}`, { cause: error })
  return toAwsError(error, {
    what: 'the cluster',
    arn: `arn:${partition}:eks:${region}:${account}:cluster/${name}`,
    needs: 'eks:DescribeCluster',
    wantsExternalId: false,
  })
}
