import type { AuditLog, AuditRecord, AuditType } from './audit.ts'

const pageSize = 1000

/** All events of these types since then, newest first. @param since epoch milliseconds */
export async function* readEvents(
  audit: Pick<AuditLog, 'search'>,
  types: readonly AuditType[],
  since: number,
): AsyncGenerator<AuditRecord> {
  let cursor: string | null = null
  do {
    const from = cursor === null ? {} : { cursor }
    const page: Awaited<ReturnType<AuditLog['search']>> = await audit.search({ types, since, limit: pageSize, ...from })
    yield* page.events
    cursor = page.next
  } while (cursor !== null)
}
