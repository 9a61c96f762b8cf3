import { type Membership, placeOf } from './membership.ts'
import type { Push } from './push.ts'

/** Of those that AWS may work at, for removals alone. */
const forRemovals = 2

/** What AWS works at: one change in each place, and not too many assignments in all. Members of groups are changed at once. */
export class Underway {
  readonly #places = new Map<string, number>()
  readonly #most: number
  #count = 0
  /** Something was to be changed and had to wait. */
  isWaitedFor = false
  /** There was no time for all. */
  isCutShort = false

  constructor(pushes: Iterable<Push>, most: number) {
    this.#most = most
    for (const { membership, underway } of pushes) if (underway) this.#add(membership)
  }

  /** @returns false when it has to wait */
  take(membership: Membership, to: 'present' | 'absent'): boolean {
    const most = to === 'present' ? Math.max(1, this.#most - forRemovals) : this.#most
    if (this.#places.has(placeOf(membership)) || (isCounted(membership) && this.#count >= most)) return false
    this.#add(membership)
    return true
  }

  free(membership: Membership): void {
    const place = placeOf(membership)
    const left = (this.#places.get(place) ?? 0) - 1
    if (left > 0) this.#places.set(place, left)
    else this.#places.delete(place)
    if (isCounted(membership)) this.#count--
  }

  #add(membership: Membership): void {
    const place = placeOf(membership)
    this.#places.set(place, (this.#places.get(place) ?? 0) + 1)
    if (isCounted(membership)) this.#count++
  }
}

function isCounted({ account }: Membership): boolean {
  return account !== null
}

/** A place for one change: given back, unless AWS works there from now on. */
export class Place {
  readonly #underway: Underway
  readonly #membership: Membership
  readonly #to: 'present' | 'absent'
  #isTaken = false

  constructor(underway: Underway, membership: Membership, to: 'present' | 'absent') {
    this.#underway = underway
    this.#membership = membership
    this.#to = to
  }

  /** @returns false when it has to wait */
  take(): boolean {
    this.#isTaken ||= this.#underway.take(this.#membership, this.#to)
    return this.#isTaken
  }

  keep(): void {
    this.#isTaken = false
  }

  [Symbol.dispose](): void {
    if (this.#isTaken) this.#underway.free(this.#membership)
    this.#isTaken = false
  }
}
