import { sortedMembers } from '../audit/canonical.ts'
import { signedRows } from '../store/signed-rows.ts'

/** Tables of src/daemons; made in src/store/migrations/0010-daemons.ts. */
export interface DaemonTables {
  /** One for each `state.dir` that a daemon runs with, or died with. */
  daemons: {
    id: string
    /** Of the process, and of each time that it began anew. */
    run: string
    /** 0 to 255, of the living each another: ids shown to clients carry it. */
    number: number
    /** Of the machine. */
    name: string
    /** Where other daemons reach it. */
    url: string | null
    version: string
    started_at: number
    /** By the clock of the database. */
    heartbeat_at: number
    /** After how long without a heartbeat it is lost; its sessions have ended by then. */
    patience_ms: number
    /** Another daemon found it lost, and closes its sessions. */
    lost_at: number | null
    /** Null until its rules are loaded. */
    rules_digest: string | null
    key_ids: string
    mac: string
  }
  /** One row. */
  leader: {
    id: number
    run: string
    /** Counts those who led. */
    epoch: number
    /** By the clock of the database. */
    expires_at: number
  }
}

declare module '../store/schema.ts' {
  interface Database extends DaemonTables {}
}

export type DaemonRow = DaemonTables['daemons']

const heartbeat = ['heartbeat_at', 'lost_at']

export const { signRow, isSigned } = signedRows<Pick<DaemonTables, 'daemons'>>({ daemons: heartbeat }, sortedMembers)
