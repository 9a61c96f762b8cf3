/** An Identity Center of a few lines, with an actor beside us, faults, and a clock that is moved by hand. */

import { keyOf, type Membership, placeOf } from '../../../src/pushed/membership.ts'
import { type Pusher, PushRefused, type PushState, type PushTicket } from '../../../src/pushed/pusher.ts'

export interface There {
  readonly membership: Membership
  /** Who asked for it since it is there. */
  readonly makers: Set<'us' | 'other'>
  readonly externalId: string
}

interface Work {
  readonly key: string
  readonly membership: Membership
  readonly to: 'present' | 'absent'
  readonly endsAt: number
  /** Why it fails; null: it succeeds. */
  readonly failure: string | null
  isOver: boolean
}

/** What goes wrong with the next call: `lost`: it takes effect and its answer does not arrive; `cut`: nothing arrives. */
export type Fault = 'lost' | 'cut' | 'throttled' | 'quota' | 'fails' | null

export class FakeAws {
  readonly there = new Map<string, There>()
  readonly calls: string[] = []
  /** Removals of ours that took away what someone else had asked for. */
  readonly wrongs: string[] = []
  readonly #work = new Map<string, Work>()
  /** Those that are not over. */
  readonly #current = new Set<Work>()
  readonly #foreign: { readonly key: string; readonly at: number }[] = []
  readonly #now: () => number
  #ids = 0
  /** How long AWS works at a change; 0: it does it at once, as with groups. */
  workMs: () => number = () => 2000
  fault: (operation: 'observe' | 'begin' | 'poll') => Fault = () => null
  /** Whether the log of AWS shows what others do. */
  showsForeign = true

  constructor(now: () => number) {
    this.#now = now
  }

  /** Someone else adds or removes it. @returns false: AWS is at work there */
  actOutside(membership: Membership, to: 'present' | 'absent'): boolean {
    this.#settle()
    if (this.#isBusy(membership)) return false
    const key = keyOf(membership)
    if (to === 'absent') return this.there.delete(key)
    this.#foreign.push({ key, at: this.#now() })
    this.#put(membership, 'other')
    return true
  }

  isForeign = async (membership: Membership, since: number): Promise<boolean> => {
    const key = keyOf(membership)
    return this.showsForeign && this.#foreign.some((one) => one.key === key && one.at >= since)
  }

  readonly pusher: Pick<Pusher, 'observe' | 'begin' | 'poll' | 'firstPollMs'> = {
    firstPollMs: 1000,
    observe: async (membership) => {
      this.calls.push('observe')
      this.#settle()
      this.#failAs(this.fault('observe'))
      const found = this.there.get(keyOf(membership))
      return found ? { isThere: true, externalId: found.externalId } : { isThere: false }
    },
    begin: async ({ membership, to, externalId }) => {
      this.calls.push(to === 'present' ? 'create' : 'delete')
      this.#settle()
      const fault = this.fault('begin')
      if (fault !== 'lost' && fault !== 'fails') this.#failAs(fault)
      if (this.#isBusy(membership)) throw refused('Conflict')
      const found = this.there.get(keyOf(membership))
      if (to === 'absent' && (!found || (externalId !== undefined && externalId !== found.externalId)))
        throw refused('NotFound')
      const id = `work-${++this.#ids}`
      const failure = fault === 'fails' ? 'the role quota of the account is exceeded' : null
      const endsAt = this.#now() + this.workMs()
      const work: Work = { key: keyOf(membership), membership, to, endsAt, failure, isOver: false }
      this.#work.set(id, work)
      this.#current.add(work)
      this.#settle()
      if (fault === 'lost') throw new Error('socket hang up')
      return { id }
    },
    poll: async (ticket): Promise<PushState> => {
      this.calls.push('poll')
      this.#settle()
      this.#failAs(this.fault('poll'))
      return this.#stateOf(ticket)
    },
  }

  #stateOf({ id = '' }: PushTicket): PushState {
    const work = this.#work.get(id)
    if (!work) throw new Error('no such request')
    if (!work.isOver) return { state: 'in-progress' }
    if (work.failure !== null) return { state: 'failed', reason: work.failure, isLasting: true }
    const externalId = this.there.get(work.key)?.externalId
    return { state: 'succeeded', ...(work.to === 'present' && externalId ? { externalId } : {}) }
  }

  #failAs(fault: Fault): void {
    if (fault === 'throttled') throw refused('Busy')
    if (fault === 'quota') throw refused('QuotaExceeded')
    if (fault === 'cut' || fault === 'lost') throw new Error('socket hang up')
  }

  #isBusy(membership: Membership): boolean {
    const place = placeOf(membership)
    return [...this.#current].some((work) => placeOf(work.membership) === place)
  }

  #settle(): void {
    for (const work of this.#current) {
      if (work.endsAt > this.#now()) continue
      work.isOver = true
      this.#current.delete(work)
      if (work.failure !== null) continue
      if (work.to === 'present') this.#put(work.membership, 'us')
      else this.#take(work.key)
    }
  }

  #put(membership: Membership, maker: 'us' | 'other'): void {
    const key = keyOf(membership)
    const found = this.there.get(key)
    if (found) found.makers.add(maker)
    else this.there.set(key, { membership, makers: new Set([maker]), externalId: `id-${++this.#ids}` })
  }

  #take(key: string): void {
    if (this.there.get(key)?.makers.has('other')) this.wrongs.push(key)
    this.there.delete(key)
  }
}

function refused(code: 'Conflict' | 'NotFound' | 'Busy' | 'QuotaExceeded'): PushRefused {
  return new PushRefused({ code, message: `AWS refused it: ${code}`, isLasting: /NotFound|QuotaExceeded/.test(code) })
}
