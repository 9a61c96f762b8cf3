import type { StoredEvent } from './audit-store.ts'
import type { RecordingHead } from './checkpoint.ts'

/** What the log says about a recording. */
export interface RecordingEnd {
  readonly session: string
  /** Null when it could not be sealed. */
  readonly digest: string | null
  readonly entries: number
  /** Heads that checkpoints took while it was open, oldest first. */
  readonly heads: readonly { head: string; entries: number }[]
}

/** Collects what checkpoints, `session.ended` and `recording.sealed` say about recordings. */
export class RecordingLedger {
  readonly #heads = new Map<string, Map<string, number>>()
  readonly #ends = new Map<string, { digest: string | null; entries: number }>()

  addHeads(recordings: readonly RecordingHead[]): void {
    for (const { session, head, entries } of recordings) {
      const heads = this.#heads.get(session)
      if (heads) heads.set(head, entries)
      else this.#heads.set(session, new Map([[head, entries]]))
    }
  }

  addEnd(end: { session: string; digest: string | null; entries: number } | undefined): void {
    if (end) this.#ends.set(end.session, end)
  }

  /** Recordings that have ended with a digest, or that a checkpoint saw. */
  *ends(): Generator<RecordingEnd> {
    for (const session of new Set([...this.#ends.keys(), ...this.#heads.keys()])) {
      const { digest = null, entries = 0 } = this.#ends.get(session) ?? {}
      const heads = [...(this.#heads.get(session) ?? [])].map(([head, count]) => ({ head, entries: count }))
      if (digest !== null || heads.length > 0) yield { session, digest, entries, heads }
    }
  }
}

/** Reads a `session.ended`, or the later `recording.sealed` of one that another daemon ended; undefined for any other event. */
export function endOf(row: StoredEvent): { session: string; digest: string | null; entries: number } | undefined {
  if (row.type !== 'session.ended' && row.type !== 'recording.sealed') return undefined
  try {
    const { session, digest, entries } = JSON.parse(row.body) as Record<string, unknown>
    if (typeof session !== 'string') return undefined
    return {
      session,
      digest: typeof digest === 'string' ? digest : null,
      entries: typeof entries === 'number' ? entries : 0,
    }
  } catch {
    return undefined // the chain check names the damaged body
  }
}
