import { BrokerError } from '../../../proxy/session.ts'
import type { AuditEvent } from '../../audit/audit.ts'
import { actorOf, type Core } from '../core.ts'
import { principalLocked } from '../end-texts.ts'
import type { LoginStore } from '../logins/login-store.ts'
import type { Login, Principal } from '../principal.ts'
import type { TokenStore } from '../tokens/token-store.ts'
import { retried } from './retried.ts'

export interface LockDeps extends Core {
  readonly logins: LoginStore
  readonly tokens: TokenStore
}

/**
 * Locks an identity. Sessions, logins and tokens end as soon as this daemon knows; the store and the audit log follow.
 * @throws BrokerError NOT_FOUND, RESOURCE_AMBIGUOUS
 */
export async function lockPrincipal(deps: LockDeps, login: Login, reference: string, why: string): Promise<Principal> {
  const principal = await deps.directory.find(reference)
  const { actor, name } = actorOf(login)
  const lockedAt = principal.lockedAt ?? deps.clock.now()
  deps.removals.lock(principal.id, lockedAt)
  deps.removals.unstoredLocks.add(principal.id)
  await deps.directory.cut(principal.id, principalLocked(name, why))
  const event: AuditEvent = {
    type: 'principal.locked',
    actor,
    fields: { principal: principal.id, locked_at: lockedAt },
    text: { name, principal_name: principal.name, reason: why },
  }
  await deps.mutex.run(principal.id, () => tellLock(deps, event, lockedAt))
  await storeLock(deps, principal.id)
  return { ...principal, lockedAt }
}

/**
 * The event and the row at once; without the store the event alone, which says all that the row does. A row that is locked already is
 * stored again: who unlocks it at another daemon just then is told.
 */
async function tellLock({ audit, directory, logger }: LockDeps, event: AuditEvent, lockedAt: number): Promise<void> {
  const id = String(event.fields.principal)
  try {
    await retried(async () => {
      const row = await directory.row(id)
      const claims = row ? [directory.next(row, { locked_at: row.locked_at ?? lockedAt }).claim] : []
      if (!(await audit.appendRemoval(event, { claims }))) throw new BrokerError('STALE')
    })
  } catch (error) {
    logger.error({ err: error, principal: id }, 'could not store a lock; it is in effect and will be stored later')
    await audit.appendRemoval(event)
  }
}

/**
 * Unlocks an identity; audited first. Nothing is restored: the person signs in again, and the tokens stay revoked.
 * @throws BrokerError NOT_FOUND, INVALID_INPUT when it isn't locked, AUDIT_UNAVAILABLE, STALE when another decision came first
 */
export async function unlockPrincipal(
  deps: LockDeps,
  login: Login,
  reference: string,
  why: string,
): Promise<Principal> {
  const principal = (await lostButLocked(deps, reference)) ?? (await deps.directory.find(reference))
  if (principal.id === login.principal.id)
    throw new BrokerError('DECISION_REFUSED', 'you cannot unlock yourself; ask another admin')
  return await deps.mutex.run(principal.id, async () => {
    const row = await deps.directory.row(principal.id)
    if (deps.removals.lockedAt(principal.id) === undefined && (row?.locked_at ?? null) === null) {
      const isOfOwner = (await deps.directory.principal(principal.id))?.lockedAt != null
      const problem = isOfOwner
        ? `the owner of ${principal.name} is locked; unlock them instead`
        : `${principal.name} is not locked`
      throw new BrokerError('INVALID_INPUT', problem)
    }
    const { actor, name } = actorOf(login)
    const event: AuditEvent = {
      type: 'principal.unlocked',
      actor,
      fields: { principal: principal.id },
      text: { name, principal_name: principal.name, reason: why },
    }
    const { at } = row
      ? await deps.directory.give(event, deps.directory.next(row, { locked_at: null }))
      : await deps.audit.append(event)
    deps.removals.unlock(principal.id, at) // at once: who locks it again while the rest is erased must not be undone
    await eraseHeld(deps, principal.id)
    return { ...principal, lockedAt: null }
  })
}

/**
 * Whom the store has lost, as after a restore, while the log says that they are locked: else nobody could unlock them, and they could
 * never sign in again.
 */
async function lostButLocked({ directory, removals }: LockDeps, id: string): Promise<Principal | undefined> {
  const lockedAt = removals.lockedAt(id)
  if (lockedAt === undefined || (await directory.row(id))) return undefined
  return {
    ...{ id, kind: 'person', issuer: '', subject: '', name: id, email: null, groups: [], manager: null },
    ...{ active: false, lockedAt, ownerId: null, madeBy: null },
  }
}

/** Stores a lock that is in effect, and erases the logins with their refresh tokens. Retried by the upkeep. */
export async function storeLock(deps: LockDeps, id: string): Promise<void> {
  try {
    await deps.mutex.run(id, async () => {
      await retried(async () => {
        const row = await deps.directory.row(id)
        if (row?.locked_at !== null) return
        await deps.audit.catchUp() // or another daemon has unlocked it
        const lockedAt = deps.removals.lockedAt(id)
        if (lockedAt !== undefined) await deps.directory.put(deps.directory.next(row, { locked_at: lockedAt }))
      })
      if (deps.removals.lockedAt(id) === undefined) return // unlocked meanwhile
      for (const held of await deps.logins.ofPrincipal(id)) await deps.logins.delete(held.id)
    })
    deps.removals.unstoredLocks.delete(id)
  } catch (error) {
    deps.logger.error({ err: error, principal: id }, 'could not store a lock; it is in effect and will be stored later')
  }
}

/** From before the lock, so it is already invalid and no longer needed. */
async function eraseHeld(deps: LockDeps, id: string): Promise<void> {
  const apiTokens = await deps.tokens.apiTokensOf(id)
  const issued = await Promise.all(apiTokens.map((row) => deps.tokens.issuedBy(row.id)))
  const connectTokens = [...(await deps.tokens.connectTokensOf(id)), ...issued.flat()]
  for (const row of apiTokens) await deps.tokens.delete('api_tokens', row.id)
  for (const row of connectTokens) await deps.tokens.delete('connect_tokens', row.id)
  for (const row of await deps.logins.ofPrincipal(id)) await deps.logins.delete(row.id)
}
