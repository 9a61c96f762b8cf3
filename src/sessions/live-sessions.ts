import type { Identity, SessionControls } from '../../proxy/doorman.ts'
import type { EndNotice } from '../../proxy/session.ts'
import { expiredAt } from '../access/grants/grant-events.ts'
import { type Change, concerns, type Held, isRemoval } from '../store/changes.ts'
import type { Clock } from '../telemetry/clock.ts'

const longestTimerMs = 3_600_000

/** An open session. */
export interface LiveSession {
  readonly id: string
  readonly principalId: string
  readonly grantId: string
  readonly resourceId: string
  readonly kind: string
  readonly credential: Identity['credential']
  readonly openedAt: number
  /** Epoch milliseconds; a grant that is extended moves it. */
  readonly endsAt: number
  /** Its carrier. */
  readonly carrier: Pick<SessionControls, 'cut' | 'runsUntil'>
}

interface Entry {
  session: LiveSession
  /** Why it was cut. */
  notice: EndNotice | undefined
  /** `performance.now()` at which the session is over regardless of the wall clock, so that setting the clock back lengthens nothing. */
  deadline: number
  timer: NodeJS.Timeout
}

/** The open sessions of this daemon, and the only place where they are cut. */
export class LiveSessions {
  readonly #entries = new Map<string, Entry>()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#entries.size
  }

  add(session: LiveSession): void {
    const entry: Entry = {
      session,
      notice: undefined,
      deadline: this.#deadlineOf(session),
      timer: setTimeout(() => {}, 0),
    }
    this.#entries.set(session.id, entry)
    this.#arm(entry)
  }

  get(id: string): LiveSession | undefined {
    return this.#entries.get(id)?.session
  }

  remove(id: string): void {
    const entry = this.#entries.get(id)
    if (!entry) return
    clearTimeout(entry.timer)
    this.#entries.delete(id)
  }

  /** Why a session was cut; undefined while it runs. */
  noticeOf(id: string): EndNotice | undefined {
    const entry = this.#entries.get(id)
    if (entry && this.#isOver(entry)) this.#cutExpired(entry.session)
    return entry?.notice
  }

  /** Moves the end of a grant's sessions. @returns ids of the sessions that moved */
  move(grantId: string, endsAt: number): string[] {
    const moved: string[] = []
    for (const entry of this.#entries.values()) {
      const { session, notice } = entry
      if (session.grantId !== grantId || notice || endsAt === session.endsAt) continue
      entry.session = { ...session, endsAt }
      entry.deadline = this.#deadlineOf(entry.session)
      this.#arm(entry)
      session.carrier.runsUntil(session.id, endsAt)
      moved.push(session.id)
    }
    return moved
  }

  count(matches: (session: LiveSession) => boolean): number {
    let count = 0
    for (const { session } of this.#entries.values()) if (matches(session)) count++
    return count
  }

  /** Ends every session that matches; their engines tell the clients. @returns how many were cut */
  cut(matches: (session: LiveSession) => boolean, notice: EndNotice): number {
    let count = 0
    for (const entry of [...this.#entries.values()]) {
      const { session } = entry
      if (entry.notice || !matches(session)) continue
      entry.notice = this.#causeOf(entry, notice)
      session.carrier.cut(session.id, entry.notice)
      count++
    }
    return count
  }

  /** Tokens and logins go with the grant that they served: what ends as a consequence, and arrives first, has the grant's reason. */
  #causeOf(entry: Entry, notice: EndNotice): EndNotice {
    const isConsequence = notice.reason === 'token-revoked' || notice.reason === 'login-ended'
    return isConsequence && this.#isOver(entry) ? { ...expiryOf(entry.session), decidedAt: notice.decidedAt } : notice
  }

  /** Cuts the sessions that a change affects. */
  apply(change: Change): void {
    if (!isRemoval(change)) return // access re-checks, and publishes the grants that end
    const { reason, text, decidedAt } = change
    this.cut((session) => concerns(change, heldBy(session)), { reason, text, decidedAt })
  }

  /** Cuts sessions past their end; also called by the daemon's sweep, which survives a suspended machine. */
  expire(): void {
    for (const entry of this.#entries.values()) if (this.#isOver(entry)) this.#cutExpired(entry.session)
  }

  #deadlineOf(session: LiveSession): number {
    return performance.now() + (session.endsAt - this.#clock.now())
  }

  #arm(entry: Entry): void {
    clearTimeout(entry.timer)
    const left = Math.min(entry.session.endsAt - this.#clock.now(), entry.deadline - performance.now(), longestTimerMs)
    entry.timer = setTimeout(
      () => {
        if (this.#isOver(entry)) this.#cutExpired(entry.session)
        else this.#arm(entry)
      },
      Math.max(left, 0),
    )
    entry.timer.unref()
  }

  #isOver(entry: Entry): boolean {
    return this.#clock.now() >= entry.session.endsAt || performance.now() >= entry.deadline
  }

  #cutExpired(session: LiveSession): void {
    this.cut((other) => other.id === session.id, { ...expiryOf(session), decidedAt: this.#clock.now() })
  }
}

function expiryOf({ endsAt }: LiveSession) {
  return { reason: 'grant-expired', text: expiredAt(endsAt) } as const
}

function heldBy({ id: sessionId, grantId, principalId, credential, resourceId }: LiveSession): Held {
  return { sessionId, grantId, principalId, credentialId: credential.id, resourceId }
}
