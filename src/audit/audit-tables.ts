/** Tables of src/audit; made in src/store/migrations/0004-audit.ts. */
export interface AuditTables {
  /** The chain: ids, codes, digests, counts. Rows are never changed. */
  audit_events: {
    seq: number
    at: number
    type: string
    actor: string
    /** Canonical JSON of the fields. */
    body: string
    text_digest: string | null
    prev_hash: string
    hash: string
  }
  /** Personal text beside the chain; a row may be erased, its digest stays in the event. */
  audit_texts: { seq: number; salt: string; text: string }
  /** Index for searching by any value; `verify` compares it with the events. */
  audit_subjects: { subject: string; seq: number }
  /** One row, locked by every commit. Its MAC is null in a store of a version without marks. */
  audit_head: { id: number; installation: string; seq: number; hash: string; mac: string | null }
  audit_checkpoints: { n: number; body: string; signature: string }
}

declare module '../store/schema.ts' {
  interface Database extends AuditTables {}
}
