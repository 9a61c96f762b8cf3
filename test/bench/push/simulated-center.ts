import { AssignmentPlaces } from '../../../src/aws/identity-center/assignment-places.ts'
import { identityCenterPace } from '../../../src/aws/identity-center/identity-center-callers.ts'
import { SharedPolls } from '../../../src/aws/identity-center/shared-polls.ts'
import { Paced, type Urgency } from '../../../src/aws/paced.ts'
import { keyOf, type Membership, placeOf } from '../../../src/pushed/membership.ts'
import { type Pusher, PushRefused } from '../../../src/pushed/pusher.ts'
import type { VirtualTime } from '../sync/virtual-time.ts'
import { workMs } from './claims.ts'

/** Of AWS, for all who call it (user guide, "Quotas"). */
const mostPerSecond = 20
const mostChanges = 10
const answerMs = 80

interface Work {
  readonly id: string
  readonly membership: Membership
  readonly to: 'present' | 'absent'
  readonly endsAt: number
}

/** An Identity Center with AWS's limits, behind the pace, the places and the shared polls that the broker has. */
export class SimulatedCenter {
  readonly #time: VirtualTime
  readonly #paced: Paced
  readonly #places: AssignmentPlaces
  readonly #work = new Map<string, Work>()
  readonly #there = new Map<string, string>()
  readonly #calls: number[] = []
  /** Calls by name. */
  readonly calls: Record<string, number> = {}
  /** What AWS had to refuse. */
  readonly refused = { throttled: 0, tooMany: 0, conflict: 0 }
  /** When each membership was there, and when it was gone again, by its key. */
  readonly seen: { readonly key: string; readonly to: 'present' | 'absent'; readonly at: number }[] = []
  #ids = 0
  #changes = 0

  constructor(time: VirtualTime) {
    this.#time = time
    this.#paced = new Paced(identityCenterPace, time.pace)
    this.#places = new AssignmentPlaces({ now: () => time.now() })
  }

  get size(): number {
    this.#settle()
    return this.#there.size
  }

  readonly pusher: Pick<Pusher, 'observe' | 'begin' | 'poll' | 'firstPollMs'> = {
    firstPollMs: 1000,
    observe: (membership) =>
      this.#call('observe', 0, () => {
        const externalId = this.#there.get(keyOf(membership))
        return externalId === undefined ? { isThere: false } : { isThere: true, externalId }
      }),
    begin: async ({ membership, to }) => {
      const name = to === 'present' ? 'create' : 'delete'
      const urgency = to === 'present' ? 0 : 2
      if (membership.account === null)
        return await this.#call(name, urgency, () => {
          this.#done({ membership, to })
          return { group: 'yes' }
        })
      const start = () => this.#call(name, urgency, () => this.#begin(membership, to))
      try {
        return { change: name, requestId: await this.#places.begin(name, start) }
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? String(error.code) : ''
        if (code !== 'Busy') throw error
        throw new PushRefused({ code, message: 'as many are under way as AWS allows', isLasting: false })
      }
    },
    poll: async ({ change, requestId }, signal) => {
      if (requestId === undefined) return { state: 'succeeded' }
      const ticket = { change: change === 'delete' ? 'delete' : 'create', requestId } as const
      const state = (await this.#polls.ask(ticket, signal)) ?? 'in-progress'
      if (state === 'in-progress') this.#places.seen(requestId)
      else this.#places.ended(requestId)
      return { state }
    },
  }

  readonly #polls = new SharedPolls<'succeeded' | 'in-progress'>({
    gather: () => this.#time.after(0),
    underWay: (change) =>
      this.#call('list of changes', 1, () => {
        const wanted = change === 'create' ? 'present' : 'absent'
        return new Set([...this.#work.values()].filter(({ to }) => to === wanted).map(({ id }) => id))
      }),
    describe: ({ requestId }) =>
      this.#call('describe', 1, () => (this.#work.has(requestId) ? 'in-progress' : 'succeeded')),
  })

  #call<T>(name: string, urgency: Urgency, answer: () => T): Promise<T> {
    const work = async () => {
      this.calls[name] = (this.calls[name] ?? 0) + 1
      this.#count()
      await this.#time.after(answerMs)
      this.#settle()
      return answer()
    }
    return this.#paced.run(new AbortController().signal, work, urgency)
  }

  #count(): void {
    const now = this.#time.now()
    this.#calls.push(now)
    while ((this.#calls[0] ?? now) <= now - 1000) this.#calls.shift()
    if (this.#calls.length > mostPerSecond) this.refused.throttled += 1
  }

  #begin(membership: Membership, to: 'present' | 'absent'): string {
    if (this.#work.size >= mostChanges) this.refused.tooMany += 1
    const place = placeOf(membership)
    if ([...this.#work.values()].some((one) => placeOf(one.membership) === place)) {
      this.refused.conflict += 1
      throw new PushRefused({ code: 'Conflict', message: 'a change is under way', isLasting: false })
    }
    const id = `work-${++this.#ids}`
    this.#work.set(id, { id, membership, to, endsAt: this.#time.now() + workMs(++this.#changes) })
    return id
  }

  #settle(): void {
    for (const work of this.#work.values())
      if (work.endsAt <= this.#time.now()) {
        this.#work.delete(work.id)
        this.#done(work, work.endsAt)
      }
  }

  #done({ membership, to }: Pick<Work, 'membership' | 'to'>, at = this.#time.now()): void {
    const key = keyOf(membership)
    if (to === 'present') this.#there.set(key, `id-${++this.#ids}`)
    else this.#there.delete(key)
    this.seen.push({ key, to, at })
  }
}
