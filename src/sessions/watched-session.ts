import { BrokerError } from '../../proxy/session.ts'
import type { Access } from '../access/access.ts'
import { isOverseer } from '../access/core.ts'
import type { AuditLog } from '../audit/audit.ts'
import type { Identity } from '../identity/create-identity.ts'
import type { Login } from '../identity/principal.ts'
import type { Recordings } from '../recordings/recordings.ts'
import { type Change, type Changes, concerns, isRemoval } from '../store/changes.ts'
import type { FoundSession } from './find-session.ts'
import type { SessionStore } from './session-store.ts'
import type { Sessions } from './sessions.ts'

/** What became of a text for the person in front of a terminal. */
export interface Told {
  /** False: there is no terminal that runs. */
  readonly isShown: boolean
  /** Bytes of the recording then. */
  readonly size: number
}

export interface WatchDeps {
  readonly sessions: Pick<Sessions, 'find' | 'isOpen' | 'tell'>
  readonly store: Pick<SessionStore, 'find'>
  readonly recordings: Pick<Recordings, 'size'>
  readonly audit: Pick<AuditLog, 'append' | 'appendRemoval'>
  readonly identity: Pick<Identity, 'loginNow'>
  readonly access: Pick<Access, 'mayWatch' | 'mayEnd'>
  readonly changes: Pick<Changes, 'subscribe'>
  /** @throws BrokerError PEER_UNREACHABLE */
  tellElsewhere(daemonId: string, sessionId: string, text: string): Promise<Told>
}

/** A terminal that is being watched. */
export interface Watched {
  /** Where to begin in its recording. */
  readonly offset: number
  readonly isElsewhere: boolean
  /** Aborted with a BrokerError when the right to watch is gone. */
  readonly signal: AbortSignal
  isOver(): Promise<boolean>
  /** Tells the person, and the log. Never rejects. */
  leave(): Promise<void>
}

/** Of one person, at a time. */
const mostAtOnce = 4
/** The last screen or so. */
const shownBefore = 64 * 1024
/** Rights that go without a removal, such as a group at the next sign-in, or an approver's. */
const recheckMs = 5000

/** Lets people watch terminals: announced to who is watched, and in the log, before anything is shown. */
export class WatchedSessions {
  readonly #deps: WatchDeps
  readonly #watching = new Map<string, number>()

  constructor(deps: WatchDeps) {
    this.#deps = deps
  }

  /**
   * The caller must `leave`.
   * @throws BrokerError NOT_FOUND also for a session that this person may not see; ROLE_REQUIRED, RATE_LIMITED, INVALID_INPUT for one that is over or
   *   has no terminal; AUDIT_UNAVAILABLE, PEER_UNREACHABLE
   */
  async watch(login: Login, sessionId: string): Promise<Watched> {
    const { grantId } = await this.#admit(login, sessionId)
    const end = this.#begin(login.principal.id)
    const { id, name } = login.principal
    try {
      const tell = await this.#teller(sessionId)
      const { isShown, size } = await tell(`${name} watches this session`)
      if (!isShown) throw notRunning('only a terminal that runs can be watched', sessionId)
      const fields = { session: sessionId, grant: grantId, login: login.id }
      const left = () => tell(`${name} no longer watches this session`).catch(() => undefined) // its end is in the log
      await this.#deps.audit
        .append({ type: 'recording.watched', actor: id, fields, text: { name } })
        .catch(async (error: unknown) => {
          await left()
          throw error
        })
      const { signal, stop } = this.#followRights(login, sessionId)
      return {
        offset: Math.max(0, size - shownBefore),
        isElsewhere: !this.#deps.sessions.isOpen(sessionId),
        signal,
        isOver: () => this.#isOver(sessionId),
        leave: async () => {
          stop()
          end()
          await left()
          await this.#deps.audit.appendRemoval({ type: 'recording.watch-ended', actor: id, fields, text: { name } })
        },
      }
    } catch (error) {
      end()
      throw error
    }
  }

  async #admit(login: Login, sessionId: string): Promise<FoundSession> {
    const { sessions, access } = this.#deps
    const found = await sessions.find(sessionId)
    if (found && (await access.mayWatch(login, found.grantId))) return found
    const isVisible = found !== undefined && (isOverseer(login) || (await access.mayEnd(login)(found.grantId)))
    if (!isVisible) throw new BrokerError('NOT_FOUND', `no session ${sessionId}`)
    throw new BrokerError('ROLE_REQUIRED', 'only auditors and approvers of its grant may watch a session')
  }

  /** @throws BrokerError RATE_LIMITED @returns what is called at the end */
  #begin(principalId: string): () => void {
    const before = this.#watching.get(principalId) ?? 0
    if (before >= mostAtOnce) throw new BrokerError('RATE_LIMITED', `you watch ${mostAtOnce} sessions already`)
    this.#watching.set(principalId, before + 1)
    return () => {
      const left = (this.#watching.get(principalId) ?? 1) - 1
      if (left > 0) this.#watching.set(principalId, left)
      else this.#watching.delete(principalId)
    }
  }

  async #teller(sessionId: string): Promise<(text: string) => Promise<Told>> {
    const { sessions, store, recordings, tellElsewhere } = this.#deps
    if (sessions.isOpen(sessionId))
      return async (text) => {
        const isShown = await sessions.tell(sessionId, text)
        return { isShown, size: (await recordings.size(sessionId)) ?? 0 }
      }
    const row = await store.find(sessionId)
    if (!row || row.ended_at !== null) throw notRunning('this session is over', sessionId)
    return (text) => tellElsewhere(row.daemon_id, sessionId, text)
  }

  async #isOver(sessionId: string): Promise<boolean> {
    const { sessions, store } = this.#deps
    if (sessions.isOpen(sessionId)) return false
    return (await store.find(sessionId))?.ended_at !== null
  }

  #followRights(login: Login, sessionId: string): { readonly signal: AbortSignal; stop(): void } {
    const abort = new AbortController()
    const recheck = () => {
      this.#requireStill(login, sessionId).catch((error: unknown) => abort.abort(error))
    }
    const held = { sessionId: '', grantId: '', resourceId: '', principalId: login.principal.id, credentialId: login.id }
    const onChange = (change: Change) => {
      if (isRemoval(change)) {
        if (concerns(change, held)) abort.abort(new BrokerError('LOGIN_REQUIRED', change.text))
      } else if (change.what === 'rules' || (change.what === 'directory' && change.id === login.principal.id)) recheck()
    }
    const unsubscribe = this.#deps.changes.subscribe(onChange)
    const timer = setInterval(recheck, recheckMs).unref()
    const stop = () => {
      unsubscribe()
      clearInterval(timer)
    }
    return { signal: abort.signal, stop }
  }

  /** @throws BrokerError LOGIN_REQUIRED, ROLE_REQUIRED, STORE_UNAVAILABLE … */
  async #requireStill(login: Login, sessionId: string): Promise<void> {
    const now = await this.#deps.identity.loginNow(login)
    if (!now) throw new BrokerError('LOGIN_REQUIRED')
    await this.#admit(now, sessionId)
  }
}

function notRunning(why: string, sessionId: string): BrokerError {
  return new BrokerError('INVALID_INPUT', why, { hint: `to see its recording: sallyport recordings play ${sessionId}` })
}
