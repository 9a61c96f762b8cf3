/** Records that CloudTrail has put into a bucket of S3, read as they come. */
import { addAbortSignal, pipeline, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { BrokerError } from '../../../proxy/session.ts'
import type { Config } from '../../config/config.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import type { Aws } from '../aws.ts'
import { toS3Error } from '../aws-errors.ts'
import { clientOptions, hubIdentity } from '../client-options.ts'
import { Paced, retries } from '../paced.ts'
import { createServiceCaller } from '../service-caller.ts'
import { EventProblem } from './read-event.ts'
import type { EventObject } from './read-message.ts'
import { splitRecords } from './split-records.ts'

export interface EventObjectsDeps {
  readonly aws: Pick<Aws, 'hub'>
  readonly config: Pick<Config['aws'], 'endpoints' | 'regions'>
  readonly metrics: Pick<Metrics, 'awsCallsTotal'>
  /** Of the client; a bucket elsewhere is followed there. */
  readonly region: string | null
  readonly limits?: typeof objectLimits
}

/** CloudTrail begins another object long before. */
const objectLimits = { mostBytes: 32 * 1_048_576, mostInflatedBytes: 256 * 1_048_576 } as const

/** Reading one takes seconds, so it may not stand still for more than this. */
const requestMs = 30_000
const pace = { perSecond: 50, burst: 50, atOnce: 2 } as const

export type EventObjects = ReturnType<typeof createEventObjects>

/** The SDK is imported with the first call. */
export function createEventObjects(deps: EventObjectsDeps) {
  const { mostBytes, mostInflatedBytes } = deps.limits ?? objectLimits
  const call = createServiceCaller({
    service: 's3',
    metrics: deps.metrics,
    paced: new Paced(pace),
    createClient: () => createClient(deps),
    toError: (error, operation) => toS3Error(error, operation),
  })
  return {
    /**
     * Hands over each record, as bytes of JSON.
     * @throws EventProblem for what is no such object or too large, in the bucket or inflated; BrokerError AWS_DENIED, AWS_UNAVAILABLE
     */
    read: async ({ bucket, key }: EventObject, signal: AbortSignal, onRecord: (record: Buffer) => void) => {
      const answer = await call('GetObject', signal, ({ sdk, client }, options) =>
        client.send(new sdk.GetObjectCommand({ Bucket: bucket, Key: key }), options),
      )
      const body = answer.Body as Readable | undefined
      if (!body) throw new BrokerError('AWS_UNAVAILABLE', 'S3 answered without an object')
      try {
        if ((answer.ContentLength ?? Number.POSITIVE_INFINITY) > mostBytes)
          throw new EventProblem('an object that is too large')
        for await (const record of splitRecords(inflated(body, mostInflatedBytes, signal))) onRecord(record)
      } catch (error) {
        signal.throwIfAborted()
        throw error instanceof EventProblem ? error : toS3Error(error, 'GetObject')
      } finally {
        body.destroy()
      }
    },
  }
}

async function* inflated(body: Readable, most: number, signal: AbortSignal): AsyncIterable<Uint8Array> {
  const gunzip = addAbortSignal(signal, createGunzip())
  pipeline(body, gunzip, () => {}) // what fails ends the reading below
  let size = 0
  try {
    for await (const chunk of gunzip as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > most) throw new EventProblem('an object that is too large, inflated')
      yield chunk
    }
  } catch (error) {
    if (/^Z_/.test((error as NodeJS.ErrnoException).code ?? '')) throw new EventProblem('an object that is no gzip')
    throw error
  }
}

async function createClient({ aws, config, region = null }: EventObjectsDeps) {
  const sdk = await import('@aws-sdk/client-s3')
  const at = region ?? config.regions[0]
  const client = new sdk.S3Client({
    ...(await clientOptions(config, 's3', requestMs)),
    ...retries,
    ...(at === undefined ? {} : { region: at }),
    credentials: await hubIdentity(aws),
    followRegionRedirects: true,
    // Emulators and endpoints of one's own have no host for each bucket.
    forcePathStyle: (config.endpoints.s3 ?? config.endpoints['*']) !== undefined,
  })
  return { sdk, client }
}
