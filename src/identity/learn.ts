import type { AuditEvent, AuditRecord, AuditType } from '../audit/audit.ts'
import type { Core } from './core.ts'

/** What single events of the log say of identity, noted in memory: at start (recover.ts), and as daemons append them (apply.ts). */

export function noteLock(core: Core, { fields }: AuditEvent): void {
  if (typeof fields.principal !== 'string') return
  core.removals.lock(fields.principal, typeof fields.locked_at === 'number' ? fields.locked_at : 0)
}

/** What is from before it stays void. */
export function noteUnlock(core: Core, { at, fields }: AuditRecord): void {
  if (typeof fields.principal === 'string') core.removals.noteUnlock(fields.principal, at)
}

export function noteVersion(core: Core, { fields }: AuditEvent): void {
  if (typeof fields.principal === 'string' && typeof fields.version === 'number')
    core.removals.noteVersion(fields.principal, fields.version)
}

/** Who made a service account. */
export function noteMaker(core: Core, { actor, fields }: AuditEvent): void {
  if (fields.kind === 'service' && typeof fields.principal === 'string')
    core.directory.noteMaker(fields.principal, actor)
}

const removedBy: Partial<Record<AuditType, string>> = {
  'login.ended': 'login',
  'token.revoked': 'token',
  'connect-token.revoked': 'token',
}

/** A login or token that ended. @param until when it has expired, where the event doesn't say. @returns its id */
export function noteRemoval(core: Core, { type, fields }: AuditEvent, until: number): string | undefined {
  const id = fields[removedBy[type] ?? '']
  if (typeof id !== 'string') return undefined
  core.removals.remove(id, typeof fields.expires_at === 'number' ? fields.expires_at : until)
  return id
}
