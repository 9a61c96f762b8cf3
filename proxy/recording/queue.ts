const leastPlaces = 8

/** A FIFO queue: a ring, so that neither a shift nor a push to an empty one moves or allocates. */
export class Queue<T> {
  /** Their number is a power of two. */
  #places: (T | undefined)[] = Array<undefined>(leastPlaces).fill(undefined)
  #head = 0
  #size = 0

  get size(): number {
    return this.#size
  }

  get first(): T | undefined {
    return this.#places[this.#head]
  }

  /** @param index from the first, 0 */
  at(index: number): T | undefined {
    return index < this.#size ? this.#places[this.#placeOf(index)] : undefined
  }

  push(item: T): void {
    if (this.#size === this.#places.length) this.#resize(this.#size * 2)
    this.#places[this.#placeOf(this.#size)] = item
    this.#size += 1
  }

  shift(): T | undefined {
    if (this.#size === 0) return undefined
    const item = this.#places[this.#head]
    this.#places[this.#head] = undefined
    this.#head = this.#placeOf(1)
    this.#size -= 1
    if (this.#places.length > leastPlaces && this.#size < this.#places.length / 8) this.#resize(this.#places.length / 4)
    return item
  }

  /** Removes and returns all but the first. */
  takeRest(): T[] {
    const rest: T[] = []
    for (let i = 1; i < this.#size; i += 1) rest.push(this.at(i) as T)
    const { first } = this
    this.#places = Array<undefined>(leastPlaces).fill(undefined)
    this.#head = 0
    this.#size = Math.min(this.#size, 1)
    this.#places[0] = first
    return rest
  }

  #placeOf(index: number): number {
    return (this.#head + index) & (this.#places.length - 1)
  }

  #resize(places: number): void {
    const moved = Array<T | undefined>(Math.max(places, leastPlaces)).fill(undefined)
    for (let i = 0; i < this.#size; i += 1) moved[i] = this.at(i)
    this.#places = moved
    this.#head = 0
  }
}
