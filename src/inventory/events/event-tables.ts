/** Table of src/inventory/events; made in src/store/migrations/0020-event-queue.ts. */
export interface EventTables {
  /** What the daemon that reads the queue tells the others. It gives nothing, and has no MAC. */
  event_notes: {
    /** `queue`, or `probe/ID`. */
    name: string
    /** Of the last time that is worth a note; of a probe when it came. */
    noted_at: number
    /** Why the queue cannot be read, in words; null: it can. */
    error: string | null
    /** What to do about it. */
    fix: string | null
  }
}

declare module '../../store/schema.ts' {
  interface Database extends EventTables {}
}

export type EventNote = EventTables['event_notes']
