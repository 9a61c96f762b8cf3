/** A queue of SQS by its URL: `https://HOST/ACCOUNT/NAME`. */
export interface QueuePlace {
  readonly url: string
  readonly account: string
  readonly name: string
  /** Null: the host does not say it, as that of a VPC endpoint may not. */
  readonly region: string | null
  readonly partition: string
}

/** Names of FIFO queues, which EventBridge and S3 do not fill by themselves, have a dot. */
export const queueUrlPattern = '^https://[A-Za-z0-9.-]+/[0-9]{12}/[A-Za-z0-9_-]{1,80}$'

/** @param url of the pattern @param region as configured; null: as the host says */
export function queuePlace(url: string, region: string | null): QueuePlace {
  const { hostname, pathname } = new URL(url)
  const [, account = '', name = ''] = pathname.split('/')
  const named = region ?? /(?:^|\.)sqs\.([a-z]{2}(?:-[a-z]+)+-\d)\./.exec(hostname)?.[1] ?? null
  return { url, account, name, region: named, partition: partitionOf(named ?? '') }
}

function partitionOf(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn'
  return region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws'
}
