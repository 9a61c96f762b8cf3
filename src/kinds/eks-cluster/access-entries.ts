import type { EKSClient } from '@aws-sdk/client-eks'
import type { AwsCredentials } from '../../aws/aws.ts'
import { toEksError } from '../../aws/aws-errors.ts'
import { counted } from '../../aws/counted.ts'
import type { Config } from '../../config/config.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import type { ClusterPlace } from './commands.ts'
import { withEks } from './with-eks.ts'

export interface AccessEntry {
  /** With its path. */
  readonly principalArn: string
  /** With its templates: `sallyport:{{SessionName}}` */
  readonly username: string
  /** `STANDARD` is for people. */
  readonly type: string
  readonly groups: readonly string[]
  readonly policies: readonly AssociatedPolicy[]
}

export interface AssociatedPolicy {
  readonly arn: string
  /** Names, also with `*` at their end; null: the whole cluster. */
  readonly namespaces: readonly string[] | null
}

interface ReaderDeps {
  /** Those of who reads. @throws BrokerError */
  readonly credentials: (place: ClusterPlace) => Promise<AwsCredentials>
  readonly config: { readonly aws: Pick<Config['aws'], 'endpoints'> }
  readonly metrics: Pick<Metrics, 'awsCallsTotal'>
}

/** More pages than a cluster has entries for. */
const mostPages = 100

/** Reads who may enter a cluster, as EKS has it. Nothing here changes anything. */
export class AccessEntries {
  readonly #deps: ReaderDeps
  readonly #place: ClusterPlace

  constructor(deps: ReaderDeps, place: ClusterPlace) {
    this.#deps = deps
    this.#place = place
  }

  /** Null: there is none, or no such cluster. @throws BrokerError AWS_DENIED, also where the mode of the cluster has none; AWS_UNAVAILABLE */
  async find(principalArn: string): Promise<AccessEntry | null> {
    const { DescribeAccessEntryCommand, ListAssociatedAccessPoliciesCommand } = await import('@aws-sdk/client-eks')
    const of = { clusterName: this.#place.cluster, principalArn }
    return await this.#with(async (client) => {
      const { accessEntry } = await this.#call('DescribeAccessEntry', () =>
        client.send(new DescribeAccessEntryCommand(of)),
      )
      const policies = await this.#pages('ListAssociatedAccessPolicies', async (token) => {
        const page = await client.send(new ListAssociatedAccessPoliciesCommand({ ...of, ...token }))
        return { items: page.associatedAccessPolicies, nextToken: page.nextToken }
      })
      return {
        principalArn,
        username: accessEntry?.username ?? '',
        type: accessEntry?.type ?? '',
        groups: accessEntry?.kubernetesGroups ?? [],
        policies: policies.map(({ policyArn: arn = '', accessScope }) => ({
          arn,
          namespaces: accessScope?.type === 'namespace' ? (accessScope.namespaces ?? []) : null,
        })),
      }
    })
  }

  /** ARNs of the principals of all entries. @throws BrokerError likewise */
  async principals(): Promise<readonly string[]> {
    const { ListAccessEntriesCommand } = await import('@aws-sdk/client-eks')
    const clusterName = this.#place.cluster
    const found = await this.#with(
      async (client) =>
        await this.#pages('ListAccessEntries', async (token) => {
          const page = await client.send(new ListAccessEntriesCommand({ clusterName, ...token }))
          return { items: page.accessEntries, nextToken: page.nextToken }
        }),
    )
    return found ?? []
  }

  async #with<T>(use: (client: EKSClient) => Promise<T>): Promise<T | null> {
    const { config, credentials } = this.#deps
    try {
      return await withEks(config.aws, this.#place.region, await credentials(this.#place), use)
    } catch (error) {
      if (error instanceof Error && error.name === 'ResourceNotFoundException') return null
      throw error
    }
  }

  async #pages<T>(
    operation: string,
    ask: (token: { nextToken?: string }) => Promise<{ items: T[] | undefined; nextToken: string | undefined }>,
  ): Promise<T[]> {
    const all: T[] = []
    let nextToken: string | undefined
    for (let pages = 0; pages < mostPages; pages++) {
      const page = await this.#call(operation, () => ask(nextToken === undefined ? {} : { nextToken }))
      all.push(...(page.items ?? []))
      nextToken = page.nextToken
      if (nextToken === undefined) break
    }
    return all
  }

  async #call<T>(operation: string, call: () => Promise<T>): Promise<T> {
    const { region, cluster } = this.#place
    try {
      return await counted(this.#deps.metrics, { service: 'eks', operation }, call)
    } catch (error) {
      if (error instanceof Error && error.name === 'ResourceNotFoundException') throw error
      throw toEksError(error, operation, `${cluster} in ${region}`)
    }
  }
}
