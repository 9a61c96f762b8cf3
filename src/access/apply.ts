import type { AuditRecord } from '../audit/audit.ts'
import type { Background } from '../telemetry/background.ts'
import type { Core } from './core.ts'
import { endOf } from './grants/grant-events.ts'
import { noteGrant, noteRequest } from './recover.ts'

/**
 * What another daemon of the store did, as the log tells it: takes effect here as a decision of this daemon does. Nothing is written
 * or audited again. What access is taken away goes at once; what was given is read from its row.
 */
export function applyElsewhere(core: Core, background: Background, record: AuditRecord): void {
  const { type, fields, at, seq } = record
  if (type === 'rules.loaded') core.inForce.noteLoaded(String(fields.digest), seq)
  else if (type.startsWith('request.') || type === 'decision.made') noteRequest(core, record)
  else if (type.startsWith('grant.') && typeof fields.grant === 'string') {
    noteGrant(core, record)
    const id = fields.grant
    const how = endOf(record)
    if (how) core.grants.endedElsewhere(id, how, at)
    else if (type === 'grant.shortened')
      core.grants.shortenedElsewhere(id, Number(fields.ends_at), Number(fields.version))
    else background.run('reading a grant of another daemon', () => core.grants.readAgain(id))
  }
}
