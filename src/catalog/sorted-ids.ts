/** Ids in their order, in parts that are short enough to be shifted for each that comes or goes. */
export class SortedIds {
  #parts: string[][] = []

  add(id: string): void {
    const { at, place, isThere } = this.#find(id)
    if (isThere) return
    const part = this.#parts[at]
    if (!part) {
      this.#parts.push([id])
      return
    }
    part.splice(place, 0, id)
    if (part.length > mostInPart) this.#parts.splice(at + 1, 0, part.splice(mostInPart >> 1))
  }

  delete(id: string): void {
    const { at, place, isThere } = this.#find(id)
    const part = this.#parts[at]
    if (!isThere || !part) return
    part.splice(place, 1)
    if (part.length === 0) this.#parts.splice(at, 1)
  }

  /** In their order, those that come behind one. @param id left out: from the first */
  *behind(id?: string): Generator<string> {
    const { at, place, isThere } = id === undefined ? { at: 0, place: 0, isThere: false } : this.#find(id)
    for (let i = at; i < this.#parts.length; i += 1) {
      const part = this.#parts[i] ?? []
      for (let j = i === at ? place + (isThere ? 1 : 0) : 0; j < part.length; j += 1) yield part[j] ?? ''
    }
  }

  /** The part and the place in it where an id is, or would come. */
  #find(id: string): { at: number; place: number; isThere: boolean } {
    const at = Math.max(0, countUpTo(this.#parts.length, (i) => (this.#parts[i]?.[0] ?? '') <= id) - 1)
    const part = this.#parts[at] ?? []
    const place = countUpTo(part.length, (i) => (part[i] ?? '') < id)
    return { at, place, isThere: part[place] === id }
  }
}

const mostInPart = 512

/** How many of the first satisfy something that, from some place on, none does. */
function countUpTo(length: number, isBefore: (place: number) => boolean): number {
  let [low, high] = [0, length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isBefore(middle)) low = middle + 1
    else high = middle
  }
  return low
}
