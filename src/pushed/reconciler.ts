import { earlyRemovals } from './early.ts'
import { keyOf, placeOf } from './membership.ts'
import { nextStep, type Step } from './next-step.ts'
import { isOurs, newPush, type Ownership, type Push, type Want } from './push.ts'
import { PushRefused, type PushTicket } from './pusher.ts'
import type { Pass, PushTold, ReconcilerDeps } from './reconcile-ports.ts'
import { Place, Underway } from './underway.ts'

const driftMs = 900_000
const outsideMs = 21_600_000
const lastingMs = 900_000
const mostBackOffMs = 300_000
/** AWS works there, or at too much. */
const busyMs = 4000
/** What is to be taken away is tried again sooner. */
const mostRemovalBackOffMs = 60_000
/** After that AWS is asked by the membership, and no more by the ticket. */
const ticketMs = 600_000
const slowestPollMs = 8000
const atOnce = 8
const mostSteps = 4
/** What is not begun by then is left to the next pass, so that removals which are due meanwhile go first. */
const longestMs = 2000

/**
 * Makes AWS hold what live grants want, membership by membership. It goes by what is there, not by what happened: a pass may be cut
 * short anywhere, and the next one goes on. Removals come first.
 */
export class Reconciler {
  readonly #deps: ReconcilerDeps

  constructor(deps: ReconcilerDeps) {
    this.#deps = deps
  }

  async pass(signal: AbortSignal): Promise<Pass> {
    const { books, now } = this.#deps
    const wants = await this.#deps.wants()
    const { byKey, unclear } = wants
    const open = new Map((await books.open()).map((push) => [keyOf(push.membership), push]))
    const jobs: Job[] = []
    for (const [key, push] of open) {
      const want = byKey.get(key)
      if (want === undefined && unclear.has(push.membership.userId)) continue
      if (isDue(push, want, now())) jobs.push({ push, want })
    }
    for (const [key, want] of byKey)
      if (!open.has(key)) jobs.push({ push: (await books.find(key)) ?? newPush(want.membership, want.until), want })
    // All of them, whether or not they are due: else they would go one after the other.
    const early = earlyRemovals(open.values(), wants, now())
    const held = new Set(
      early.length > this.#deps.mostRemovals() ? early.map(({ membership }) => keyOf(membership)) : [],
    )
    if (held.size > 0) for (const push of early) await this.#mark(push)
    // What AWS works at is asked about all the same, since it takes the place of something else.
    const chosen = jobs.flatMap((job) =>
      !held.has(keyOf(job.push.membership)) ? [job] : job.push.underway ? [{ ...job, steps: 1 }] : [],
    )
    const underway = new Underway(open.values(), this.#deps.mostUnderway ?? 8)
    const errors = await this.#run(chosen, underway, signal)
    const left = await books.open()
    const next = left.filter(({ membership }) => !held.has(keyOf(membership)))
    return {
      heldBack: held.size,
      nextAt: underway.isCutShort ? now() : underway.isWaitedFor ? whenFree(next, now()) : earliest(next),
      open: left,
      errors,
    }
  }

  /** It should be gone, and is not; it is due as soon as it is held back no more. */
  async #mark(push: Push): Promise<void> {
    if (push.overdueSince === null) await this.#write({ ...this.#withWant(push, undefined), checkAt: this.#deps.now() })
  }

  /** Places at once, what is in one place in turn; removals before all else. */
  async #run(jobs: readonly Job[], underway: Underway, signal: AbortSignal): Promise<unknown[]> {
    const errors: unknown[] = []
    const until = this.#deps.now() + longestMs
    for (const isRemoval of [true, false]) {
      const some = jobs.filter(({ want }) => (want === undefined) === isRemoval)
      const queues = [...Map.groupBy(some, ({ push }) => placeOf(push.membership)).values()]
      const work = async () => {
        for (let queue = queues.shift(); queue; queue = queues.shift())
          for (const job of queue) {
            signal.throwIfAborted()
            if (!isRemoval && this.#deps.now() >= until) {
              underway.isCutShort = true
              return
            }
            await this.#work(job, underway, signal).catch((error: unknown) => {
              if (isEndOfPass(error, signal)) throw error
              errors.push(error)
            })
          }
      }
      await Promise.all(Array.from({ length: Math.min(atOnce, queues.length) }, work))
    }
    return errors
  }

  async #work({ push: before, want, steps = mostSteps }: Job, underway: Underway, signal: AbortSignal): Promise<void> {
    let push: Push | null = before
    // What AWS does at once needs no further pass.
    for (let i = 0; push && i < steps; i++) push = await this.#advance(push, want, underway, signal)
  }

  /** @returns the push as it is then, if there may be more to do at once */
  async #advance(before: Push, want: Want | undefined, underway: Underway, signal: AbortSignal): Promise<Push | null> {
    const push = this.#withWant(before, want)
    try {
      if (push.underway) return await this.#poll(push, { want, underway, signal })
      using place = new Place(underway, push.membership, want ? 'present' : 'absent')
      // Looking costs a call as well: where a change is to be expected, that waits until it can be made.
      if (isChangeExpected(push, want) && !place.take()) return await this.#wait(push, underway)
      const seen = await this.#observe(push, signal)
      const step = nextStep(push, want, seen, this.#deps.now())
      const changed = { ...push, externalId: seen.isThere ? (seen.externalId ?? null) : push.externalId }
      return await this.#take(step, changed, { want, underway, place, signal })
    } catch (error) {
      if (isEndOfPass(error, signal) || isStale(error)) throw error
      await this.#note(push, error)
      return null
    }
  }

  /** For a place. It stays due, and what it waits for is on record once. */
  async #wait(push: Push, underway: Underway): Promise<null> {
    underway.isWaitedFor = true
    const isKnown = push.version > 0 && push.state !== 'gone'
    if (!isKnown) return await this.#later(push, 1000)
    if (push.checkAt > this.#deps.now()) await this.#write({ ...push, checkAt: this.#deps.now() })
    return null
  }

  #withWant(push: Push, want: Want | undefined): Push {
    if (want) return { ...push, wantedUntil: want.until, overdueSince: null }
    return { ...push, overdueSince: push.overdueSince ?? Math.min(this.#deps.now(), push.wantedUntil) }
  }

  async #observe(push: Push, signal: AbortSignal) {
    const { pusherOf, isForeign } = this.#deps
    const { membership, begunAt } = push
    const seen = await pusherOf(membership.kind).observe(membership, signal)
    const isAsked = seen.isThere && begunAt !== null
    return { ...seen, isForeign: isAsked && (await isForeign(membership, begunAt)) }
  }

  async #take(step: Step, push: Push, at: At): Promise<Push | null> {
    const now = this.#deps.now()
    switch (step.do) {
      case 'nothing': {
        const checkAt = now + (push.state === 'outside' ? outsideMs : driftMs)
        if (push.version > 0 && push.state !== 'gone') await this.#write({ ...push, ...asItShouldBe, checkAt })
        return null
      }
      case 'wait':
        await this.#write({ ...push, checkAt: Math.min(step.until, now + 30_000) })
        return null
      case 'granted':
        await this.#settle(push, { state: 'granted', ownership: step.ownership }, granted(at.want))
        return null
      case 'outside':
        await this.#settle(
          push,
          { state: 'outside', ownership: step.ownership, overdueSince: null },
          { type: 'outside' },
        )
        return null
      case 'gone': {
        const isTold = push.state !== 'outside' && (push.ownership !== null || push.begunAt !== null)
        await this.#settle(push, gone, isTold ? { type: 'removed' } : undefined)
        return null
      }
      case 'create':
        return await this.#create(push, at)
      case 'remove':
        return await this.#remove({ ...push, ownership: step.ownership }, at)
      default:
        return step satisfies never
    }
  }

  /** That absence was just seen is on record before AWS is asked. */
  async #create(push: Push, { want, place, signal }: At): Promise<Push | null> {
    const { now } = this.#deps
    if (!want || !place.take()) return await this.#later(push, 1000)
    if (!(await this.#deps.isAllowed(want))) return await this.#later(push, 5000)
    const isAgain = push.state === 'granting' && push.begunAt !== null
    const begun: Push = {
      ...push,
      state: 'granting',
      ownership: null,
      externalId: null,
      begunAt: now(),
      checkAt: now() + backOff(push.failures, 'granting'),
    }
    const told = { type: 'begun', to: 'present', grants: want.grants } as const
    const written = await this.#write(begun, isAgain ? undefined : told)
    return await this.#begin(written, 'present', { place, signal }, () => ({
      begunAt: isAgain ? written.begunAt : null, // an earlier request may still come true
    }))
  }

  async #remove(push: Push, { place, signal }: At): Promise<Push | null> {
    if (await this.#deps.isWanted(push.membership)) return await this.#later({ ...push, overdueSince: null }, 0)
    if (!place.take()) return await this.#later(push, 1000)
    const isAgain = push.state === 'removing'
    const checkAt = this.#deps.now() + backOff(push.failures, 'removing')
    const told = { type: 'begun', to: 'absent' } as const
    const written = await this.#write({ ...push, state: 'removing', checkAt }, isAgain ? undefined : told)
    return await this.#begin(written, 'absent', { place, signal }, () => ({}))
  }

  async #begin(
    push: Push,
    to: 'present' | 'absent',
    { place, signal }: Pick<At, 'place' | 'signal'>,
    afterRefusal: () => Partial<Push>,
  ): Promise<Push | null> {
    const { checkLeader, now, pusherOf } = this.#deps
    const { membership, externalId } = push
    const change = { membership, to, ...(to === 'absent' && externalId !== null ? { externalId } : {}) }
    checkLeader()
    let ticket: PushTicket
    try {
      ticket = await pusherOf(membership.kind).begin(change, signal)
    } catch (error) {
      if (isEndOfPass(error, signal) || isStale(error)) throw error
      if (!(error instanceof PushRefused)) {
        await this.#note(push, error) // it may take effect all the same
        return null
      }
      const refused = { ...push, ...afterRefusal() }
      const { code, message: reason, isLasting } = error
      if (code === 'Conflict' || code === 'Busy') return await this.#later({ ...refused, reason }, busyMs)
      await this.#fail(refused, to, { reason, isLasting })
      return null
    }
    const checkAt = now() + pusherOf(membership.kind).firstPollMs
    place.keep() // AWS works there
    const begun = await this.#write({ ...push, underway: { to, ticket, since: now() }, checkAt })
    return checkAt > now() ? null : begun
  }

  async #poll(push: Push, { want, underway, signal }: Omit<At, 'place'>): Promise<Push | null> {
    const { now, pusherOf } = this.#deps
    const { membership, underway: current } = push
    if (!current) return push
    const { to, since } = current
    const found = await pusherOf(membership.kind).poll(current.ticket, signal)
    const idle: Push = { ...push, underway: null }
    switch (found.state) {
      case 'in-progress': {
        const age = now() - since
        if (age < ticketMs) {
          await this.#write({ ...push, checkAt: now() + Math.min(slowestPollMs, Math.max(1000, Math.ceil(age / 4))) })
          return null
        }
        underway.free(membership)
        return await this.#write(idle)
      }
      case 'unknown':
        underway.free(membership)
        return await this.#write(idle)
      case 'failed':
        underway.free(membership)
        await this.#fail(to === 'present' ? { ...idle, begunAt: null } : idle, to, found)
        return null
      case 'succeeded': {
        underway.free(membership)
        if (to === 'absent') return await this.#write(idle) // it counts when it is seen
        const ownership = await this.#ownershipOfCreated(idle)
        const externalId = found.externalId ?? null
        const settled = await this.#settle(idle, { state: 'granted', ownership, externalId }, granted(want))
        if (want) return null
        return await this.#write({ ...settled, checkAt: now() }) // its grant has ended while AWS was at work
      }
      default:
        return found satisfies never
    }
  }

  async #ownershipOfCreated({ membership, begunAt }: Push): Promise<Ownership> {
    return begunAt !== null && (await this.#deps.isForeign(membership, begunAt)) ? 'uncertain' : 'created'
  }

  /** AWS said no. */
  async #fail(push: Push, to: 'present' | 'absent', why: { reason: string; isLasting: boolean }): Promise<void> {
    const { reason, isLasting } = why
    const isShown = push.begunAt === null && isLasting && to === 'present'
    const failures = push.failures + 1
    const isNew = reason !== push.reason || (isShown && push.state !== 'failed')
    const waitMs = isLasting && to === 'present' ? lastingMs : backOff(failures, push.state)
    const checkAt = this.#deps.now() + waitMs
    const failed: Push = { ...push, ...why, ...(isShown ? { state: 'failed' as const } : {}), failures, checkAt }
    await this.#write(failed, isLasting && isNew ? { type: 'failed', to } : undefined)
  }

  /** No answer that says anything of the membership. */
  async #note(push: Push, error: unknown): Promise<void> {
    const failures = push.failures + 1
    const state = push.state === 'gone' ? 'granting' : push.state
    const reason = error instanceof Error ? error.message : String(error)
    await this.#write({ ...push, state, reason, failures, checkAt: this.#deps.now() + backOff(failures, state) })
  }

  async #later(push: Push, ms: number): Promise<null> {
    const state = push.state === 'gone' ? 'granting' : push.state
    await this.#write({ ...push, state, checkAt: this.#deps.now() + ms })
    return null
  }

  async #settle(push: Push, to: Partial<Push>, told?: PushTold): Promise<Push> {
    // One that AWS was asked to remove before, and that is wanted again, may still go.
    const soon = push.state === 'removing' ? 60_000 : driftMs
    return await this.#write({ ...push, ...asItShouldBe, checkAt: this.#deps.now() + soon, ...to }, told)
  }

  async #write(push: Push, told?: PushTold): Promise<Push> {
    const next = { ...push, version: push.version + 1 }
    await this.#deps.books.write(next, told)
    return next
  }
}

interface Job {
  readonly push: Push
  readonly want: Want | undefined
  /** How many at most, one after the other; left out: {@link mostSteps}. */
  readonly steps?: number
}

interface At {
  readonly want: Want | undefined
  readonly underway: Underway
  readonly place: Place
  readonly signal: AbortSignal
}

function granted(want: Want | undefined): PushTold {
  return { type: 'granted', grants: want?.grants ?? [] }
}

const asItShouldBe = { reason: null, isLasting: false, failures: 0 } as const
const gone = { state: 'gone', ownership: null, externalId: null, begunAt: null, overdueSince: null } as const

/** What has changed since the last look is due at once. */
function isDue(push: Push, want: Want | undefined, now: number): boolean {
  if (push.checkAt <= now) return true
  // Nothing is put off for so long: the clock was set back.
  if (push.checkAt > now + (push.state === 'removing' ? mostRemovalBackOffMs : outsideMs)) return true
  if (push.underway) return false
  if (!want) return push.overdueSince === null && push.state !== 'outside'
  return push.overdueSince !== null || push.state === 'outside' || push.wantedUntil !== want.until
}

function earliest(pushes: readonly Push[]): number | null {
  return pushes.reduce<number | null>((least, { checkAt }) => Math.min(least ?? checkAt, checkAt), null)
}

/** What waits for a place stays due, and has none before what is under way has been asked about. */
function whenFree(pushes: readonly Push[], now: number): number {
  return earliest(pushes.filter(({ checkAt }) => checkAt > now)) ?? now + 1000
}

/** Whether AWS will have to be asked for a change, as far as is known without a look. */
function isChangeExpected(push: Push, want: Want | undefined): boolean {
  return want ? push.state !== 'granted' && push.state !== 'outside' : isOurs(push)
}

function backOff(failures: number, state: Push['state']): number {
  const most = state === 'removing' ? mostRemovalBackOffMs : mostBackOffMs
  return Math.min(most, 1000 * 2 ** Math.min(failures, 20))
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

function isStale(error: unknown): boolean {
  return codeOf(error) === 'STALE'
}

function isEndOfPass(error: unknown, signal: AbortSignal): boolean {
  const code = codeOf(error)
  return signal.aborted || code === 'NOT_LEADER' || code === 'STORE_UNAVAILABLE' || code === 'AUDIT_UNAVAILABLE'
}
