import { KnownVersions } from '../store/known-versions.ts'

/**
 * What was removed, and the newest version of every principal, as far as this daemon knows from its own writes and from
 * the audit log. It counts from the instant of the decision and overrides the store: a write that failed, or a row that was
 * restored with its valid MAC, gives no access.
 */
export class Removals {
  readonly #versions = new KnownVersions()
  readonly #lockedAt = new Map<string, number>()
  readonly #unlockedAt = new Map<string, number>()
  readonly #removed = new Map<string, number>()
  #voidUntil = 0
  /** Locked, but not yet in the store. */
  readonly unstoredLocks = new Set<string>()
  /** Logins and tokens that are removed, but not yet from the store. */
  readonly undeleted = new Map<string, 'logins' | 'api_tokens' | 'connect_tokens'>()

  noteVersion(principalId: string, version: number): void {
    this.#versions.note(principalId, version, Number.POSITIVE_INFINITY)
  }

  /** 0 when nothing is known. */
  version(principalId: string): number {
    return this.#versions.newest(principalId)
  }

  lock(principalId: string, at: number): void {
    this.#lockedAt.set(principalId, at)
  }

  unlock(principalId: string, at: number): void {
    this.#lockedAt.delete(principalId)
    this.unstoredLocks.delete(principalId)
    this.noteUnlock(principalId, at)
  }

  noteUnlock(principalId: string, at: number): void {
    this.#unlockedAt.set(principalId, Math.max(at, this.#unlockedAt.get(principalId) ?? 0))
  }

  /** A restore was confirmed: what is older is void. @param until epoch milliseconds */
  noteRestore(until: number): void {
    this.#voidUntil = Math.max(until, this.#voidUntil)
  }

  /** Whether a login or token is from before a lock or a restore, neither of which it survives. @param createdAt epoch milliseconds */
  isVoid(principalId: string, createdAt: number): boolean {
    if (createdAt <= this.#voidUntil) return true
    const unlockedAt = this.#unlockedAt.get(principalId)
    return unlockedAt !== undefined && createdAt <= unlockedAt
  }

  /** Epoch milliseconds; undefined when no lock is known. */
  lockedAt(principalId: string): number | undefined {
    return this.#lockedAt.get(principalId)
  }

  /** A login or token that no longer counts. @param until when it would have expired anyway, epoch milliseconds */
  remove(id: string, until: number): void {
    this.#removed.set(id, Math.max(until, this.#removed.get(id) ?? 0))
  }

  isRemoved(id: string): boolean {
    return this.#removed.has(id)
  }

  forget(now: number): void {
    for (const [id, until] of this.#removed) if (until <= now && !this.undeleted.has(id)) this.#removed.delete(id)
  }
}
