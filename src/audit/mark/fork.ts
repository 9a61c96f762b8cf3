import type { AuditEvent, AuditLog } from '../audit.ts'
import type { ChainRow } from '../chain.ts'

/** A confirmed restore, as the log tells it: the log went on from an earlier event than it had reached. */
export interface Fork {
  /** The event that tells it: the first of the new branch. */
  readonly seq: number
  /** What was confirmed. */
  readonly code: string
  /** Logins, tokens, grants and requests up to this instant are void, epoch milliseconds. */
  readonly voidUntil: number
  /** How far the branch that was given up had come, as far as it is known. */
  readonly lostSeq: number
  /** The newest of its checkpoints. */
  readonly lostCheckpoint: number
  /** First event before the fork that does not verify; null when all do. */
  readonly damagedAt: number | null
}

export function forkEvent(fork: Omit<Fork, 'seq'>, why: string): AuditEvent {
  return {
    type: 'audit.forked',
    actor: 'system',
    fields: {
      fork: fork.code,
      void_until: fork.voidUntil,
      lost_seq: fork.lostSeq,
      lost_checkpoint: fork.lostCheckpoint,
      damaged_at: fork.damagedAt,
      why,
    },
  }
}

/** @returns undefined for any other event */
export function readFork(row: Pick<ChainRow, 'seq' | 'type' | 'body'>): Fork | undefined {
  if (row.type !== 'audit.forked') return undefined
  try {
    const { fork, void_until, lost_seq, lost_checkpoint, damaged_at } = JSON.parse(row.body) as Record<string, unknown>
    return {
      seq: row.seq,
      code: String(fork),
      voidUntil: Number(void_until),
      lostSeq: Number(lost_seq),
      lostCheckpoint: Number(lost_checkpoint),
      damagedAt: damaged_at === null ? null : Number(damaged_at),
    }
  } catch {
    return undefined // the chain check names the damaged body
  }
}

/** What the restores that were confirmed have made void: everything up to this instant, epoch milliseconds. 0: there was none. */
export async function voidUntil(audit: Pick<AuditLog, 'search'>): Promise<number> {
  const { events } = await audit.search({ types: ['audit.forked'], limit: 1000 })
  return Math.max(0, ...events.map(({ fields }) => Number(fields.void_until)))
}
