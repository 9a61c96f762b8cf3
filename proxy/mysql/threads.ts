import type { Duplex } from 'node:stream'
import type { StopAsk, StopResult } from '../doorman.ts'
import { type Place, sessionNumber, sessionNumbers } from '../place.ts'
import type { ClientOrigin } from '../session.ts'

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

  /** KILL of a session at this front. Numbers of greetings come before those of the target. */
  async stop({ number, what, principalId, resourceId, origin }: StopAsk): Promise<StopResult> {
    const greeted = this.#sessions.get(number)
    const session = greeted?.principalId === principalId ? greeted : this.#atTarget(number, { principalId, resourceId })
    if (!session) return greeted ? 'denied' : 'unknown'
    if (!(await session.cancel(origin))) return 'denied'
    if (what === 'session') session.end()
    return 'done'
  }

  /** One of the person's own sessions there: other people's have numbers that mean nothing here. */
  #atTarget(number: number, of: Pick<KillableSession, 'principalId' | 'resourceId'>): KillableSession | undefined {
    for (const session of this.#sessions.values())
      if (
        session?.targetThreadId === number &&
        session.principalId === of.principalId &&
        session.resourceId === of.resourceId
      )
        return session
    return undefined
  }
}
