import type { AuditRecord, AuditType, Origin } from '../audit/audit.ts'
import { longestApiTokenMs } from '../contract/tokens.ts'
import type { Removal } from '../store/changes.ts'
import type { Core } from './core.ts'
import { loginEnded, principalLocked, tokenRevoked } from './end-texts.ts'
import { noteLock, noteMaker, noteRemoval, noteVersion } from './learn.ts'

/**
 * Brings into memory what an event of the log says of identity, in the order of the log, and publishes what it takes away as the
 * daemon that decided it did. Nothing is written. Of one's own events only locks matter: another daemon's may stand between them.
 */
export function applyEvent(core: Core, record: AuditRecord, from: Origin): void {
  if (record.type === 'audit.forked') core.removals.noteRestore(Number(record.fields.void_until))
  const id = typeof record.fields.principal === 'string' ? record.fields.principal : undefined
  if (id === undefined) return
  if (record.type === 'principal.locked') noteLock(core, record)
  if (record.type === 'principal.unlocked') core.removals.unlock(id, record.at)
  if (from === 'elsewhere') appliers[record.type]?.(core, record, id)
}

const appliers: Partial<Record<AuditType, (core: Core, record: AuditRecord, principal: string) => void>> = {
  'principal.locked': (core, { at, text }, id) => cut(core, id, principalLocked(text?.name, text?.reason), at),
  'principal.changed': (core, record, id) => {
    noteVersion(core, record)
    const { at, fields, text } = record
    if (fields.active === false) {
      const why = text?.reason ?? 'this identity is no longer active'
      cut(core, id, { reason: 'principal-inactive', text: why }, at)
    }
    inBackground(core, async () => {
      await core.directory.publishWithOwned(id)
      if (fields.email_changed === true) await publishSharers(core, id)
    })
  },
  'principal.created': (core, record, id) => {
    noteMaker(core, record)
    inBackground(core, () => publishSharers(core, id))
  },
  'login.ended': (core, record) => remove(core, record, { what: 'login', ...loginEnded(record.fields.why) }),
  'token.revoked': (core, record) =>
    remove(core, record, { what: 'token', ...tokenRevoked('API token', record.text?.name) }),
  'connect-token.revoked': (core, record) =>
    remove(core, record, { what: 'token', ...tokenRevoked('connect token', record.text?.name) }),
}

async function publishSharers(core: Core, id: string): Promise<void> {
  const row = await core.directory.row(id)
  if (row) await core.directory.publishSharers(row)
}

/** Of the principal itself at once, before its service accounts are looked up. */
function cut(core: Core, id: string, how: Pick<Removal, 'reason' | 'text'>, decidedAt: number): void {
  inBackground(core, () => core.directory.cut(id, { ...how, decidedAt, from: 'elsewhere' }))
}

function remove(core: Core, record: AuditRecord, how: Pick<Removal, 'what' | 'reason' | 'text'>): void {
  const id = noteRemoval(core, record, record.at + longestApiTokenMs)
  if (id !== undefined) core.changes.publish({ id, ...how, decidedAt: record.at, from: 'elsewhere' })
}

function inBackground(core: Core, work: () => Promise<unknown>): void {
  core.background.run('a change to identity by another daemon', work)
}
