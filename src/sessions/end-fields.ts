import type { SessionEnd } from '../../proxy/doorman.ts'
import type { AuditValue } from '../audit/audit.ts'
import type { SessionEnd as StoredEnd } from './session-store.ts'

/** Of its event. @param detail what its engine reported at the start */
export function endFields(end: SessionEnd, detail: Record<string, string>): Record<string, AuditValue> {
  const { bytesUp, bytesDown, error, stoppedAt, unfinished } = end
  return {
    bytes_up: bytesUp,
    bytes_down: bytesDown,
    ...(error ? { code: error.code } : {}),
    ...(stoppedAt === undefined ? {} : { stopped_at: stoppedAt }),
    ...(unfinished === undefined ? {} : { unfinished }),
    ...detail,
  }
}

/** Of its row. @param endedAt epoch milliseconds */
export function booksOf({ bytesUp, bytesDown, reason, recording }: SessionEnd, endedAt: number): StoredEnd {
  const sealed = { digest: recording?.digest ?? null, entries: recording?.entries ?? 0 }
  return { endedAt, reason, bytesUp, bytesDown, ...sealed }
}

/** For the client. @param name of who ended it */
export function killText(name: string, why = ''): string {
  return `the session was ended by ${name}${why ? `: ${why}` : ''}`
}
