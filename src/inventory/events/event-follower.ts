import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { BrokerError } from '../../../proxy/session.ts'
import type { EventObjects } from '../../aws/events/event-objects.ts'
import type { EventQueue, ReceivedMessage } from '../../aws/events/event-queue.ts'
import type { EventHint } from '../../aws/events/event-table.ts'
import { EventProblem } from '../../aws/events/read-event.ts'
import type { Config } from '../../config/config.ts'
import type { Leadership } from '../../daemons/leadership.ts'
import { createBackground } from '../../telemetry/background.ts'
import type { Clock } from '../../telemetry/clock.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import { type FollowDeps, followMessage } from './follow-message.ts'
import { type HintOutcome, HintSchedule } from './hint-schedule.ts'
import { KnownEvents } from './known-events.ts'
import { TakenMessages } from './taken-messages.ts'

export type EventSettings = NonNullable<Config['inventory']['events']>

export interface EventFollowerDeps {
  /** Reads again what a hint names. @throws BrokerError NOT_LEADER, AWS_DENIED … */
  hint(hint: EventHint): Promise<HintOutcome>
  readonly leader: Pick<Leadership, 'isLeader'>
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'inventoryMessagesTotal' | 'inventoryEventSeconds' | 'inventoryQueueMessages'>
  connect(settings: EventSettings): { readonly queue: EventQueue; readonly objects: EventObjects }
  /** Told how the queue stands, each time that it was asked. @param problem null: it answers */
  onState(problem: BrokerError | null): Promise<void>
  onProbe: FollowDeps['onProbe']
}

interface Connection {
  readonly queue: EventQueue
  readonly follow: FollowDeps
  readonly taken: TakenMessages
  readonly over: AbortController
  /** Null: not known yet. */
  hasDeadLetters: boolean | null
}

/** Messages worked on at the same time. */
const mostTaken = 500
/** Receives after which a message without a queue for dead letters is removed, readable or not. */
const mostReceives = 5
/** Between two attempts at a queue that does not answer. */
const retryMs = { first: 5000, most: 300_000 } as const
const giveBackMs = 3000

/**
 * Reads the queue of events on the daemon that leads. A message is removed once what it hints at was read again; until then it is
 * hidden, and comes again when this daemon is gone. Nothing that a message says is taken over.
 */
export class EventFollower {
  readonly #deps: EventFollowerDeps
  readonly #background: ReturnType<typeof createBackground>
  #settings: EventSettings | null
  #connection: Connection | null = null
  #failures = 0
  #nextAt = 0

  constructor(deps: EventFollowerDeps, settings: EventSettings | null) {
    this.#deps = deps
    this.#settings = settings
    this.#background = createBackground(deps.logger)
  }

  get settings(): EventSettings | null {
    return this.#settings
  }

  /** After a reload. */
  use(settings: EventSettings | null): void {
    if (isDeepStrictEqual(settings, this.#settings)) return
    this.#settings = settings
    this.#failures = 0
    this.#nextAt = 0
    this.#disconnect()
  }

  /** Receives until the queue is empty. For the chore of the daemon that leads. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, leader } = this.#deps
    if (this.#settings === null || clock.now() < this.#nextAt) return
    this.#connection ??= this.#connect(this.#settings)
    const connection = this.#connection
    const either = AbortSignal.any([signal, connection.over.signal])
    try {
      while (leader.isLeader && connection.taken.count < mostTaken) {
        const messages = await connection.queue.receive(either)
        if (this.#failures > 0 || connection.hasDeadLetters === null) await this.#measure(connection, either)
        for (const message of messages) this.#take(connection, message)
        if (messages.length === 0) return
      }
    } catch (error) {
      if (!either.aborted) await this.#failed(error)
    }
  }

  /** Keeps what is worked on hidden, and counts what waits. For a chore on every daemon. */
  async keep(signal: AbortSignal): Promise<void> {
    const { leader, metrics } = this.#deps
    const connection = this.#connection
    if (!connection || !leader.isLeader) {
      metrics.inventoryQueueMessages.reset()
      if (connection) this.#disconnect()
      return
    }
    if (this.#failures > 0) return
    try {
      await connection.taken.hideOn(signal)
      await this.#measure(connection, signal)
    } catch (error) {
      if (!signal.aborted) await this.#failed(error)
    }
  }

  /** Gives back what is not done. */
  async close(): Promise<void> {
    this.#disconnect()
    await this.#background.idle()
  }

  #connect(settings: EventSettings): Connection {
    const { clock, metrics, hint, onProbe } = this.#deps
    const { queue, objects } = this.#deps.connect(settings)
    const over = new AbortController()
    const follow = {
      schedule: new HintSchedule({ read: hint, signal: over.signal }),
      known: new KnownEvents(),
      objects,
      buckets: settings.buckets,
      clock,
      onProbe,
      onRead: (seconds: number) => metrics.inventoryEventSeconds.observe(seconds),
    }
    return { queue, follow, over, taken: new TakenMessages(queue, clock), hasDeadLetters: null }
  }

  #disconnect(): void {
    const connection = this.#connection
    this.#connection = null
    if (!connection) return
    connection.over.abort()
    this.#background.run('giving back messages', () => connection.taken.giveBack(AbortSignal.timeout(giveBackMs)))
  }

  #take(connection: Connection, message: ReceivedMessage): void {
    connection.taken.take(message.handle)
    this.#background.run('following of an event', () => this.#follow(connection, message))
  }

  async #follow(connection: Connection, message: ReceivedMessage): Promise<void> {
    const { metrics, logger } = this.#deps
    const { taken, follow, over } = connection
    try {
      const outcome = await followMessage(follow, message, over.signal)
      metrics.inventoryMessagesTotal.inc({ outcome })
      await taken.remove(message.handle, over.signal)
    } catch (error) {
      if (over.signal.aborted) return // it is given back
      taken.leave(message.handle)
      if (isOver(error)) return await this.#comeAgain(connection, message)
      const outcome = error instanceof EventProblem ? 'unreadable' : 'failed'
      metrics.inventoryMessagesTotal.inc({ outcome })
      const about = { err: error, receives: message.receives, sha256: digestOf(message.body) }
      logger.warn(about, 'a message of the queue of events comes again, or goes to its dead letters')
      if (connection.hasDeadLetters === false && message.receives >= mostReceives)
        await taken.remove(message.handle, over.signal).catch(() => undefined)
    }
  }

  /** Soon: another daemon leads, or this one has only begun to. */
  async #comeAgain({ queue, over }: Connection, { handle }: ReceivedMessage): Promise<void> {
    await queue.hide([handle], 1, over.signal).catch(() => undefined) // else once it is not hidden any more
  }

  async #measure(connection: Connection, signal: AbortSignal): Promise<void> {
    const { metrics, onState } = this.#deps
    const { waiting, dead, hasDeadLetters } = await connection.queue.depth(signal)
    connection.hasDeadLetters = hasDeadLetters
    metrics.inventoryQueueMessages.set({ queue: 'events' }, waiting)
    if (dead === null) metrics.inventoryQueueMessages.remove({ queue: 'dead-letters' })
    else metrics.inventoryQueueMessages.set({ queue: 'dead-letters' }, dead)
    this.#failures = 0
    await onState(null)
  }

  /** Passes over AWS go on as without events. */
  async #failed(error: unknown): Promise<void> {
    const { clock, logger, onState } = this.#deps
    if (!(error instanceof BrokerError)) throw error
    this.#nextAt = clock.now() + Math.min(retryMs.most, retryMs.first * 2 ** this.#failures)
    this.#failures += 1
    if (this.#failures === 1) logger.warn({ err: error }, 'the queue of events cannot be read; passes over AWS go on')
    await onState(error)
  }
}

/** Another daemon leads. */
function isOver(error: unknown): boolean {
  return error instanceof BrokerError && (error.code === 'NOT_LEADER' || error.code === 'STALE')
}

/** Of a message whose text belongs into no log. */
function digestOf(body: string): string {
  return createHash('sha256').update(body).digest('hex').slice(0, 16)
}
