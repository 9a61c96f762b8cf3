/** Tables of src/access; made in src/store/migrations/0002-access.ts, target_id in 0012-target-ids.ts, login_name in 0013-login-names.ts, session_tags in 0018-session-tags.ts. Every `mac` covers everything that gives authority. */
export interface AccessTables {
  rule_revisions: {
    id: string
    digest: string
    /** JSON: rules, levels and resources as they were loaded. */
    content: string
    loaded_at: number
    mac: string
  }
  requests: {
    id: string
    requester_id: string
    requester_login: string
    beneficiary_id: string
    resource_id: string
    target_id: string | null
    kind: string
    level: string
    login_name: string | null
    /** JSON: values by key. */
    session_tags: string | null
    duration_ms: number
    reason: string | null
    ticket: string | null
    rule_name: string
    rule_digest: string
    level_digest: string
    /** JSON: Stage[] */
    stages: string
    round: number
    digest: string
    status: string
    status_reason: string | null
    extends_grant_id: string | null
    created_at: number
    expires_at: number
    ended_at: number | null
    version: number
    mac: string
  }
  decisions: {
    id: string
    request_id: string
    request_digest: string
    stage: number
    principal_id: string
    verdict: string
    comment: string | null
    decided_at: number
    mac: string
  }
  grants: {
    id: string
    request_id: string
    principal_id: string
    resource_id: string
    target_id: string | null
    kind: string
    level: string
    login_name: string | null
    /** JSON: values by key. */
    session_tags: string | null
    starts_at: number
    ends_at: number
    rule_name: string
    rule_digest: string
    level_digest: string
    state: string
    ended_at: number | null
    end_reason: string | null
    /** Shown to its holder; free text, so it is not under the MAC. */
    end_text: string | null
    /** 1, 2 … with every change; audit events carry it, so that an earlier row can't be restored. */
    version: number
    mac: string
  }
}

declare module '../../store/schema.ts' {
  interface Database extends AccessTables {}
}
