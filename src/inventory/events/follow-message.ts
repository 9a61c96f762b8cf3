import { BrokerError } from '../../../proxy/session.ts'
import type { EventObjects } from '../../aws/events/event-objects.ts'
import type { ReceivedMessage } from '../../aws/events/event-queue.ts'
import { EventProblem, readEvent, readRecord, type SeenEvent } from '../../aws/events/read-event.ts'
import { type EventObject, holdsRecords, readMessage } from '../../aws/events/read-message.ts'
import type { Clock } from '../../telemetry/clock.ts'
import type { HintOutcome, HintSchedule } from './hint-schedule.ts'
import type { KnownEvents } from './known-events.ts'

/**
 * What became of a message. `read`: what it is about was read again; `ignored`: nothing of the catalog follows from it; `duplicate`: it was
 * followed before; `unknown`: of an account or region that nothing is read of; `denied`: AWS refuses that reading, which the pass over it says too.
 */
export type MessageOutcome = 'read' | 'ignored' | 'duplicate' | 'unknown' | 'denied' | 'probe'

export interface FollowDeps {
  readonly schedule: Pick<HintSchedule, 'submit'>
  readonly known: KnownEvents
  readonly objects: Pick<EventObjects, 'read'>
  /** Names of the only ones that objects are taken of. */
  readonly buckets: readonly string[]
  readonly clock: Clock
  /** @throws EventProblem for one that this installation has not sent */
  onProbe(id: string, mac: string): Promise<void>
  /** @param seconds from the event to the end of the reading */
  onRead(seconds: number): void
}

/** After so long it is not news any more which resource it was: the pass over its unit finds all of them. */
const freshMs = 15 * 60_000
/** Of one message, about different things; beyond that passes find them. */
const mostEvents = 2000
/** AWS's refusals, which passes report. */
const refusals: readonly string[] = ['AWS_DENIED', 'AWS_REGION_OFF']
/** Most records of a trail only read. Nothing else of a record has these bytes, since quotes within texts are escaped. */
const readOnly = Buffer.from('"readOnly":true')

/**
 * Follows a message to its end: what it hints at has been read.
 * @throws EventProblem for one that cannot be read, or of a bucket that is not configured; BrokerError where it should come again
 */
export async function followMessage(
  deps: FollowDeps,
  { body }: Pick<ReceivedMessage, 'body'>,
  signal: AbortSignal,
): Promise<MessageOutcome> {
  const message = readMessage(body)
  if (message.kind === 'none') return 'ignored'
  if (message.kind === 'probe') {
    await deps.onProbe(message.id, message.mac)
    return 'probe'
  }
  if (message.kind === 'objects') return await followObjects(deps, message.objects, signal)
  const event = readEvent(message.event)
  return event === null ? 'ignored' : await followEvents(deps, [event])
}

async function followObjects(
  deps: FollowDeps,
  objects: readonly EventObject[],
  signal: AbortSignal,
): Promise<MessageOutcome> {
  for (const { bucket } of objects)
    if (!deps.buckets.includes(bucket))
      throw new EventProblem('an object of a bucket that inventory.events.buckets lacks')
  const events = new Map<string, SeenEvent>()
  for (const object of objects.filter(holdsRecords))
    await deps.objects.read(object, signal, (record) => {
      const event = record.includes(readOnly) ? null : readRecord(parse(record))
      if (event) events.set(JSON.stringify(event.hints), event)
      if (events.size > mostEvents) throw new EventProblem('records of too many changes')
    })
  return await followEvents(deps, [...events.values()])
}

function parse(record: Buffer): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(record.toString()) as Record<string, unknown>
  } catch {
    throw new EventProblem('a record that is no JSON')
  }
}

/** As the worst of them ended. */
async function followEvents(deps: FollowDeps, events: readonly SeenEvent[]): Promise<MessageOutcome> {
  const results = await Promise.allSettled(events.map((event) => deps.known.once(event, () => follow(deps, event))))
  const outcomes = results.map((result) => {
    if (result.status === 'rejected') throw result.reason
    return result.value
  })
  for (const outcome of ['denied', 'read', 'unknown'] as const) if (outcomes.includes(outcome)) return outcome
  return outcomes.includes(null) ? 'duplicate' : 'ignored'
}

async function follow({ schedule, clock, onRead }: FollowDeps, { hints, at }: SeenEvent): Promise<MessageOutcome> {
  const ageMs = clock.now() - at
  const outcomes = await Promise.all(
    hints.map(({ resourceId, ...place }) =>
      schedule
        .submit(resourceId === undefined || ageMs > freshMs ? place : { ...place, resourceId }, ageMs)
        .catch((error: unknown): HintOutcome | 'denied' => {
          if (error instanceof BrokerError && refusals.includes(error.code)) return 'denied'
          throw error
        }),
    ),
  )
  if (outcomes.includes('denied')) return 'denied'
  if (outcomes.includes('read')) {
    onRead(Math.max(0, clock.now() - at) / 1000)
    return 'read'
  }
  return outcomes.length === 0 ? 'ignored' : 'unknown'
}
