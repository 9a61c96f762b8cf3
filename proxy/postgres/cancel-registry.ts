import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { CancelAsk } from '../doorman.ts'
import { makeSessionNumber, type Place } from '../place.ts'
import type { ClientOrigin } from '../session.ts'

/** The key with which a client cancels: never the target's own. */
export interface CancelKey {
  readonly pid: number
  readonly key: Buffer
}

/** @returns false when it may not come from there */
type Cancel = (from: ClientOrigin) => Promise<boolean>

/**
 * Open sessions of this front by the key that cancels their statement. The pid names the daemon and front; the doorman counts wrong
 * keys, since every cancel passes through it.
 */
export class CancelRegistry {
  readonly #sessions = new Map<number, { key: Buffer; cancel: Cancel }>()
  readonly #place: Place

  constructor(place: Place) {
    this.#place = place
  }

  /** @param minor of the client's protocol: 3.2 has keys of 32 bytes */
  add(minor: number, cancel: Cancel): CancelKey {
    let pid = makeSessionNumber(this.#place)
    while (this.#sessions.has(pid)) pid = makeSessionNumber(this.#place)
    const key = randomBytes(minor >= 2 ? 32 : 4)
    this.#sessions.set(pid, { key, cancel })
    return { pid, key }
  }

  remove({ pid }: CancelKey): void {
    this.#sessions.delete(pid)
  }

  /** @returns whether the key was right and came from where it may; if so, the target has received the cancel */
  async use({ id, key, origin }: CancelAsk): Promise<boolean> {
    const session = this.#sessions.get(id)
    if (!session || key.length !== session.key.length || !timingSafeEqual(key, session.key)) return false
    return await session.cancel(origin)
  }
}
