import type { AuditLog, AuditRecord, AuditType } from './audit.ts'

const pageSize = 1000

/** All events of these types since then, newest first. @param since epoch milliseconds */
export function readEvents(
  audit: Pick<AuditLog, 'search'>,
  types: readonly AuditType[],
  since: number,
): AsyncGenerator<AuditRecord> {
  return allEvents(audit, { types, since })
}

/** All events that match, newest first, page by page. */
export async function* allEvents(
  audit: Pick<AuditLog, 'search'>,
  query: Omit<Parameters<AuditLog['search']>[0], 'limit' | 'cursor'>,
): AsyncGenerator<AuditRecord> {
  const read = (from: { cursor?: string }) => audit.search({ ...query, limit: pageSize, ...from })
  let reading = read({})
  let cursor: string | null
  do {
    const page = await reading
    cursor = page.next
    if (cursor !== null) {
      reading = read({ cursor }) // while the caller works on these
      reading.catch(() => undefined) // thrown when it is awaited; the caller may be done before
    }
    yield* page.events
  } while (cursor !== null)
}
