import { arnHints, type EventHint, type EventRecord, eventGroups, instances } from './event-table.ts'

/** An event that says where to look. */
export interface SeenEvent {
  /** The same for each copy of it, by whichever way it came. */
  readonly id: string
  /** Epoch milliseconds, as it says. */
  readonly at: number
  readonly hints: readonly EventHint[]
}

/** What EventBridge sends beside calls that CloudTrail recorded. */
export const otherEvents = [
  { source: 'aws.ec2', detailType: 'EC2 Instance State-change Notification' },
  { source: 'aws.tag', detailType: 'Tag Change on Resource' },
] as const

export const callDetailTypes = ['AWS API Call via CloudTrail', 'AWS Service Event via CloudTrail'] as const

/** What is no event: not of the form that AWS gives it. */
export class EventProblem extends Error {
  override readonly name = 'EventProblem'
}

/**
 * Reads an event of EventBridge. Pure.
 * @returns null: it changes nothing of the catalog
 * @throws EventProblem
 */
export function readEvent(event: Readonly<Record<string, unknown>>): SeenEvent | null {
  const type = event['detail-type']
  const detail = objectAt(event, 'detail')
  if (callDetailTypes.some((one) => one === type)) return readRecord(detail)
  const other = otherEvents.find(({ source, detailType }) => source === event.source && detailType === type)
  if (!other) return null
  const seen = { id: textAt(event, 'id'), at: instantOf(event.time) }
  if (other.source === 'aws.tag') {
    const { resources } = event
    if (!Array.isArray(resources)) throw new EventProblem('resources is no list')
    const arns = resources.slice(0, 100).filter((one): one is string => typeof one === 'string')
    return { ...seen, hints: arns.flatMap(arnHints) }
  }
  const place = [matching(event.account, accountPattern, 'account'), matching(event.region, regionPattern, 'region')]
  const [account = '', region = ''] = place
  return { ...seen, hints: instances(account, region, [textAt(detail, 'instance-id')]) }
}

/**
 * Reads a record of CloudTrail. Calls that failed or only read, and those of no group, change nothing.
 * @throws EventProblem
 */
export function readRecord(record: Readonly<Record<string, unknown>>): SeenEvent | null {
  const { eventSource, eventName, errorCode, readOnly } = record
  const group = eventGroups.find((one) => one.eventSource === eventSource)
  if (!group?.names.some((name) => name === eventName) || errorCode !== undefined || readOnly === true) return null
  const read: EventRecord = {
    account: matching(record.recipientAccountId, accountPattern, 'recipientAccountId'),
    region: matching(record.awsRegion, regionPattern, 'awsRegion'),
    request: objectAt(record, 'requestParameters', {}),
    response: objectAt(record, 'responseElements', {}),
    details: objectAt(record, 'serviceEventDetails', {}),
  }
  return { id: textAt(record, 'eventID'), at: instantOf(record.eventTime), hints: group.hints(read) }
}

const accountPattern = /^\d{12}$/
const regionPattern = /^[a-z]{2}(-[a-z]+)+-\d$/

function matching(value: unknown, pattern: RegExp, name: string): string {
  if (typeof value === 'string' && pattern.test(value)) return value
  throw new EventProblem(`${name} is missing or of another form`)
}

function textAt(from: Readonly<Record<string, unknown>>, name: string): string {
  return matching(from[name], /^.{1,200}$/, name)
}

function instantOf(value: unknown): number {
  const at = typeof value === 'string' ? Date.parse(value) : Number.NaN
  if (Number.isNaN(at)) throw new EventProblem('its time is missing or of another form')
  return at
}

/** @param fallback where it is missing or null; left out: it must be there */
function objectAt(
  from: Readonly<Record<string, unknown>>,
  name: string,
  fallback?: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const value = from[name] ?? fallback
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new EventProblem(`${name} is no object`)
}
