/** Every type of audit event. A new one is a line here; `audit_events_total` and docs/audit-events.md follow. */
export const auditTypes = [
  // identity
  'login.succeeded',
  'login.failed',
  'login.ended',
  'principal.created',
  'principal.changed',
  'principal.locked',
  'principal.unlocked',
  'token.created',
  'token.revoked',
  'connect-token.issued',
  'connect-token.revoked',
  // access
  'rules.loaded',
  'rules.refused',
  'request.created',
  'request.cancelled',
  'request.expired',
  'decision.made',
  'decision.refused',
  'request.voided',
  'grant.created',
  'grant.extended',
  'grant.shortened',
  'grant.returned',
  'grant.revoked',
  'grant.expired',
  'grant.ended',
  'grant.tampered',
  'resource.changed',
  // sessions
  'session.denied',
  'session.started',
  'session.cancelled',
  'session.ended',
  'session.killed',
  'credentials.issued',
  'credentials.killed',
  'credentials.kill-failed',
  'credentials.outlive',
  'console.opened',
  'account.validated',
  'strangers.failed',
  'local.no-password',
  // the house
  'daemon.started',
  'daemon.stopped',
  'audit.read',
  'audit.exported',
  'recording.read',
  'checkpoint.anchored',
  'store.refused',
] as const
export type AuditType = (typeof auditTypes)[number]

export type AuditValue = string | number | boolean | null | readonly string[]

/** One fact. `fields` hold ids, codes, digests, counts; anything personal or free text goes to `text`. */
export interface AuditEvent {
  readonly type: AuditType
  /** Principal id, or `system`. */
  readonly actor: string
  /** Stored in the chain for ever. */
  readonly fields: Readonly<Record<string, AuditValue>>
  /** Names, addresses, reasons: stored beside the chain, which holds only a salted digest, so that erasure never breaks it. */
  readonly text?: Readonly<Record<string, string>>
}

export interface AuditRecord extends AuditEvent {
  /** 1, 2, 3 … without a gap. */
  readonly seq: number
  /** Epoch milliseconds. */
  readonly at: number
  /** Hex SHA-256. */
  readonly hash: string
}

/** What the rest of the house may ask of the audit log. Built by `createAuditLog` (create-audit.ts). */
export interface AuditLog {
  /**
   * Resolves when the event is durable and chained. For what grants access: call it before the effect.
   * @throws BrokerError AUDIT_UNAVAILABLE
   */
  append(event: AuditEvent): Promise<AuditRecord>
  /**
   * For what removes access (revoke, kill, lock, expiry, deny): call it after the effect. Never throws; when the log is
   * down the event goes to the reserved spool and is appended later, also after a restart.
   */
  appendRemoval(event: AuditEvent): Promise<void>
  /** Events that are still in the spool, oldest first. At start, owners re-apply what they find (`grant.revoked`, `principal.locked`). */
  spooled(): readonly AuditEvent[]
  /** Events from the chain, newest first. */
  search(query: AuditQuery): Promise<{ events: readonly AuditRecord[]; next: string | null }>
  /** Called for every event after it is durable, in order. */
  subscribe(listener: (record: AuditRecord) => void): () => void
}

export interface AuditQuery {
  readonly types?: readonly AuditType[]
  readonly actor?: string
  /** Any field with this value: a grant, session, request, principal or resource id. */
  readonly subject?: string
  readonly since?: number
  readonly until?: number
  /** From an earlier answer. */
  readonly cursor?: string
  /** 1 to 1000; 100 unless told. */
  readonly limit?: number
}
