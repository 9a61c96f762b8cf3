import { type Membership, placeOf } from './membership.ts'
import type { Push } from './push.ts'

/** What AWS works at: one change in each place, and not too many in all. */
export class Underway {
  readonly #places = new Map<string, number>()
  readonly #most: number
  #count = 0

  constructor(pushes: Iterable<Push>, most: number) {
    this.#most = most
    for (const { membership, underway } of pushes) if (underway) this.#add(placeOf(membership))
  }

  /** @returns false when it has to wait */
  take(membership: Membership): boolean {
    const place = placeOf(membership)
    if (this.#count >= this.#most || this.#places.has(place)) return false
    this.#add(place)
    return true
  }

  free(membership: Membership): void {
    const place = placeOf(membership)
    const left = (this.#places.get(place) ?? 0) - 1
    if (left > 0) this.#places.set(place, left)
    else this.#places.delete(place)
    this.#count--
  }

  #add(place: string): void {
    this.#places.set(place, (this.#places.get(place) ?? 0) + 1)
    this.#count++
  }
}
