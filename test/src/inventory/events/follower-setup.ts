import { pino } from 'pino'
import type { Test } from 'tap'
import type { BrokerError } from '../../../../proxy/session.ts'
import type { EventHint } from '../../../../src/aws/events/event-table.ts'
import { createEventFollower } from '../../../../src/inventory/events/create-event-follower.ts'
import type { HintOutcome } from '../../../../src/inventory/events/hint-schedule.ts'
import { createWorld } from '../../../sandbox/default-world.ts'
import { addEventQueue, trailBucket } from '../../../sandbox/events-world.ts'
import { startHub } from '../../aws/hub-setup.ts'

/** A daemon's reader of the queue, against a referee of SQS and S3. Nothing runs by itself: tests call it. */
export async function startFollower(
  t: Test,
  hint: (hint: EventHint) => Promise<HintOutcome> = async () => 'read',
  { hasDeadLetters = true } = {},
) {
  const world = createWorld()
  const { url, queue, dead } = addEventQueue(world)
  if (!hasDeadLetters) queue.deadLetters = null
  const { aws, clock, broker, config, metrics } = await startHub(t, world)
  const hints: EventHint[] = []
  const problems: (BrokerError | null)[] = []
  const probes: [string, string][] = []
  const leader = { isLeader: true }
  const settings = { queue: url, region: null, buckets: [trailBucket] }
  const daemon = () => {
    const { follower } = createEventFollower({
      aws: broker,
      config: { aws: config, inventory: { organization: true, import: null, everyMs: 900_000, events: settings } },
      ...{ clock, metrics, leader },
      logger: pino({ level: 'silent' }),
      hint: async (one) => {
        hints.push(one)
        return await hint(one)
      },
      onState: async (problem) => void problems.push(problem),
      onProbe: async (...probe) => void probes.push(probe),
    })
    t.teardown(() => follower.close())
    return follower
  }
  const stop = new AbortController()
  t.teardown(() => stop.abort())
  const outcomes = async () => {
    const { values } = await metrics.inventoryMessagesTotal.get()
    return Object.fromEntries(values.map(({ labels, value }) => [labels.outcome, value]))
  }
  return {
    ...{ aws, world, url, queue, dead, clock, metrics, hints, problems, probes, leader, settings, outcomes, daemon },
    signal: stop.signal,
    send: (message: unknown) => aws.sqs.put(url, typeof message === 'string' ? message : JSON.stringify(message)),
  }
}
