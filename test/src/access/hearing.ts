import type { AuditLog, AuditRecord } from '../../../src/audit/audit.ts'

/** @returns tells what others have appended until now, in order */
export function hearing(audit: Pick<AuditLog, 'subscribe' | 'search'>, tell: (record: AuditRecord) => void) {
  const own = new Set<number>()
  let heard = 0
  audit.subscribe(({ seq }) => own.add(seq))
  return async () => {
    const { events } = await audit.search({ limit: 1000 })
    for (const record of [...events].reverse()) if (record.seq > heard && !own.has(record.seq)) tell(record)
    heard = events[0]?.seq ?? heard
  }
}
