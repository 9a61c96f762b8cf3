import type { PermitFields, SessionPermit } from './session.ts'

/** Makes the proof that a session may dial upstream. The linter lets `src/sessions/open-session.ts` alone import it. */
export function makePermit(fields: PermitFields): SessionPermit {
  return Object.freeze(fields) as SessionPermit
}
