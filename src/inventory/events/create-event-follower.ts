import type { Aws } from '../../aws/aws.ts'
import { createEventObjects } from '../../aws/events/event-objects.ts'
import { createEventQueue } from '../../aws/events/event-queue.ts'
import type { Config } from '../../config/config.ts'
import { queuePlace } from '../../config/queue-url.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import { EventFollower, type EventFollowerDeps, type EventSettings } from './event-follower.ts'

export interface CreateEventFollowerDeps extends Omit<EventFollowerDeps, 'connect' | 'metrics'> {
  readonly aws: Aws
  readonly config: Pick<Config, 'aws' | 'inventory'>
  readonly metrics: Metrics
}

/** With its chores. */
export function createEventFollower(deps: CreateEventFollowerDeps) {
  const { aws, metrics, config } = deps
  const parts = { aws, metrics, config: config.aws }
  const queueOf = (settings: EventSettings) =>
    createEventQueue({ ...parts, queue: queuePlace(settings.queue, settings.region) })
  const follower = new EventFollower(
    {
      ...deps,
      connect: (settings) => {
        const { region } = queuePlace(settings.queue, settings.region)
        return { queue: queueOf(settings), objects: createEventObjects({ ...parts, region }) }
      },
    },
    config.inventory.events ?? null,
  )
  return {
    follower,
    queueOf,
    chores: [
      {
        what: 'events of AWS',
        everyMs: 250,
        per: 'installation',
        run: (signal: AbortSignal) => follower.run(signal),
      },
      {
        what: 'upkeep of events of AWS',
        everyMs: 5000,
        per: 'daemon',
        run: (signal: AbortSignal) => follower.keep(signal),
      },
    ] as const,
  }
}
