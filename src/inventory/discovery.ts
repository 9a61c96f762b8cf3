import type { Aws } from '../aws/aws.ts'
import type { OrganizationCalls } from '../aws/organization/organization-calls.ts'
import type { Resource } from '../catalog/resource.ts'
import type { Config } from '../config/config.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'

/** Where something is read: in an account, and in a region of it unless what is read has none. */
export interface Place {
  readonly partition: string
  readonly account: string
  /** Null: it is read once for the account, or for the organization. */
  readonly region: string | null
}

export interface ReadingOptions {
  /** Aborted when the daemon stops, or when another one leads. */
  readonly signal: AbortSignal
  /** In force now: a reload may have changed them. */
  readonly settings: Config['inventory']
  /** A person asked for it, or something has changed: answers that are kept for a day are then asked for as well. */
  readonly isAsked?: boolean
}

/** How far a reading is. */
export interface ReadingProgress {
  readonly phase: string
  readonly done: number
  /** Left out: not known. */
  readonly total?: number
}

/** Something that is found in AWS. One unit of reading is a discovery in an account and, with `region`, a region. */
export interface Discovery {
  /** `iam-role`, `ec2-instance`, `rds`, `eks-cluster`, `identity-center` … Its units are called NAME/ACCOUNT[/REGION], or NAME. */
  readonly name: string
  readonly per: 'organization' | 'account' | 'region'
  /** Whose pace it takes. */
  readonly service: 'iam' | 'ec2' | 'rds' | 'eks' | 'ssm' | 'organizations' | 'identity-center'
  /** Whether it is to be read. Left out: where `inventory.import` is written. */
  isOn?(settings: Config['inventory']): boolean
  /**
   * All that is in a place, from every page.
   * @param place of what is `per: 'organization'`: the hub's account
   * @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE, AWS_REGION_OFF; then nothing of the reading counts, and all that is known stays
   */
  read(
    place: Place,
    options: ReadingOptions & { onProgress?(progress: ReadingProgress): void },
  ): Promise<readonly Resource[]>
  /**
   * One resource again. Left out: all of its unit is read.
   * @param resourceId of the catalog @returns null: AWS does not know it @throws as `read`
   */
  readOne?(place: Place, resourceId: string, options: ReadingOptions): Promise<Resource | null>
}

/** What the discoveries of a kind are made with. */
export interface DiscoveryParts {
  readonly aws: Aws
  readonly clock: Clock
  readonly config: Config['aws']
  readonly logger: Logger
  readonly metrics: Metrics
  /** One for all who ask, so that they keep one pace. */
  readonly organizations: OrganizationCalls
  /** Whether an account is one of the organization, as far as that is read. */
  isOwnAccount(account: string): boolean
}
