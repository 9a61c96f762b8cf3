import type { AuditEvent, AuditType } from '../audit/audit.ts'
import { voidUntil } from '../audit/mark/fork.ts'
import type { RemovalWindows } from '../audit/mark/standing-removals.ts'
import { readEvents } from '../audit/read-events.ts'
import type { Config } from '../config/config.ts'
import { longestApiTokenMs, longestConnectTokenMs } from '../contract/tokens.ts'
import type { Core } from './core.ts'
import { noteLock, noteMaker, noteRemoval, noteUnlock, noteVersion } from './learn.ts'

const longestLoginMs = ({ sessionMaxMs }: Pick<Config['oidc'], 'sessionMaxMs'>) =>
  Math.max(sessionMaxMs, longestConnectTokenMs)

/** How far back {@link recover} reads. */
export function identityRemovals(config: Pick<Config['oidc'], 'sessionMaxMs'>): RemovalWindows {
  const forEver = Number.POSITIVE_INFINITY
  return {
    'principal.locked': forEver,
    'principal.unlocked': forEver,
    'principal.changed': forEver,
    'login.ended': longestLoginMs(config),
    'connect-token.revoked': longestLoginMs(config),
    'token.revoked': longestApiTokenMs,
  }
}

/**
 * At start: learns from the audit log, and from its spool, who is locked, which logins and tokens were ended, and the
 * newest version of each principal, and who made which service account. So a row that was restored while the daemon was down does not count either.
 */
export async function recover(core: Core): Promise<void> {
  const { audit } = core
  const now = core.clock.now()
  const locks: AuditEvent[] = []
  for await (const event of readEvents(audit, ['principal.locked', 'principal.unlocked'], 0)) {
    locks.push(event)
    if (event.type === 'principal.unlocked') noteUnlock(core, event)
  }
  // One that is in the log, too, has its place there: another daemon may have unlocked since.
  const logged = new Set(locks.map(({ fields }) => fields.spooled).filter((id) => id !== undefined))
  const unlogged = audit.spooled().filter(({ fields: { spooled: id } }) => id === undefined || !logged.has(id))
  noteLocks(core, [...unlogged.reverse(), ...locks])
  core.removals.noteRestore(await voidUntil(audit))
  for await (const event of readEvents(audit, ['principal.changed'], 0)) noteVersion(core, event)
  for await (const event of readEvents(audit, ['principal.created'], 0)) noteMaker(core, event)
  const removalTypes: readonly (readonly [AuditType[], number])[] = [
    [['login.ended', 'connect-token.revoked'], longestLoginMs(core.config)],
    [['token.revoked'], longestApiTokenMs],
  ]
  for (const [types, longestMs] of removalTypes) {
    for await (const event of readEvents(audit, types, now - longestMs)) noteRemoval(core, event, now + longestMs)
  }
  for (const event of audit.spooled()) noteRemoval(core, event, now + longestApiTokenMs)
}

/** @param newestFirst the first event of a principal says how it is now */
function noteLocks(core: Core, newestFirst: readonly AuditEvent[]): void {
  const known = new Set<unknown>()
  for (const event of newestFirst) {
    const id = event.fields.principal
    const isLock = event.type === 'principal.locked'
    if ((!isLock && event.type !== 'principal.unlocked') || typeof id !== 'string' || known.has(id)) continue
    known.add(id)
    if (!isLock) continue
    noteLock(core, event)
    core.removals.unstoredLocks.add(id) // the sweep looks whether the store has it
  }
}
