import type { AuditEvent, AuditLog, AuditQuery, AuditRecord, Beside } from '../../../src/audit/audit.ts'
import type { Db } from '../../../src/store/store.ts'
import { runBeside } from '../audit/run-beside.ts'

/** A log that keeps its events in memory, and commits what is beside them. */
export function memoryLog(db: Db, now: () => number) {
  const records: AuditRecord[] = []
  const append = async (event: AuditEvent, beside?: Beside): Promise<AuditRecord> => {
    await runBeside(db, beside)
    const record = { ...event, seq: records.length + 1, at: now(), hash: '' }
    records.push(record)
    return record
  }
  const log: Pick<AuditLog, 'append' | 'appendRemoval' | 'search'> = {
    append,
    appendRemoval: async (event, beside) => {
      await append(event, beside)
      return true
    },
    search: async ({ types, subject, since = 0, limit = 100 }: AuditQuery) => {
      const found = records.filter(
        ({ type, at, fields }) =>
          at >= since &&
          (types === undefined || types.includes(type)) &&
          (subject === undefined || Object.values(fields).includes(subject)),
      )
      return { events: found.toReversed().slice(0, limit), next: null }
    },
  }
  return { log, records }
}
