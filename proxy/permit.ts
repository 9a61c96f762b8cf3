import type { SessionPermit } from './session.ts'

/** Makes the proof that a session may dial upstream. The linter lets `src/sessions/open-session.ts` alone import it. */
export function makePermit(
  fields: Omit<SessionPermit, keyof { [K in keyof SessionPermit as symbol extends K ? K : never]: 1 }>,
): SessionPermit {
  return Object.freeze({ ...fields }) as unknown as SessionPermit
}
