import type { AuditListener, AuditRecord } from './audit.ts'
import { type AuditStore, toRecord } from './audit-store.ts'

const pageSize = 200

/**
 * Reads the log page by page and waits for more. Nothing is buffered for a slow reader: it continues from the store.
 * @param listeners called for new events
 */
export async function* follow(
  { store, listeners }: { store: Pick<AuditStore, 'page'>; listeners: Set<AuditListener> },
  afterSeq: number,
  signal: AbortSignal,
): AsyncGenerator<AuditRecord> {
  let seq = afterSeq
  let wake = () => {}
  let isBehind = true
  const listener = () => {
    isBehind = true
    wake()
  }
  const onAbort = () => wake()
  listeners.add(listener)
  signal.addEventListener('abort', onAbort)
  try {
    while (!signal.aborted) {
      isBehind = false
      const rows = await store.page(seq, pageSize)
      for (const row of rows) {
        yield toRecord(row)
        seq = row.seq
      }
      if (rows.length === pageSize || isBehind || signal.aborted) continue
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  } finally {
    listeners.delete(listener)
    signal.removeEventListener('abort', onAbort)
  }
}
