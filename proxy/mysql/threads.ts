import type { Duplex } from 'node:stream'
import type { CancelAsk } from '../doorman.ts'
import { type Place, sessionNumber, sessionNumbers } from '../place.ts'
import type { ClientOrigin } from '../session.ts'

/** What KILL does: stops the statement that runs, or ends the session too. */
export type KillKind = 'query' | 'connection'

/** A session as others of the same person may end it. */
export interface KillableSession {
  readonly principalId: string
  readonly resourceId: string
  /** Its number at the target, which `SELECT CONNECTION_ID()` returns. */
  readonly targetThreadId: number
  /** Stops the statement that runs, if one does. @returns false when it may not be asked from there */
  cancel(from: ClientOrigin): Promise<boolean>
  end(): void
}

/** @returns what `doorman.cancel` carries to the front of that thread: what to do, and for whom. It is no secret. */
export function killKey(kind: KillKind, principalId: string): Buffer {
  return Buffer.from(`${kind} ${principalId}`)
}

/**
 * Clients of this front by the number that their greeting named. It says which daemon and front they are at. A number is used
 * again only when all others have been, so that a late KILL does not hit another session.
 */
export class Threads {
  readonly #place: Place
  readonly #sessions = new Map<number, KillableSession | undefined>()
  #last: number

  /** @param start of the numbers, random so that those of a previous run mean nothing */
  constructor(place: Place, start: number) {
    this.#place = place
    this.#last = start
  }

  /** Takes a number for a client that has just connected; it is free again once the stream has closed. */
  reserve(stream: Duplex): number {
    const id = this.#next()
    this.#sessions.set(id, undefined)
    const release = () => void this.#sessions.delete(id)
    if (stream.destroyed) release()
    else stream.once('close', release)
    return id
  }

  #next(): number {
    for (let tried = 0; tried < sessionNumbers; tried += 1) {
      this.#last = (this.#last % sessionNumbers) + 1
      const id = sessionNumber(this.#place, this.#last)
      if (!this.#sessions.has(id)) return id
    }
    throw new Error('every thread number is in use')
  }

  begin(id: number, session: KillableSession): void {
    if (this.#sessions.has(id)) this.#sessions.set(id, session)
  }

  end(id: number): void {
    if (this.#sessions.has(id)) this.#sessions.set(id, undefined)
  }

  /**
   * @param number as a client gave it: that of a greeting, or of one of the person's own sessions at the same target
   * @returns the number of the greeting
   */
  numberOf(number: number, { principalId, resourceId }: Pick<KillableSession, 'principalId' | 'resourceId'>): number {
    if (this.#sessions.has(number)) return number
    for (const [id, session] of this.#sessions)
      if (
        session?.targetThreadId === number &&
        session.principalId === principalId &&
        session.resourceId === resourceId
      )
        return id
    return number
  }

  hasSession(id: number): boolean {
    return this.#sessions.get(id) !== undefined
  }

  isOf(id: number, principalId: string): boolean {
    return this.#sessions.get(id)?.principalId === principalId
  }

  /** @returns whether the session is that person's; if so, the kill has been carried out */
  async use({ id, key, origin }: CancelAsk): Promise<boolean> {
    const session = this.#sessions.get(id)
    if (!session) return false
    const asked = Buffer.from(key)
    const kind = (['query', 'connection'] as const).find((one) => killKey(one, session.principalId).equals(asked))
    if (!kind || !(await session.cancel(origin))) return false
    if (kind === 'connection') session.end()
    return true
  }
}
