import { setTimeout } from 'node:timers/promises'
import { BrokerError } from '../../../proxy/session.ts'
import type { EventQueue } from '../../aws/events/event-queue.ts'
import { probe } from '../../aws/events/read-message.ts'
import type { EventProbe } from '../../contract/inventory.ts'
import type { Clock } from '../../telemetry/clock.ts'
import type { EventSettings } from './event-follower.ts'
import type { EventNotes } from './event-notes.ts'

export interface ProbeDeps {
  settings(): EventSettings | null
  queueOf(settings: EventSettings): Pick<EventQueue, 'send'>
  readonly notes: Pick<EventNotes, 'newProbe' | 'probeCameAt' | 'scope'>
  readonly clock: Clock
  /** Left out: half a minute. */
  readonly withinMs?: number
}

const lookEveryMs = 250

/**
 * Sends a message through the queue to whichever daemon reads it. The rules that fill the queue are not tried by it.
 * @throws BrokerError UNSUPPORTED where no queue is read
 */
export function createEventProbe({ settings, queueOf, notes, clock, withinMs = 30_000 }: ProbeDeps) {
  return async (): Promise<EventProbe> => {
    const current = settings()
    if (current === null)
      throw new BrokerError('UNSUPPORTED', 'no queue of events is read', {
        hint: 'set inventory.events.queue, and reload',
      })
    const failed = (detail: string, fix: string | null) =>
      ({ queue: current.queue, outcome: 'failed', delayMs: null, detail, fix }) as const
    const sent = notes.newProbe()
    const signal = AbortSignal.timeout(withinMs)
    const { source, detailType } = probe
    const sentAt = clock.now()
    try {
      await queueOf(current).send(JSON.stringify({ source, 'detail-type': detailType, detail: sent }), signal)
    } catch (error) {
      if (error instanceof BrokerError) return failed(error.message, error.hint ?? null)
      if (!signal.aborted) throw error
      return failed('SQS did not answer', 'Check the network of the daemon.')
    }
    while (!signal.aborted) {
      const cameAt = await notes.probeCameAt(sent.id)
      if (cameAt !== null) {
        const delayMs = Math.max(0, cameAt - sentAt)
        return { queue: current.queue, outcome: 'ok', delayMs, detail: 'a probe came through', fix: null }
      }
      await setTimeout(lookEveryMs)
    }
    const { error, fix } = await notes.scope()
    return failed(
      error ?? 'the probe has not come through',
      error === null ? 'Look whether another reader takes messages from the queue, and at the daemon’s log.' : fix,
    )
  }
}

export type ProbeEvents = ReturnType<typeof createEventProbe>
