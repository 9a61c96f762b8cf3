import type { Identity } from '../../proxy/doorman.ts'

/** Tables of src/sessions; made in src/store/migrations/0003-sessions.ts, changed in 0007. */
export interface SessionTables {
  sessions: {
    id: string
    principal_id: string
    principal_name: string
    grant_id: string
    request_id: string
    resource_id: string
    kind: string
    level: string
    credential_kind: Identity['credential']['kind']
    credential_id: string
    daemon_id: string
    client_address: string
    client_via: string
    tool: string | null
    /** JSON: what the engine reported at `started`, e.g. the database user. */
    detail: string
    opened_at: number
    started_at: number | null
    ends_at: number
    ended_at: number | null
    end_reason: string | null
    bytes_up: number
    bytes_down: number
    recording_entries: number
    recording_digest: string | null
    /** Of what the session was opened with; null in rows of versions without it. */
    mac: string | null
  }
}

declare module '../store/schema.ts' {
  interface Database extends SessionTables {}
}
