import { EventProblem } from './read-event.ts'

/** Where CloudTrail has put records. */
export interface EventObject {
  readonly bucket: string
  readonly key: string
}

/** What a message of the queue is, by whichever way it came. */
export type QueueMessage =
  | { readonly kind: 'event'; readonly event: Readonly<Record<string, unknown>> }
  | { readonly kind: 'objects'; readonly objects: readonly EventObject[] }
  /** `mac` was not checked. */
  | { readonly kind: 'probe'; readonly id: string; readonly mac: string }
  /** Nothing follows from it. */
  | { readonly kind: 'none' }

/** `source` and `detail-type` of what the broker itself sends through. */
export const probe = { source: 'sallyport', detailType: 'Sallyport Probe' } as const

/** Of one notification. */
const mostObjects = 100

/**
 * Reads the body of a message: an event of EventBridge, or a notice of S3 or CloudTrail about an object, each also in an envelope of SNS.
 * Nothing in it is believed, and a request to confirm a subscription is never followed. Pure.
 * @throws EventProblem for anything else
 */
export function readMessage(body: string): QueueMessage {
  const message = parse(body)
  if (message.Type === 'SubscriptionConfirmation' || message.Type === 'UnsubscribeConfirmation') return none
  const isEnvelope = message.Type === 'Notification' && typeof message.Message === 'string'
  return readContent(isEnvelope ? parse(String(message.Message)) : message)
}

const none = { kind: 'none' } as const

function readContent(content: Readonly<Record<string, unknown>>): QueueMessage {
  if (typeof content['detail-type'] === 'string') return readBusEvent(content, content['detail-type'])
  if (content.Event === 's3:TestEvent') return none
  if (Array.isArray(content.Records)) return readNotice(content.Records)
  if (typeof content.s3Bucket === 'string') return readTrailNotice(content.s3Bucket, content.s3ObjectKey)
  throw new EventProblem('it is neither an event nor a notice about an object')
}

interface Detail {
  readonly id?: unknown
  readonly mac?: unknown
  readonly bucket?: { readonly name?: unknown }
  readonly object?: { readonly key?: unknown }
}

function readBusEvent(event: Readonly<Record<string, unknown>>, type: string): QueueMessage {
  const detail = event.detail
  if (typeof detail !== 'object' || detail === null) throw new EventProblem('detail is no object')
  const { id, mac, bucket, object } = detail as Detail
  if (event.source === probe.source && type === probe.detailType) {
    if (typeof id !== 'string' || !/^[0-9a-z]{16}$/.test(id)) throw new EventProblem('a probe without an id')
    if (typeof mac !== 'string' || mac.length > 200) throw new EventProblem('a probe without a MAC')
    return { kind: 'probe', id, mac }
  }
  if (event.source === 'aws.s3' && type === 'Object Created')
    return { kind: 'objects', objects: [toObject(bucket?.name, object?.key)] } // as it is, where S3's own notices encode it
  return { kind: 'event', event }
}

/** "Event message structure" of Amazon S3. Objects that were deleted are no news. */
function readNotice(records: readonly unknown[]): QueueMessage {
  if (records.length > mostObjects) throw new EventProblem('a notice about too many objects')
  const objects = records.flatMap((one) => {
    if (typeof one !== 'object' || one === null) throw new EventProblem('a record that is no object')
    const { eventSource, eventName, s3 } = one as {
      eventSource?: unknown
      eventName?: unknown
      s3?: { bucket?: { name?: unknown }; object?: { key?: unknown } }
    }
    if (eventSource !== 'aws:s3' || typeof eventName !== 'string') throw new EventProblem('a record of another service')
    if (!eventName.startsWith('ObjectCreated:')) return []
    const key = s3?.object?.key
    return [toObject(s3?.bucket?.name, typeof key === 'string' ? decoded(key) : key)]
  })
  return objects.length === 0 ? none : { kind: 'objects', objects }
}

/** What CloudTrail itself tells a topic: "Configuring Amazon SNS notifications for CloudTrail". */
function readTrailNotice(bucket: string, keys: unknown): QueueMessage {
  if (!Array.isArray(keys) || keys.length === 0 || keys.length > mostObjects) throw new EventProblem('s3ObjectKey')
  return { kind: 'objects', objects: keys.map((key: unknown) => toObject(bucket, key)) }
}

function toObject(bucket: unknown, key: unknown): EventObject {
  if (typeof bucket !== 'string' || !/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket))
    throw new EventProblem('the name of a bucket')
  if (typeof key !== 'string' || key === '' || key.length > 1024) throw new EventProblem('the key of an object')
  return { bucket, key }
}

function decoded(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '))
  } catch {
    throw new EventProblem('the key of an object')
  }
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {
    // the same as another value
  }
  throw new EventProblem('it is no JSON object')
}

/**
 * Whether an object holds records of management events: digests and insights of the same trail have keys of their own.
 * `…AWSLogs/[o-…/]ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/….json.gz`
 */
export function holdsRecords({ key }: EventObject): boolean {
  return /(^|\/)AWSLogs\/(o-[a-z0-9]{10,32}\/)?\d{12}\/CloudTrail\/[a-z0-9-]+\/\d{4}\/\d\d\/\d\d\/[^/]+\.json\.gz$/.test(
    key,
  )
}
