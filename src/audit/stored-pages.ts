import { pages } from '../store/pages.ts'
import type { AuditStore, CheckpointRow, StoredEvent } from './audit-store.ts'

/** A few milliseconds of hashing, or of verifying signatures, before the relay gets to run again. */
const pageSize = 200
const checkpointsAtOnce = 20

/** Every checkpoint, oldest first. */
export function storedCheckpoints(store: Pick<AuditStore, 'checkpoints'>): AsyncGenerator<readonly CheckpointRow[]> {
  return pages(
    0,
    ({ n }: CheckpointRow) => n,
    (n) => store.checkpoints(n, checkpointsAtOnce),
  )
}

/** Every event after `after` and up to `last`, oldest first. */
export function storedEvents<Row extends StoredEvent>(
  store: { page(afterSeq: number, limit: number): Promise<readonly Row[]> },
  last = Number.POSITIVE_INFINITY,
  after = 0,
): AsyncGenerator<readonly Row[]> {
  return pages(
    after,
    ({ seq }: Row) => seq,
    async (seq) => (seq < last ? await store.page(seq, Math.min(pageSize, last - seq)) : []),
  )
}
