import { Heap } from './heap.ts'

/** Something that waits for its turn; `isValid` false: it was planned anew since. */
export interface Waiting {
  readonly group: string
  /** Less comes first. */
  readonly at: number
  isValid(): boolean
}

/**
 * What is ready, by groups of which each bears only so much at once. The first of all whose group has room comes first, and a group that
 * has none costs the others nothing.
 */
export class Ready<T extends Waiting> {
  readonly #groups = new Map<string, Heap<T>>()
  readonly #order = new Heap<{ readonly group: string; readonly at: number }>(isEarlier)

  push(item: T): void {
    let heap = this.#groups.get(item.group)
    if (!heap) {
      heap = new Heap<T>(isEarlier)
      this.#groups.set(item.group, heap)
    }
    heap.push(item)
    if (heap.first === item) this.#order.push(item)
  }

  /** A group may have room again. */
  offer(group: string): void {
    const first = this.#groups.get(group)?.first
    if (first) this.#order.push({ group, at: first.at })
  }

  /** @param hasRoom of a group: where not, it must be offered once it has */
  take(hasRoom: (group: string) => boolean): T | undefined {
    for (let next = this.#order.pop(); next; next = this.#order.pop()) {
      const heap = this.#groups.get(next.group)
      if (!heap) continue
      while (heap.first && !heap.first.isValid()) heap.pop()
      if (heap.size === 0) {
        this.#groups.delete(next.group)
        continue
      }
      if (!hasRoom(next.group)) continue
      const item = heap.pop()
      this.offer(next.group)
      return item
    }
    return undefined
  }
}

function isEarlier(a: { readonly at: number }, b: { readonly at: number }): boolean {
  return a.at < b.at
}
